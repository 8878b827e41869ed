"""One picture out of a file, as a batch."""

from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from freqgan.data.decode import decode
from freqgan.data.pixels import as_tensor, square_pixels
from freqgan.data.ranges import to_signed_range


def read_image(path: str | Path, *, image_size: int, channels: int) -> Float[Tensor, "1 c h w"]:
    """The picture's centre square in [-1, 1].

    Args:
        path: of the file.
        image_size: side of the result.
        channels: 1 or 3.

    Raises:
        UserError: the file is no image.
    """
    pixels = square_pixels(decode(Path(path).expanduser()), image_size=image_size, channels=channels)
    return to_signed_range(as_tensor(pixels))[None]
