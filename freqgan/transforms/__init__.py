"""Invertible frequency transforms: an image to named bands and back, one contract (`Transform`) for all."""

from freqgan.transforms.base import Band, Transform
from freqgan.transforms.dct import DCT, BlockDCT
from freqgan.transforms.every_low import EveryLow
from freqgan.transforms.fourier import Fourier
from freqgan.transforms.identity import Identity
from freqgan.transforms.polyphase import Polyphase
from freqgan.transforms.unit_scale import UnitScale
from freqgan.transforms.wavelet import WaveletTransform

__all__ = [
    "DCT",
    "Band",
    "BlockDCT",
    "EveryLow",
    "Fourier",
    "Identity",
    "Polyphase",
    "Transform",
    "UnitScale",
    "WaveletTransform",
]
