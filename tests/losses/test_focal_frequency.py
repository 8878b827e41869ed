"""The loss against its definition written as loops, hand values, and the same on several processes."""

import cmath
import math
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from freqgan.errors import UserError
from freqgan.losses import FocalFrequencyLoss, focal_frequency
from freqgan.ops.global_batch import rank, world_size
from tests.forked import on_ranks

# gloo's threads start only in the forked processes.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


def draw(seed: int, *shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def transform(patch: Tensor) -> list[list[complex]]:
    """Orthonormal discrete Fourier transform of one channel of one patch, by its sum."""
    height, width = patch.shape

    def coefficient(u: int, v: int) -> complex:
        waves = (
            float(patch[y, x]) * cmath.exp(-2j * math.pi * (u * y / height + v * x / width))
            for y, x in product(range(height), range(width))
        )
        return sum(waves) / math.sqrt(height * width)

    return [[coefficient(u, v) for v in range(width)] for u in range(height)]


def spectra(images: Tensor, factor: int, average: str) -> list[Tensor]:
    """Of every image, or their mean; each (channels · patches, h, w)."""
    height, width = images.shape[2] // factor, images.shape[3] // factor
    patches = [
        [
            transform(channel[height * i : height * (i + 1), width * j : width * (j + 1)])
            for channel in image
            for i, j in product(range(factor), range(factor))
        ]
        for image in images
    ]
    each = [torch.tensor(image, dtype=torch.complex128) for image in patches]
    if average == "none":
        return each
    return [sum(x.abs() if average == "magnitude" else x for x in each) / len(each)]  # type: ignore[list-item]


def reference(fake: Tensor, real: Tensor, **options: Any) -> float:
    """Mean of w·d over images, channels, patches and frequencies."""
    alpha, factor = options.get("alpha", 1.0), options.get("patch_factor", 1)
    average = options.get("average_spectrum", "none")
    pairs = zip(spectra(fake, factor, average), spectra(real, factor, average), strict=True)
    differences = [(b - a).abs() for a, b in pairs]
    weights = [d**alpha for d in differences]
    if options.get("log_matrix"):
        weights = [torch.log(w + 1) for w in weights]
    top = max(float(w.max()) for w in weights)
    products = []
    for w, d in zip(weights, differences, strict=True):
        for part, of_part in zip(w, d, strict=True):
            largest = top if options.get("batch_matrix") else float(part.max())
            products.append(part / largest * of_part**2)
    return float(torch.stack(products).mean())


OPTIONS = [
    {},
    {"alpha": 0.0},
    {"alpha": 2.0},
    {"patch_factor": 2},
    {"log_matrix": True},
    {"batch_matrix": True},
    {"average_spectrum": "complex"},
    {"average_spectrum": "magnitude"},
    {"alpha": 0.5, "patch_factor": 2, "average_spectrum": "magnitude", "log_matrix": True, "batch_matrix": True},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_value_equals_the_definition(options: dict[str, Any]) -> None:
    fake, real = draw(0, 2, 2, 4, 6), draw(1, 2, 2, 4, 6)
    expected = reference(fake, real, **options)
    assert focal_frequency(fake, real, **options).item() == pytest.approx(expected, rel=1e-5)
    assert FocalFrequencyLoss(**options)(fake, real).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("size", "factor"), [((5, 3), 1), ((9, 3), 3), ((1, 1), 1)])
def test_odd_sizes(size: tuple[int, int], factor: int) -> None:
    fake, real = draw(0, 2, 1, *size), draw(1, 2, 1, *size)
    loss = focal_frequency(fake, real, patch_factor=factor)
    assert loss.item() == pytest.approx(reference(fake, real, patch_factor=factor), rel=1e-5)


def test_two_frequencies_by_hand() -> None:
    y, x = torch.meshgrid(torch.arange(4.0), torch.arange(4.0), indexing="ij")
    difference = 2 * torch.cos(math.pi * x) + torch.cos(math.pi * y)  # F(0, 2) = 8 and F(2, 0) = 4, all others 0
    real = draw(0, 1, 1, 4, 4)
    hand = {0.0: (8**2 + 4**2) / 16, 1.0: (8**2 + 4**2 / 2) / 16, 2.0: (8**2 + 4**2 / 4) / 16}
    for alpha, value in hand.items():
        assert focal_frequency(real + difference, real, alpha=alpha).item() == pytest.approx(value, rel=1e-5)


def test_without_weights_it_is_the_error_of_pixels() -> None:
    fake, real = draw(0, 3, 3, 8, 8), draw(1, 3, 3, 8, 8)
    torch.testing.assert_close(focal_frequency(fake, real, alpha=0.0), (fake - real).square().mean())


def test_gradient_leaves_the_weights_out() -> None:
    fake, real = draw(0, 2, 1, 4, 4).requires_grad_(), draw(1, 2, 1, 4, 4)
    focal_frequency(fake, real).backward()
    spectrum = torch.fft.fft2(fake.detach() - real, norm="ortho")
    weights = spectrum.abs() / spectrum.abs().amax((-2, -1), keepdim=True)
    # Of Σ w·|F x|² / n with fixed w: 2/n · Fᴴ w F x.
    expected = 2 / fake.numel() * torch.fft.ifft2(weights * spectrum, norm="ortho").real
    torch.testing.assert_close(fake.grad, expected)


@pytest.mark.parametrize("average", ["none", "complex", "magnitude"])
def test_equal_images_are_at_no_distance_and_have_no_gradient(average: Any) -> None:
    fake = draw(0, 2, 3, 8, 8).requires_grad_()
    loss = focal_frequency(fake, fake.detach(), average_spectrum=average)
    (gradient,) = torch.autograd.grad(loss, fake)
    assert loss == 0
    assert (gradient == 0).all()


def test_images_that_are_no_pairs() -> None:
    fake = draw(0, 4, 1, 8, 8)
    moved = torch.stack([image.roll((k, 2 * k), (1, 2)) for k, image in enumerate(fake)])
    paired, magnitude, mean_image = (
        focal_frequency(moved, fake, average_spectrum=average)  # type: ignore[arg-type]
        for average in ("none", "magnitude", "complex")
    )
    assert magnitude < 1e-10 < paired
    assert mean_image > 1e-3
    for average in ("magnitude", "complex"):
        assert focal_frequency(fake.flip(0), fake, average_spectrum=average) < 1e-10  # type: ignore[arg-type]


def test_bf16_is_transformed_in_float32_and_float64_stays() -> None:
    fake, real = draw(0, 2, 3, 8, 8).bfloat16(), draw(1, 2, 3, 8, 8).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(focal_frequency(fake, real), focal_frequency(fake.float(), real.float()))
    assert focal_frequency(fake.double(), real.double()).dtype == torch.float64


@pytest.mark.parametrize("options", OPTIONS[5:], ids=str)
def test_several_processes_are_one(options: dict[str, Any], tmp_path: Path) -> None:
    images = torch.stack([draw(0, 4, 2, 4, 4), draw(1, 4, 2, 4, 4)])

    def scenario() -> tuple[float, list[float]]:
        fake, real = (x.chunk(world_size())[rank()].clone() for x in images)
        fake.requires_grad_()
        loss = focal_frequency(fake, real, **options)
        loss.backward()
        assert fake.grad is not None
        return loss.item(), (fake.grad / world_size()).flatten().tolist()

    value, gradient = scenario()
    outcomes = on_ranks(2, tmp_path, scenario)
    assert sum(outcome[0] for outcome in outcomes) / 2 == pytest.approx(value, rel=1e-5)
    assert outcomes[0][1] + outcomes[1][1] == pytest.approx(gradient, abs=1e-7)


def test_a_patch_factor_that_does_not_divide() -> None:
    wanted = "patch_factor=4 of the focal frequency loss does not divide images of 12x18: set it to one of 1, 2, 3"
    with pytest.raises(UserError, match=wanted):
        focal_frequency(draw(0, 1, 1, 12, 18), draw(1, 1, 1, 12, 18), patch_factor=4)
