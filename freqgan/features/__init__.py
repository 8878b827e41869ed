"""Frozen pre-trained networks behind one contract: input range, named layers, where the weights come from."""

from freqgan.features.base import FeatureNetwork
from freqgan.features.clip import CLIP
from freqgan.features.efficientnet_lite0 import EfficientNetLite0
from freqgan.features.inception import InceptionV3FID
from freqgan.features.lpips_backbone import LPIPSBackbone
from freqgan.features.vgg19 import VGG19

__all__ = ["CLIP", "VGG19", "EfficientNetLite0", "FeatureNetwork", "InceptionV3FID", "LPIPSBackbone"]
