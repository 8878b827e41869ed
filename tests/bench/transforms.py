"""Each transform's speed: against pytorch-wavelets as its users call it, and over a copy of the image.

Shapes are those of a GAN's batch. The library runs in its own fast path: its modules, mode "periodization".
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from freqgan.transforms import DCT, BlockDCT, Fourier, Transform, WaveletTransform
from freqgan.transforms.pytorch_wavelets_backend import library as load_library
from tests.bench.timing import median_ratio, times

Row = tuple[str, float, str]

SHAPES = ((64, 3, 64, 64), (16, 3, 128, 128))
GOALS = {
    "Haar forward": 2.5,
    "Haar inverse": 10.0,
    "Haar forward+backward": 6.0,
    "CDF 9/7 forward": 3.0,
    "CDF 9/7 inverse": 6.0,
    "CDF 9/7 forward+backward": 4.0,
}


def rows(rounds: int = 30) -> list[Row]:
    """Name, ratio and goal: speed over pytorch-wavelets', then how many image copies each one costs."""
    return [row for shape in SHAPES for row in _rows(shape, rounds)]


def _rows(shape: tuple[int, ...], rounds: int) -> Iterable[Row]:
    image = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    target = torch.empty_like(image)
    transforms: dict[str, Transform] = {
        "Haar": WaveletTransform("haar"),
        "CDF 9/7": WaveletTransform("bior4.4", mode="reflect"),
        "db2": WaveletTransform("db2"),
        "block DCT": BlockDCT(),
        "DCT": DCT(),
        "Fourier": Fourier(),
    }
    native = {
        f"{name} {way}": run for name, transform in transforms.items() for way, run in _native(transform, image).items()
    }
    library = {
        f"pytorch-wavelets {name} {way}": run
        for name, wavelet in (("Haar", "haar"), ("CDF 9/7", "bior4.4"))
        for way, run in _library(wavelet, image).items()
    }
    seconds = times({"copy": lambda: target.copy_(image)} | native | library, rounds)
    size = "×".join(map(str, shape))
    for name, goal in GOALS.items():
        ratio = median_ratio(seconds[f"pytorch-wavelets {name}"], seconds[name])
        yield f"{name} {size}: pytorch-wavelets / native", ratio, f">= {goal}"
    for name in native:
        yield f"{name} {size}: native / copy_", median_ratio(seconds[name], seconds["copy"]), ""


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
    analysis = load_library().DWTForward(J=1, wave=wavelet, mode="periodization")
    synthesis = load_library().DWTInverse(wave=wavelet, mode="periodization")
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
