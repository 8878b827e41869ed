"""VGG19: the features of perceptual and style losses, with torchvision's weights.

Reference: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", 2014,
configuration E. The weights are `IMAGENET1K_V1` of torchvision: 575 MB, most of it the classifier, which is not kept.
Departure: images are not resized to 224 px, and the fifth pooling and the classifier give way to an average.
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from freqgan.errors import UserError
from freqgan.features.base import FeatureNetwork
from freqgan.features.released import ReleasedFile

# Width and number of the convolutions at each scale.
_STAGES = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))
# Of ImageNet's colours in [0, 1].
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@final
class VGG19(FeatureNetwork):
    """The maps of VGG19 after each activation, and 512 features: the averages of the last, `relu5_4`.

    `relu<s>_<n>` is convolution n at scale s with its activation. It exists for images of at least 2^(s − 1) px a
    side, the features for 16 px, and sizes that two does not divide lose a row or column at each pooling.
    """

    name = "vgg19"
    dim = 512
    layers = (*(f"relu{s}_{n}" for s, (_, count) in enumerate(_STAGES, 1) for n in range(1, count + 1)), "pool")
    activations = layers[:-1]
    cpu_tile = 8

    def read_weights(self) -> dict[str, Tensor]:
        """Those of the convolutions, out of the released file in torch.hub's cache or downloaded into it."""
        weights = released_file().load()
        return {name: weight for name, weight in weights.items() if name.startswith("features.")}

    def build(self, weights: Mapping[str, Tensor]) -> nn.Sequential:
        """Sixteen convolutions with their activations, four poolings between them and an average."""
        parts: OrderedDict[str, nn.Module] = OrderedDict()
        channels = 3
        with torch.device("meta"):  # no initial values: they would be drawn from the global generator
            for stage, (width, count) in enumerate(_STAGES, start=1):
                if stage > 1:
                    parts[f"halve{stage - 1}"] = _Halving(stage)
                for number in range(1, count + 1):
                    parts[f"conv{stage}_{number}"] = nn.Conv2d(channels, width, 3, padding=1)
                    parts[f"relu{stage}_{number}"] = nn.ReLU(inplace=True)
                    channels = width
        # The file numbers the layers from the first on.
        numbered = {name.removeprefix("features."): weight for name, weight in weights.items()}
        released_file().fill(nn.Sequential(*parts.values()), numbered)
        parts["pool"] = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        return nn.Sequential(parts)

    def prepare(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
        """Colours in [0, 1] less ImageNet's mean, over its deviation, at the images' own size."""
        mean, deviation = (images.new_tensor(values).view(3, 1, 1) for values in (_MEAN, _DEVIATION))
        return ((images + 1) / 2 - mean) / deviation


class _Halving(nn.Module):
    """The greatest of each 2×2 block.

    Args:
        stage: that comes after it.
    """

    def __init__(self, stage: int) -> None:
        super().__init__()
        self.stage = stage

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h2 w2"]:
        if min(x.shape[-2:]) < 2:
            wanted = 2 ** (self.stage - 1)
            raise UserError(
                f"vgg19 has relu{self.stage}_1 and later layers for images of at least {wanted} px a side, got smaller "
                f"ones: set data.image_size={wanted} or choose earlier layers"
            )
        return F.max_pool2d(x, 2)


def released_file() -> ReleasedFile:
    """The weights that torchvision released."""
    from torchvision.models import VGG19_Weights

    otherwise = (
        "choose efficientnet_lite0, which a package carries, where vgg19 is chosen now: "
        "its _target_ is freqgan.features.EfficientNetLite0"
    )
    url = VGG19_Weights.IMAGENET1K_V1.url
    return ReleasedFile(name="the VGG19 of torchvision", url=url, megabytes=575, otherwise=otherwise)
