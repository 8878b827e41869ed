"""Each transform's speed: against pytorch-wavelets as its users call it, and over a copy of the image.

Shapes are those of a GAN's batch. The library runs in its own fast path: its modules, mode "periodization".
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from freqgan.transforms import DCT, BlockDCT, Fourier, Transform, WaveletTransform
from freqgan.transforms.pytorch_wavelets_backend import library
from tests.bench.timing import ratios

Row = tuple[str, float, str]

SHAPES = ((64, 3, 64, 64), (16, 3, 128, 128))
GOALS = {
    "Haar": {"forward": 2.5, "inverse": 10.0, "forward+backward": 6.0},
    "CDF 9/7": {"forward": 3.0, "inverse": 6.0, "forward+backward": 4.0},
}


def rows(rounds: int = 30) -> list[Row]:
    """Name, ratio and goal: speed over pytorch-wavelets', then how many image copies each one costs."""
    return [row for shape in SHAPES for row in (*_against_library(shape, rounds), *_over_copy(shape, rounds))]


def _against_library(shape: tuple[int, ...], rounds: int) -> Iterable[Row]:
    image = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    for name, wavelet, mode in (("Haar", "haar", "periodization"), ("CDF 9/7", "bior4.4", "reflect")):
        ours, theirs = _native(WaveletTransform(wavelet, mode=mode), image), _library(wavelet, image)
        for direction, goal in GOALS[name].items():
            pair = {"ours": ours[direction], "theirs": theirs[direction]}
            ratio = ratios(pair, "ours", rounds)["theirs"]
            yield f"{name} {direction} {_text(shape)}, pytorch-wavelets / native", ratio, f">= {goal}"


def _over_copy(shape: tuple[int, ...], rounds: int) -> Iterable[Row]:
    image = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    target = torch.empty_like(image)
    transforms: dict[str, Transform] = {
        "Haar": WaveletTransform("haar"),
        "db2": WaveletTransform("db2"),
        "CDF 9/7": WaveletTransform("bior4.4", mode="reflect"),
        "block DCT": BlockDCT(),
        "DCT": DCT(),
        "Fourier": Fourier(),
    }
    candidates: dict[str, Callable[[], object]] = {"copy": lambda: target.copy_(image)}
    for name, transform in transforms.items():
        for direction, run in _native(transform, image).items():
            candidates[f"{name} {direction}"] = run
    for name, ratio in ratios(candidates, "copy", rounds).items():
        if name != "copy":
            yield f"{name} {_text(shape)} / copy_", ratio, ""


def _native(transform: Transform, image: Tensor) -> dict[str, Callable[[], object]]:
    source = image.clone().requires_grad_()
    bands = transform(image)
    gradients = tuple(torch.randn_like(band) for band in bands.values())

    def forward() -> object:
        with torch.no_grad():
            return transform(image)

    def inverse() -> object:
        with torch.no_grad():
            return transform.inverse(bands)

    def forward_backward() -> object:
        return torch.autograd.grad(tuple(transform(source).values()), source, gradients)

    return {"forward": forward, "inverse": inverse, "forward+backward": forward_backward}


def _library(wavelet: str, image: Tensor) -> dict[str, Callable[[], object]]:
    analysis = library().DWTForward(J=1, wave=wavelet, mode="periodization")
    synthesis = library().DWTInverse(wave=wavelet, mode="periodization")
    source = image.clone().requires_grad_()
    low, (high,) = bands = analysis(image)
    gradients = torch.randn_like(low), torch.randn_like(high)

    def forward() -> object:
        with torch.no_grad():
            return analysis(image)

    def inverse() -> object:
        with torch.no_grad():
            return synthesis(bands)

    def forward_backward() -> object:
        low, (high,) = analysis(source)
        return torch.autograd.grad((low, high), source, gradients)

    return {"forward": forward, "inverse": inverse, "forward+backward": forward_backward}


def _text(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))
