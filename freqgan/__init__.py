"""Experiments in image generation: frequency GANs, text, super-resolution, labels and translation."""
