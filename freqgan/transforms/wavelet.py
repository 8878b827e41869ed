"""The discrete wavelet transform of images over several levels."""

import difflib
from collections.abc import Mapping
from typing import Literal, final, get_args

import pywt
from torch import Tensor

from freqgan.errors import UserError
from freqgan.ops.haar import FourBands, haar, inverse_haar
from freqgan.ops.lifting import LIFTINGS
from freqgan.ops.wavelet import Mode, condition_number, dwt, inverse_dwt
from freqgan.transforms import pytorch_wavelets_backend
from freqgan.transforms.base import Band, Transform

Backend = Literal["native", "pytorch_wavelets"]

_HAAR = {"haar", "db1", "bior1.1", "rbio1.1"}
# At odd sides some filters' inverses are unstable; beyond this, each level would cost float32 two digits.
_LARGEST_CONDITION = 10


@final
class WaveletTransform(Transform):
    """Critically sampled wavelet bands `LLK, HLK, LHK, HHK, …, HL1, LH1, HH1`, level 1 the finest.

    HL is PyWavelets' cV (low along the height, high along the width: vertical edges), LH its cH, HH its cD;
    values, signs and phase are PyWavelets' too. The frequency classes are LL, then the high bands level by
    level. A side n gives ⌈n/2⌉ low and ⌊n/2⌋ high coefficients.

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
        high = (f"{kind}{level}" for level in range(levels, 0, -1) for kind in ("HL", "LH", "HH"))
        super().__init__((f"LL{levels}", *high))
        _check(wavelet, levels, mode, backend)
        self.wavelet, self.levels, self.mode, self.backend = wavelet, levels, mode, backend

    def extra_repr(self) -> str:
        """The constructor's arguments, for `print(transform)`."""
        return f"{self.wavelet!r}, levels={self.levels}, mode={self.mode!r}, backend={self.backend!r}"

    def _layout(self, channels: int, height: int, width: int) -> tuple[Band, ...]:
        self._check_sides(height, width)
        bands: tuple[Band, ...] = ()
        for level in range(1, self.levels + 1):
            frequency_class = self.levels - level + 1
            h, w = height // 2, width // 2
            height, width = height - h, width - w
            bands = (
                Band(f"HL{level}", level, frequency_class, (channels, height, w)),
                Band(f"LH{level}", level, frequency_class, (channels, h, width)),
                Band(f"HH{level}", level, frequency_class, (channels, h, w)),
                *bands,
            )
        return (Band(f"LL{self.levels}", self.levels, 0, (channels, height, width)), *bands)

    def _split(self, image: Tensor) -> FourBands:
        if self.backend == "pytorch_wavelets":
            return pytorch_wavelets_backend.dwt(image, self.wavelet)
        return haar(image) if self.wavelet in _HAAR else dwt(image, self.wavelet, self.mode)

    def _merge(self, ll: Tensor, hl: Tensor, lh: Tensor, hh: Tensor) -> Tensor:
        if self.backend == "pytorch_wavelets":
            return pytorch_wavelets_backend.inverse_dwt(ll, hl, lh, hh, self.wavelet)
        if self.wavelet in _HAAR:
            return inverse_haar(ll, hl, lh, hh)
        return inverse_dwt(ll, hl, lh, hh, self.wavelet, self.mode)

    def _analyse(self, image: Tensor) -> dict[str, Tensor]:
        bands: dict[str, Tensor] = {}
        for level in range(1, self.levels + 1):
            image, *high = self._split(image)
            bands = dict(zip((f"HL{level}", f"LH{level}", f"HH{level}"), high, strict=True)) | bands
        return {f"LL{self.levels}": image} | bands

    def _image_shape(self, bands: Mapping[str, Tensor]) -> tuple[int, int, int]:
        _, channels, height, width = bands[f"LL{self.levels}"].shape
        for level in range(1, self.levels + 1):
            height += bands[f"LH{level}"].shape[-2]
            width += bands[f"HL{level}"].shape[-1]
        return channels, height, width

    def _synthesise(self, bands: Mapping[str, Tensor]) -> Tensor:
        image = bands[f"LL{self.levels}"]
        for level in range(self.levels, 0, -1):
            image = self._merge(image, *(bands[f"{kind}{level}"] for kind in ("HL", "LH", "HH")))
        return image

    def _check_sides(self, height: int, width: int) -> None:
        step = 2**self.levels
        size = f"{height}" if height == width else f"[{height},{width}]"
        larger = f"set data.image_size={-(-max(height, width) // step) * step}"
        if self.backend == "pytorch_wavelets" and (height % step or width % step):
            fits = min(_halvings(height), _halvings(width))
            fewer = f"transform.levels={fits}" if fits else "transform.backend=native"
            wanted = f"transform.levels={self.levels} needs image_size divisible by {step}"
            raise UserError(f"{wanted}, got {size}: {larger} or {fewer}")
        if min(height, width) <= step // 2:
            fits = (min(height, width) - 1).bit_length()
            fewer = f" or transform.levels={fits}" if fits else ""
            wanted = f"transform.levels={self.levels} needs image_size of at least {step // 2 + 1}"
            raise UserError(f"{wanted}, got {size}: {larger}{fewer}")
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
