"""Frozen pre-trained networks behind one contract: input range, named layers, where the weights come from."""

from freqgan.features.base import FeatureNetwork
from freqgan.features.efficientnet_lite0 import EfficientNetLite0
from freqgan.features.inception import InceptionV3FID

__all__ = ["EfficientNetLite0", "FeatureNetwork", "InceptionV3FID"]
