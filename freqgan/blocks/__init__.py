"""Small modules that two networks or more are made of."""

from freqgan.blocks.batch_norm import BatchNorm2d
from freqgan.blocks.enlarging_convolution import EnlargingConv2d
from freqgan.blocks.grouped_linear import GroupedLinear
from freqgan.blocks.halving_residual import HalvingResidual
from freqgan.blocks.instance_norm import InstanceNorm2d
from freqgan.blocks.residual import ResidualBlock
from freqgan.blocks.spectral_norm import spectral_norm
from freqgan.blocks.strided_convolution import DoublingConv2d, HalvingConv2d

__all__ = [
    "BatchNorm2d",
    "DoublingConv2d",
    "EnlargingConv2d",
    "GroupedLinear",
    "HalvingConv2d",
    "HalvingResidual",
    "InstanceNorm2d",
    "ResidualBlock",
    "spectral_norm",
]
