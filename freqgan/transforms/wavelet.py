"""The discrete wavelet transform of images over several levels."""

import difflib
from typing import Literal, final, get_args

import pywt
from torch import Tensor

from freqgan.errors import UserError
from freqgan.ops.haar import haar, inverse_haar
from freqgan.ops.lifting import LIFTINGS
from freqgan.ops.wavelet import Mode, condition_number, dwt, inverse_dwt
from freqgan.transforms import pytorch_wavelets_backend
from freqgan.transforms.base import multiple_above, show_size
from freqgan.transforms.pyramid import Pyramid, Shape, Size

Backend = Literal["native", "pytorch_wavelets"]

_HAAR = {"haar", "db1", "bior1.1", "rbio1.1"}
# At odd sides some filters' inverses are unstable; beyond this, each level would cost float32 two digits.
_LARGEST_CONDITION = 10


@final
class WaveletTransform(Pyramid):
    """Critically sampled wavelet bands `LLK, HLK, LHK, HHK, …, HL1, LH1, HH1`, level 1 the finest.

    HL is PyWavelets' cV (low along the height, high along the width: vertical edges), LH its cH, HH its cD;
    values, signs and phase are PyWavelets' too. A level has two frequency classes, LL and the three high bands.
    A side n gives ⌈n/2⌉ low and ⌊n/2⌋ high coefficients.

    Args:
        wavelet: any discrete PyWavelets filter.
        levels: K, how often the low band is split again.
        mode: what lies beyond the border. "periodization" wraps round, as PyWavelets' mode of that name;
            "reflect" mirrors, without a seam between opposite borders, for bior2.2 (CDF 5/3) and bior4.4 (CDF 9/7).
        backend: "native", or "pytorch_wavelets": the same bands from that library, for comparison;
            periodization of even sides not shorter than the filter only, where its results are right.

    Raises:
        UserError: for an unknown wavelet, mode or backend, or a combination that is not exactly invertible.
    """

    def __init__(
        self,
        wavelet: str = "haar",
        levels: int = 1,
        *,
        mode: Mode = "periodization",
        backend: Backend = "native",
    ) -> None:
        _check(wavelet, levels, mode, backend)
        super().__init__({"LL": 0, "HL": 1, "LH": 1, "HH": 1}, levels)
        self.wavelet, self.mode, self.backend = wavelet, mode, backend

    def extra_repr(self) -> str:
        """The constructor's arguments, for `print(transform)`."""
        return f"{self.wavelet!r}, levels={self.levels}, mode={self.mode!r}, backend={self.backend!r}"

    def _of_one_level(self) -> "WaveletTransform":
        return WaveletTransform(self.wavelet, mode=self.mode, backend=self.backend)

    def _shapes(self, shape: Shape, level: int) -> tuple[Shape, ...]:
        channels, height, width = shape
        if level == 1:  # the image's own shape, whose sides at every level follow
            self._check_filter(height, width)
        h, w = height // 2, width // 2
        rows, columns = height - h, width - w
        return (channels, rows, columns), (channels, rows, w), (channels, h, columns), (channels, h, w)

    def _split(self, image: Tensor) -> tuple[Tensor, ...]:
        if self.backend == "pytorch_wavelets":
            return pytorch_wavelets_backend.dwt(image, self.wavelet)
        return haar(image) if self.wavelet in _HAAR else dwt(image, self.wavelet, self.mode)

    def _joined_size(self, low: Size, *high: Tensor) -> Size:
        hl, lh, _ = high
        return low[0] + lh.shape[-2], low[1] + hl.shape[-1]

    def _join(self, low: Tensor, *high: Tensor) -> Tensor:
        hl, lh, hh = high
        if self.backend == "pytorch_wavelets":
            return pytorch_wavelets_backend.inverse_dwt(low, hl, lh, hh, self.wavelet)
        if self.wavelet in _HAAR:
            return inverse_haar(low, hl, lh, hh)
        return inverse_dwt(low, hl, lh, hh, self.wavelet, self.mode)

    def _check_filter(self, height: int, width: int) -> None:
        step, size = 2**self.levels, show_size(height, width)
        larger = f"set data.image_size={multiple_above(step, height, width)}"
        if self.backend == "pytorch_wavelets" and (height % step or width % step):
            fits = min(_halvings(height), _halvings(width))
            fewer = f"transform.levels={fits}" if fits else "transform.backend=native"
            wanted = f"transform.levels={self.levels} needs image_size divisible by {step}"
            raise UserError(f"{wanted}, got {size}: {larger} or {fewer}")
        for side in (height, width):
            for level in range(1, self.levels + 1):
                self._check_side(side, f"{side} at level {level} of image_size {size}", larger)
                side -= side // 2

    def _check_side(self, side: int, got: str, larger: str) -> None:
        if self.backend == "pytorch_wavelets":
            length = pywt.Wavelet(self.wavelet).dec_len
            if side < length:
                raise UserError(
                    f"transform.backend=pytorch_wavelets needs sides of at least {length} to invert "
                    f"transform.wavelet={self.wavelet}, got {got}: set transform.backend=native"
                )
        elif side % 2 and condition_number(self.wavelet, self.mode, side) > _LARGEST_CONDITION:
            raise UserError(
                f"transform.wavelet={self.wavelet} needs even sides to be inverted accurately, got {got}: "
                f"{larger} or transform.wavelet=sym4"
            )


def _halvings(side: int) -> int:
    return (side & -side).bit_length() - 1


def _check(wavelet: str, levels: int, mode: str, backend: str) -> None:
    known = pywt.wavelist(kind="discrete")
    problems: list[str] = []
    if wavelet not in known:
        near = difflib.get_close_matches(wavelet, known, n=3) or ["haar", "db2", "bior4.4"]
        problems.append(f"transform.wavelet={wavelet} is no discrete wavelet: did you mean {', '.join(near)}?")
    if levels < 1:
        problems.append(f"transform.levels={levels} splits nothing: set at least 1, or transform=identity")
    for name, value, choices in (("mode", mode, get_args(Mode)), ("backend", backend, get_args(Backend))):
        if value not in choices:
            problems.append(f"transform.{name}={value} is not known: set transform.{name}={' or '.join(choices)}")
    exact = mode == "periodization" or (wavelet in LIFTINGS and backend == "native")
    if not problems and not exact:
        problems.append(
            f"transform.mode={mode} is exact for {' and '.join(LIFTINGS)} with transform.backend=native, got "
            f"transform.wavelet={wavelet}, transform.backend={backend}: set transform.mode=periodization"
        )
    if problems:
        raise UserError(*problems)
