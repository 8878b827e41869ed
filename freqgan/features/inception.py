"""The Inception v3 of the published Fréchet inception distance, ported from TensorFlow by torch-fidelity.

Reference: Heusel et al., "GANs Trained by a Two Time-Scale Update Rule", 2017; weights `inception-2015-12-05`
as released by torch-fidelity. They are 91 MB and come from GitHub once, into the cache of torch.hub.
"""

from collections import OrderedDict
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from freqgan.features.base import FeatureNetwork
from freqgan.features.released import ReleasedFile

_SIZE = 299


class InceptionV3FID(FeatureNetwork):
    """2,048 pooled features of FID's Inception v3 at 299 px, resized as TensorFlow 1 did: no antialiasing."""

    name = "inception"
    dim = 2048
    layers = ("MaxPool_1", "MaxPool_2", "Mixed_6e", "Mixed_7c", "AvgPool")
    frechet_name = "fid"

    def read_weights(self) -> dict[str, Tensor]:
        """The released file, out of torch.hub's cache or downloaded into it; its name's hash is verified."""
        return released_file().load()

    def build(self, weights: Mapping[str, Tensor]) -> nn.Sequential:
        """The published graph without its classifier."""
        from torch_fidelity import feature_extractor_inceptionv3 as published

        conv = published.BasicConv2d
        with torch.device("meta"):  # no initial values: they would be drawn from the global generator
            layers: OrderedDict[str, nn.Module] = OrderedDict(
                Conv2d_1a_3x3=conv(3, 32, kernel_size=3, stride=2),
                Conv2d_2a_3x3=conv(32, 32, kernel_size=3),
                Conv2d_2b_3x3=conv(32, 64, kernel_size=3, padding=1),
                MaxPool_1=nn.MaxPool2d(3, stride=2),
                Conv2d_3b_1x1=conv(64, 80, kernel_size=1),
                Conv2d_4a_3x3=conv(80, 192, kernel_size=3),
                MaxPool_2=nn.MaxPool2d(3, stride=2),
                Mixed_5b=published.InceptionA(192, pool_features=32),
                Mixed_5c=published.InceptionA(256, pool_features=64),
                Mixed_5d=published.InceptionA(288, pool_features=64),
                Mixed_6a=published.InceptionB(288),
                Mixed_6b=published.InceptionC(768, channels_7x7=128),
                Mixed_6c=published.InceptionC(768, channels_7x7=160),
                Mixed_6d=published.InceptionC(768, channels_7x7=160),
                Mixed_6e=published.InceptionC(768, channels_7x7=192),
                Mixed_7a=published.InceptionD(768),
                Mixed_7b=published.InceptionE_1(1280),
                Mixed_7c=published.InceptionE_2(2048),
                AvgPool=nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
            )
            network = nn.Sequential(layers)
        without_classifier = {name: w for name, w in weights.items() if not name.startswith("fc.")}
        released_file().fill(network, without_classifier)
        return network

    def prepare(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 s s"]:
        """(x − 128) / 128 for x in [0, 255], 299 × 299."""
        from torch_fidelity import interpolate_compat_tensorflow as tensorflow1

        resize = tensorflow1.interpolate_bilinear_2d_like_tensorflow1x
        resized: Tensor = resize((images + 1) * 127.5, size=(_SIZE, _SIZE), align_corners=False)
        return (resized - 128) / 128


def released_file() -> ReleasedFile:
    """The weights that torch-fidelity released."""
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3 as url

    otherwise = "choose metrics=generation, which uses efficientnet_lite0"
    return ReleasedFile(name="the Inception of FID", url=url, megabytes=91, otherwise=otherwise)
