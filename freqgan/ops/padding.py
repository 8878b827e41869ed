"""Images continued beyond their border."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def reflected(image: Float[Tensor, "b c h w"], height: int, width: int) -> Float[Tensor, "b c H W"]:
    """The image continued at its lower and right border by its reflection, as often as it takes.

    Args:
        image: of at most the wanted size.
        height: wanted.
        width: wanted.

    >>> reflected(Tensor([[[[1.0, 2.0, 3.0]]]]), 1, 8).flatten().tolist()
    [1.0, 2.0, 3.0, 2.0, 1.0, 2.0, 3.0, 2.0]
    """
    h, w = image.shape[-2:]
    if (h, w) == (height, width):
        return image
    single = [int(side == 1 < wanted) for side, wanted in ((w, width), (h, height))]  # which has nothing to reflect
    if any(single):
        return reflected(F.pad(image, (0, single[0], 0, single[1]), mode="replicate"), height, width)
    down, right = min(height - h, h - 1), min(width - w, w - 1)
    return reflected(F.pad(image, (0, right, 0, down), mode="reflect"), height, width)


def continued(image: Float[Tensor, "b c h w"], *, stride: int, least: int) -> Float[Tensor, "b c H W"]:
    """The image continued by reflection to sides that are multiples of a stride and not too short.

    >>> continued(Tensor(1, 1, 5, 9), stride=4, least=12).shape
    torch.Size([1, 1, 12, 12])
    """
    height, width = (-(-max(side, least) // stride) * stride for side in image.shape[-2:])
    return reflected(image, height, width)
