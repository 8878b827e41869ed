"""AlexNet and VGG16 as LPIPS reads them: torchvision's weights, five layers.

Reference: Krizhevsky, "One Weird Trick for Parallelizing Convolutional Neural Networks", 2014; Simonyan and Zisserman,
"Very Deep Convolutional Networks for Large-Scale Image Recognition", 2014, configuration D; the layers are those of
Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", 2018.
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Literal, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from freqgan.features.base import FeatureNetwork
from freqgan.features.released import ReleasedFile

# Where each layer ends among the modules of torchvision's `features`: after an activation.
_ENDS = {"alex": (2, 5, 8, 10, 12), "vgg": (4, 9, 16, 23, 30)}
_WIDTHS = {"alex": 256, "vgg": 512}
# Of ImageNet's colours in [-1, 1], rounded as the authors of LPIPS did.
_MEAN, _DEVIATION = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)


@final
class LPIPSBackbone(FeatureNetwork):
    """The five layers that LPIPS compares, `relu1` to `relu5`, at the images' own size, and the last one's averages.

    Args:
        net: `alex` for AlexNet, `vgg` for VGG16.
    """

    layers = (*(f"relu{i}" for i in range(1, 6)), "pool")
    cpu_tile = 1

    def __init__(self, net: Literal["alex", "vgg"]) -> None:
        super().__init__()
        self.net = net
        self.name, self.dim = f"lpips_{net}", _WIDTHS[net]

    def read_weights(self) -> dict[str, Tensor]:
        """Those of the convolutions, out of the released file in torch.hub's cache or downloaded into it."""
        weights = released_file(self.net).load()
        prefix = "features."
        return {name.removeprefix(prefix): w for name, w in weights.items() if name.startswith(prefix)}

    def build(self, weights: Mapping[str, Tensor]) -> nn.Sequential:
        """The published graph up to the last activation, and an average."""
        from torchvision import models

        with torch.device("meta"):  # no initial values: they would be drawn from the global generator
            published = (models.alexnet if self.net == "alex" else models.vgg16)(weights=None).features
        ends = _ENDS[self.net]
        convolutions = published[: ends[-1]]
        released_file(self.net).fill(convolutions, weights)
        parts: OrderedDict[str, nn.Module] = OrderedDict()
        for number, (start, end) in enumerate(zip((0, *ends), ends, strict=False), start=1):
            parts[f"relu{number}"] = convolutions[start:end]
        parts["pool"] = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        return nn.Sequential(parts)

    def prepare(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
        """Colours in [-1, 1] less a mean, over a deviation, at the images' own size."""
        mean, deviation = (images.new_tensor(values).view(3, 1, 1) for values in (_MEAN, _DEVIATION))
        return (images - mean) / deviation


def released_file(net: Literal["alex", "vgg"]) -> ReleasedFile:
    """The weights that torchvision released."""
    from torchvision.models import AlexNet_Weights, VGG16_Weights

    published = AlexNet_Weights.IMAGENET1K_V1 if net == "alex" else VGG16_Weights.IMAGENET1K_V1
    name, megabytes = ("AlexNet", 244) if net == "alex" else ("VGG16", 553)
    otherwise = (
        "set metrics.lpips=null: metrics=restoration has a perceptual distance in efficientnet_lite0 too, "
        "which a package carries"
    )
    return ReleasedFile(name=f"the {name} of LPIPS", url=published.url, megabytes=megabytes, otherwise=otherwise)
