"""Image pyramids as pix2pixHD makes them (Wang et al. 2018, §3.2): every level has half the height and width."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def halved(image: Float[Tensor, "b c H W"]) -> Float[Tensor, "b c h w"]:
    """Means of 3×3 pixels about every second one, odd sides rounded up; pixels beyond the border do not count.

    A pixel lies where a 3×3 convolution of stride 2 and padding 1 puts it.

    >>> halved(Tensor([[[[0, 3, 6, 9, 0]]]])).flatten().tolist()
    [1.5, 6.0, 4.5]
    """
    return F.avg_pool2d(image, 3, 2, 1, count_include_pad=False)


def pyramid(image: Float[Tensor, "b c h w"], levels: int) -> list[Float[Tensor, "b c _ _"]]:
    """The image, and what remains of it after 1 … levels - 1 halvings."""
    images = [image]
    while len(images) < levels:
        images.append(halved(images[-1]))
    return images
