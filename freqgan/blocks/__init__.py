"""Small modules that two networks or more are made of."""

from freqgan.blocks.batch_norm import BatchNorm2d
from freqgan.blocks.grouped_linear import GroupedLinear
from freqgan.blocks.spectral_norm import spectral_norm
from freqgan.blocks.strided_convolution import DoublingConv2d, HalvingConv2d

__all__ = ["BatchNorm2d", "DoublingConv2d", "GroupedLinear", "HalvingConv2d", "spectral_norm"]
