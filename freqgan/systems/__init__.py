"""Methods as LightningModules: who plays against whom, by which rules, and for how long."""

from freqgan.systems.base import System
from freqgan.systems.blend import Blend
from freqgan.systems.clock import Clock
from freqgan.systems.feature_reading import FeatureReading
from freqgan.systems.frequency_gan import FrequencyGAN
from freqgan.systems.optimizers import SGD, Adam, Optimizers, RMSprop
from freqgan.systems.rules import Rules

__all__ = [
    "SGD",
    "Adam",
    "Blend",
    "Clock",
    "FeatureReading",
    "FrequencyGAN",
    "Optimizers",
    "RMSprop",
    "Rules",
    "System",
]
