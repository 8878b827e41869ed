"""Bands without frequencies: a control for what a split into frequencies adds to any split at all."""

from typing import final

from torch import Tensor

from freqgan.errors import UserError
from freqgan.transforms.pyramid import Pyramid, Shape, Size


@final
class Polyphase(Pyramid):
    """The four images of every other pixel, `P00_K P01_K P10_K P11_K, …, P01_1 P10_1 P11_1`, level 1 the finest.

    Pij holds the rows that begin with row i and the columns that begin with column j; P00 is split again. The bands
    have the shapes of Haar's, and at one level each quartet of Haar's is an orthonormal mixture of theirs, but all four
    are images of all frequencies, aliased. Known as polyphase components, and as the lazy wavelet (Sweldens 1996, "The
    lifting scheme", §4). A side n gives ⌈n/2⌉ and ⌊n/2⌋ numbers. P00 counts as the low class, the others as the high.

    Args:
        levels: K, how often P00 is split again.

    Raises:
        UserError: for less than one level, or an image too small for them.
    """

    def __init__(self, levels: int = 1) -> None:
        if levels < 1:
            raise UserError(f"transform.levels={levels} splits nothing: set at least 1, or transform=identity")
        super().__init__({"P00": 0, "P01": 1, "P10": 1, "P11": 1}, levels, separator="_")

    def extra_repr(self) -> str:
        """The constructor's argument, for `print(transform)`."""
        return f"levels={self.levels}"

    def _of_one_level(self) -> "Polyphase":
        return Polyphase()

    def _shapes(self, shape: Shape, level: int) -> tuple[Shape, ...]:
        channels, height, width = shape
        h, w = height // 2, width // 2
        rows, columns = height - h, width - w
        return (channels, rows, columns), (channels, rows, w), (channels, h, columns), (channels, h, w)

    def _split(self, image: Tensor) -> tuple[Tensor, ...]:
        return tuple(image[..., i::2, j::2] for i in (0, 1) for j in (0, 1))

    def _joined_size(self, low: Size, *high: Tensor) -> Size:
        p01, p10, _ = high
        return low[0] + p10.shape[-2], low[1] + p01.shape[-1]

    def _join(self, low: Tensor, *high: Tensor) -> Tensor:
        image = low.new_empty((*low.shape[:-2], *self._joined_size((low.shape[-2], low.shape[-1]), *high)))
        for (i, j), band in zip(((0, 0), (0, 1), (1, 0), (1, 1)), (low, *high), strict=True):
            image[..., i::2, j::2] = band
        return image
