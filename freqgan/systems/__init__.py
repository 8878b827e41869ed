"""Methods as LightningModules: who plays against whom, by which rules, and for how long."""

from freqgan.systems.base import System
from freqgan.systems.blend import Blend
from freqgan.systems.clock import Clock
from freqgan.systems.examples import Examples
from freqgan.systems.feature_reading import FeatureReading
from freqgan.systems.frequency_gan import FrequencyGAN
from freqgan.systems.image_text_encoder import ImageTextEncoder
from freqgan.systems.optimizers import SGD, Adam, Optimizers, RMSprop
from freqgan.systems.restoring import Restoring
from freqgan.systems.rules import Rules
from freqgan.systems.staged_text_gan import StagedTextGAN
from freqgan.systems.super_resolution import SuperResolution

__all__ = [
    "SGD",
    "Adam",
    "Blend",
    "Clock",
    "Examples",
    "FeatureReading",
    "FrequencyGAN",
    "ImageTextEncoder",
    "Optimizers",
    "RMSprop",
    "Restoring",
    "Rules",
    "StagedTextGAN",
    "SuperResolution",
    "System",
]
