"""Runs side by side: read, checked, grouped into variants, compared, shown. Nothing here needs torch."""

from freqgan.comparison.compared import Comparison, compare
from freqgan.comparison.local import place_of, read_local
from freqgan.comparison.notes import notes
from freqgan.comparison.run import Run
from freqgan.comparison.tables import tables
from freqgan.comparison.wandb_source import read_wandb

__all__ = ["Comparison", "Run", "compare", "notes", "place_of", "read_local", "read_wandb", "tables"]
