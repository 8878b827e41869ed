"""Encoders of images that are matched with captions: a vector of the whole image, and one of each of its regions."""

from abc import ABC, abstractmethod
from itertools import pairwise
from typing import NamedTuple, final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from freqgan.blocks import BatchNorm2d, HalvingConv2d, HalvingResidual
from freqgan.errors import UserError
from freqgan.features import FeatureNetwork
from freqgan.limits import Count
from freqgan.networks.halving import widths


class ImageFeatures(NamedTuple):
    """Vectors of images, of any length."""

    overall: Float[Tensor, "b d"]
    regions: Float[Tensor, "b d n"]


class ImageEncoder(nn.Module, ABC):
    """Images (b, k, h, w) in [-1, 1], of any size, to vectors in float32.

    Attributes:
        dim: length of the vectors.
    """

    dim: int

    @abstractmethod
    def forward(self, images: Float[Tensor, "b k h w"]) -> ImageFeatures:
        """The vectors; of images that are not of the size it sees, those of the enlarged or reduced ones."""

    @abstractmethod
    def identity(self) -> str:
        """What the vectors hang on beside the weights of the state; equal encoders have equal ones."""


@final
class ResidualImageEncoder(ImageEncoder):
    """A small ResNet (He et al. 2016) to be trained with its text encoder; it sees where a pixel is, as CoordConv does.

    A convolution halves the image, residual blocks halve it further while no side falls below `region_side`: this is
    the map of regions. One more block halves it again, and the mean over that map is the overall vector.

    Args:
        image_size: side that images are resized to, with antialiasing.
        dim: length of the vectors.
        in_channels: of the images.
        channels: width at half the image's size; it doubles at every halving.
        max_channels: cap of the width.
        region_side: regions along a side, at least; less than twice as many.

    Raises:
        UserError: more regions than half the image has pixels, or too few for an overall vector.
    """

    def __init__(
        self,
        *,
        image_size: int,
        dim: Count = 256,
        in_channels: Count = 3,
        channels: Count = 32,
        max_channels: Count = 256,
        region_side: Count = 8,
    ) -> None:
        super().__init__()
        if not 2 <= region_side <= image_size // 2:
            wanted = f"2 to {image_size // 2}, half of image_size={image_size}"
            raise UserError(f"model.encoders.image.region_side={region_side}: wanted {wanted}")
        self.image_size, self.dim, self.region_side = image_size, dim, region_side
        halved = (image_size // region_side).bit_length() - 1
        *inner, last = widths(halved + 1, channels=channels, max_channels=max_channels)
        self.stem = nn.Sequential(
            HalvingConv2d(in_channels + 2, channels, bias=False), BatchNorm2d(channels), nn.ReLU(inplace=True)
        )
        self.blocks = nn.Sequential(*(HalvingResidual(*sizes) for sizes in pairwise(inner)))
        self.to_regions = nn.Conv2d(inner[-1], dim, 1)
        self.last = HalvingResidual(inner[-1], last)
        self.to_overall = nn.Linear(last, dim)

    def forward(self, images: Float[Tensor, "b k h w"]) -> ImageFeatures:
        """The vectors."""
        size = (self.image_size, self.image_size)
        images = images.float()
        if images.shape[-2:] != size:
            images = F.interpolate(images, size, mode="bilinear", antialias=True)
        features = self.blocks(self.stem(_with_places(images)))
        overall = self.to_overall(self.last(features).mean((2, 3)))
        return ImageFeatures(overall.float(), self.to_regions(features).flatten(2).float())

    def identity(self) -> str:
        """The size of the images that it sees."""
        return f"residual {self.image_size} {self.region_side}"


@final
class PretrainedImageEncoder(ImageEncoder):
    """A frozen pre-trained network with two trained layers, as in DAMSM (Xu et al. 2018, §3.2).

    The network resizes images itself; it is no part of the state.

    Args:
        network: whose features are projected.
        dim: length of the vectors.
        region_layer: of the network, whose map is that of the regions.
        region_channels: of that map.

    Raises:
        UserError: the network has no such map.
    """

    def __init__(
        self, network: FeatureNetwork, *, dim: Count = 256, region_layer: str = "stage5", region_channels: Count = 112
    ) -> None:
        super().__init__()
        if region_layer not in network.layers[:-1]:
            there = ", ".join(network.layers[:-1])
            raise UserError(f"model.encoders.image.region_layer={region_layer}: choose from {there}")
        self.network, self.dim, self.region_layer = network, dim, region_layer
        self.to_regions = nn.Conv2d(region_channels, dim, 1, bias=False)
        self.to_overall = nn.Linear(network.dim, dim)
        for layer in (self.to_regions, self.to_overall):
            nn.init.uniform_(layer.weight, -0.1, 0.1)

    def forward(self, images: Float[Tensor, "b k h w"]) -> ImageFeatures:
        """The vectors."""
        whole = self.network.layers[-1]
        features = self.network.extract(images, (self.region_layer, whole))
        regions = features[self.region_layer]
        if regions.shape[1] != self.to_regions.in_channels:
            path = f"model.encoders.image.region_channels={self.to_regions.in_channels}"
            raise UserError(
                f"{path}: {self.region_layer} of {self.network.name} has {regions.shape[1]}, set it to that"
            )
        overall = self.to_overall(features[whole])
        return ImageFeatures(overall.float(), self.to_regions(regions).flatten(2).float())

    def identity(self) -> str:
        """The network with its weights, and the layer."""
        return f"pretrained {self.network.name} {self.network.weights_hash()} {self.region_layer}"


def _with_places(images: Float[Tensor, "b k h w"]) -> Float[Tensor, "b k+2 h w"]:
    """The images, and each pixel's row and column in [-1, 1] as two more channels."""
    b, _, h, w = images.shape
    y, x = (torch.linspace(-1, 1, side, device=images.device, dtype=images.dtype) for side in (h, w))
    places = torch.stack([y[:, None].expand(h, w), x.expand(h, w)]).expand(b, -1, -1, -1)
    return torch.cat([images, places], 1)
