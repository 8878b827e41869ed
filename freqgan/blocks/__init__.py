"""Small modules that two networks or more are made of."""

from freqgan.blocks.strided_convolution import DoublingConv2d, HalvingConv2d

__all__ = ["DoublingConv2d", "HalvingConv2d"]
