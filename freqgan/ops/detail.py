"""Where in an image there is most to see."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def most_detailed(image: Float[Tensor, "c h w"], height: int, width: int) -> tuple[int, int]:
    """Top and left of the part of this size in which neighbouring pixels differ most, on average over channels.

    Args:
        image: at least as large as the part.
        height: of the part.
        width: of the part.

    >>> most_detailed(Tensor([[[5.0, 5.0, 5.0, 9.0, 2.0, 9.0, 9.0]]]), 1, 3)
    (0, 2)
    """
    grey = image.float().mean(0, keepdim=True)
    steps = F.pad(grey.diff(dim=-1).abs(), (0, 1)) + F.pad(grey.diff(dim=-2).abs(), (0, 0, 0, 1))
    detail = F.avg_pool2d(steps, (height, width), stride=1)
    index = int(detail.argmax())
    return index // detail.shape[-1], index % detail.shape[-1]
