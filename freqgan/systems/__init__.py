"""Methods as LightningModules: who plays against whom, by which rules, and for how long."""

from freqgan.systems.base import System
from freqgan.systems.blend import Blend
from freqgan.systems.clock import Clock
from freqgan.systems.examples import Examples
from freqgan.systems.exhibiting import Exhibiting
from freqgan.systems.feature_reading import FeatureReading
from freqgan.systems.frequency_gan import FrequencyGAN
from freqgan.systems.image_pool import ImagePool
from freqgan.systems.image_text_encoder import ImageTextEncoder
from freqgan.systems.label_to_image import LabelToImage
from freqgan.systems.optimizers import SGD, Adam, Optimizers, RMSprop
from freqgan.systems.paired_translation import PairedTranslation
from freqgan.systems.remembering import Remembering
from freqgan.systems.restoring import Restoring
from freqgan.systems.rules import Rules
from freqgan.systems.scene_judge import SceneJudge
from freqgan.systems.segmenter import Segmenter
from freqgan.systems.staged_text_gan import StagedTextGAN
from freqgan.systems.super_resolution import SuperResolution
from freqgan.systems.translating import Translating
from freqgan.systems.unpaired_translation import UnpairedTranslation

__all__ = [
    "SGD",
    "Adam",
    "Blend",
    "Clock",
    "Examples",
    "Exhibiting",
    "FeatureReading",
    "FrequencyGAN",
    "ImagePool",
    "ImageTextEncoder",
    "LabelToImage",
    "Optimizers",
    "PairedTranslation",
    "RMSprop",
    "Remembering",
    "Restoring",
    "Rules",
    "SceneJudge",
    "Segmenter",
    "StagedTextGAN",
    "SuperResolution",
    "System",
    "Translating",
    "UnpairedTranslation",
]
