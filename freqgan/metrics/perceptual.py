"""How far an image looks from its original, by the features of networks that were trained on ImageNet.

Reference: Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", 2018. LPIPS weighs
channels as people judged; its networks have to be downloaded. `perceptual_distance` weighs them alike, as the paper's
baselines do, and its network comes in a package.
"""

from importlib.resources import files
from pathlib import Path
from typing import Literal, final

import torch
from jaxtyping import Float
from torch import Tensor

from freqgan.errors import UserError
from freqgan.features import EfficientNetLite0, LPIPSBackbone

LAYERS = ("stem", "stage2", "stage3", "stage5", "stage7")  # the last one at each scale
_EPS = 1e-10


def perceptual_distance(
    image: Float[Tensor, "1 c h w"], original: Float[Tensor, "1 c h w"], features: EfficientNetLite0
) -> Float[Tensor, ""]:
    """Mean over five layers, one at each scale, of the `feature_distance` in EfficientNet-Lite0; 0 for equal images.

    The network sees pieces at its own size, 224 px unless chosen otherwise, so that no detail is lost by resizing: as
    many squares as fit side by side, centred. Where the shorter side is less, the squares are of that side.

    Args:
        image: in [-1, 1], 1 or 3 channels.
        original: the same.
        features: the network.
    """
    both = features.extract(torch.cat([squares(x, features.image_size) for x in (image, original)]), LAYERS)
    return torch.stack([feature_distance(*both[layer].chunk(2)).mean() for layer in LAYERS]).mean()


def feature_distance(
    a: Float[Tensor, "b c h w"], b: Float[Tensor, "b c h w"], weights: Float[Tensor, "c 1 1"] | None = None
) -> Float[Tensor, "b"]:
    """Squared distance of two layers whose vectors at each place have length 1, averaged over places (eq. 1).

    Args:
        a: a layer's output.
        b: the same of another image.
        weights: of the channels; None for 1 each.

    >>> x, y = torch.tensor([3.0, 0.0]).view(1, 2, 1, 1), torch.tensor([0.0, 7.0]).view(1, 2, 1, 1)
    >>> feature_distance(x, y).item(), feature_distance(x, y, torch.tensor([0.25, 0.5]).view(2, 1, 1)).item()
    (2.0, 0.75)
    """
    squared = (_of_length_one(a) - _of_length_one(b)).square()
    distance: Tensor = (squared if weights is None else squared * weights).sum(1).mean((1, 2))
    return distance


def squares(image: Float[Tensor, "1 c h w"], side: int) -> Float[Tensor, "n c s s"]:
    """As many squares of `side` pixels, or of the shorter side if that is less, as fit side by side, centred.

    >>> squares(torch.arange(7.0).expand(1, 1, 3, 7), 3)[:, 0, 0].tolist()
    [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    """
    side = min(side, *image.shape[-2:])
    for axis in (2, 3):
        whole = image.shape[axis] // side * side
        image = image.narrow(axis, (image.shape[axis] - whole) // 2, whole)
    pieces = image.unfold(2, side, side).unfold(3, side, side)  # (1, c, rows, columns, side, side)
    return pieces.squeeze(0).permute(1, 2, 0, 3, 4).flatten(0, 1)


def _of_length_one(features: Tensor) -> Tensor:
    return features / (features.square().sum(1, keepdim=True).sqrt() + _EPS)


@final
class LPIPS:
    """Learned perceptual image patch similarity, version 0.1: lower is nearer.

    The weights of the channels come with torchmetrics, those of the networks from torchvision.

    Args:
        net: AlexNet, the authors' choice for measuring, or VGG16.
    """

    least_side = 32  # pixels of an image that reach the last layer

    def __init__(self, net: Literal["alex", "vgg"] = "alex") -> None:
        self.backbone = LPIPSBackbone(net)
        self.name = f"lpips_{net}"
        self.net = net
        self._weights: list[Tensor] | None = None

    def __call__(self, image: Float[Tensor, "b c h w"], original: Float[Tensor, "b c h w"]) -> Float[Tensor, "b"]:
        """The distance of each image in [-1, 1] from its original.

        Raises:
            UserError: weights cannot be had.
        """
        layers = self.backbone.layers[:-1]
        a, b = (self.backbone.extract(x, layers) for x in (image, original))
        weights = self._linear()
        distances = [
            feature_distance(a[layer], b[layer], w.to(a[layer].device))
            for layer, w in zip(layers, weights, strict=True)
        ]
        return torch.stack(distances).sum(0)

    def _linear(self) -> list[Tensor]:
        """The trained weights of the channels of each layer, (c, 1, 1)."""
        if self._weights is None:
            file = Path(str(files("torchmetrics"))) / "functional" / "image" / "lpips_models" / f"{self.net}.pth"
            if not file.exists():
                raise UserError(
                    f"metrics.lpips={self.net} needs {file}, which torchmetrics carries: pip install "
                    "--force-reinstall torchmetrics, or set metrics.lpips=null"
                )
            trained: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
            self._weights = [trained[f"lin{i}.model.1.weight"][0] for i in range(len(self.backbone.layers) - 1)]
        return self._weights
