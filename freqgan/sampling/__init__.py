"""Samples of what a user gives: captions, and label maps."""

from freqgan.sampling.captions import draw_captions
from freqgan.sampling.labels import draw_labels, map_reading

__all__ = ["draw_captions", "draw_labels", "map_reading"]
