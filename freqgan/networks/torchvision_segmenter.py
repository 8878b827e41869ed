"""Any of torchvision's segmentation networks, with its released weights or without."""

import inspect
from collections.abc import Callable
from typing import Any, Literal, final

from jaxtyping import Float
from torch import Tensor, nn

from freqgan.blocks import BatchNorm2d
from freqgan.errors import UserError
from freqgan.features.released import ReleasedFile
from freqgan.limits import Count
from freqgan.networks.segmentation import SegmentationNetwork
from freqgan.ops.global_batch import world_size
from freqgan.suggest import hint

Pretrained = Literal["whole", "backbone", "none"]
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's colours in [0, 1]


@final
class TorchvisionSegmenter(SegmentationNetwork):
    """`torchvision.models.segmentation`'s network of a name, for one's own classes; batch norms see the global batch.

    Args:
        num_classes: that are told apart.
        name: such as `deeplabv3_resnet50`.
        pretrained: begins with the released weights, but for layers that are of other classes there; with those of the
            backbone on ImageNet; or from nothing.
        in_channels: of the images, 1 or 3; grey counts as three equal channels.

    Raises:
        UserError: there is no such network, or it does not see such images.
    """

    def __init__(
        self, *, num_classes: Count, name: str, pretrained: Pretrained = "whole", in_channels: Count = 3
    ) -> None:
        super().__init__()
        if in_channels not in (1, 3):
            raise UserError(f"data.channels={in_channels}: {name} sees 1 or 3, choose model/network=small")
        self.num_classes, self.name, self.pretrained = num_classes, name, pretrained
        self.network: nn.Module = _builder(name)(weights=None, weights_backbone=None, num_classes=num_classes)
        _replace_norms(self.network)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b n h w"]:
        """The logits."""
        if self.training and len(images) * world_size() == 1:
            fix = "set data.batch_size to at least twice model.accumulate"
            raise UserError(f"{self.name} takes statistics of several images, got one: {fix}")
        mean, deviation = (images.new_tensor(values).view(3, 1, 1) for values in (_MEAN, _DEVIATION))
        logits: Tensor = self.network(((images.expand(-1, 3, -1, -1) + 1) / 2 - mean) / deviation)["out"]
        return logits.float()

    def take_pretrained(self) -> None:
        """Reads the released weights, out of torch.hub's cache or downloaded into it once."""
        if self.pretrained == "none":
            return
        file, own = released_file(self.name, self.pretrained), self.network.state_dict()
        weights = file.load()
        if self.pretrained == "backbone":  # mobile ones are the `features` of a network that has more
            weights = {f"backbone.{name.removeprefix('features.')}": value for name, value in weights.items()}
        taken = {name: x for name, x in weights.items() if name in own and x.shape == own[name].shape}
        if missing := [name for name in own if name not in taken and not self._begins_anew(name, own[name])]:
            raise UserError(f"{file.name} at {file.path} has no {missing[0]}, it is not the published one: delete it")
        self.network.load_state_dict(own | taken)

    def _begins_anew(self, name: str, weight: Tensor) -> bool:
        """Whether a weight is in no released file, since it is of our classes or behind the backbone."""
        of_classes = weight.shape[:1] == (self.num_classes,)
        return not name.startswith("backbone.") and (self.pretrained == "backbone" or of_classes)


def released_file(name: str, pretrained: Pretrained) -> ReleasedFile:
    """Weights that torchvision released for a network of this name, or for its backbone."""
    from torchvision.models import get_model_weights

    parameters = inspect.signature(_builder(name)).parameters
    whole = pretrained == "whole"
    weights: Any = get_model_weights(name).DEFAULT if whole else parameters["weights_backbone"].default
    return ReleasedFile(
        name=f"{name} of torchvision" if whole else f"the backbone of torchvision's {name}",
        url=weights.url,
        megabytes=round(weights.meta["_file_size"]),
        otherwise="choose model/network=small, or model.network.pretrained=none to begin from nothing",
    )


def _builder(name: str) -> Callable[..., nn.Module]:
    from torchvision.models import get_model_builder, list_models, segmentation

    if name not in (names := list_models(module=segmentation)):
        raise UserError(f"model.network.name={name} is no segmentation network of torchvision: {hint(name, names)}")
    builder: Callable[..., nn.Module] = get_model_builder(name)
    return builder


def _replace_norms(network: nn.Module) -> None:
    """Puts batch norms of the global batch in place of PyTorch's, which have no weights of value yet."""
    for name, child in network.named_children():
        if isinstance(child, nn.BatchNorm2d):
            norm = BatchNorm2d(child.num_features)
            norm.eps, norm.momentum = child.eps, child.momentum or norm.momentum
            setattr(network, name, norm)
        else:
            _replace_norms(child)
