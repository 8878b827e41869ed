import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor

from freqgan.metrics.full_reference import gmsd, psnr, ssim
from freqgan.ops.color import studio_luminance


def _levels(*shape: int, seed: int = 0) -> Tensor:
    """Smooth areas with edges and noise: what makes variances of all sizes."""
    generator = torch.Generator().manual_seed(seed)
    waves = torch.linspace(0, 9, shape[-1]).sin() * 80 + 120
    noise = torch.randn(shape, generator=generator) * torch.linspace(0, 25, shape[-2])[:, None]
    return (waves + noise).clamp(0, 255).round()


IMAGE, ORIGINAL = _levels(2, 3, 37, 50), _levels(2, 3, 37, 50, seed=1)


def test_psnr_is_scikit_images() -> None:
    expected = [
        peak_signal_noise_ratio(o.numpy(), i.numpy(), data_range=255) for i, o in zip(IMAGE, ORIGINAL, strict=True)
    ]
    assert psnr(IMAGE, ORIGINAL).tolist() == pytest.approx(expected, rel=1e-9)


def test_psnr_by_hand() -> None:
    # One pixel of sixteen is off by 8: MSE 4, and 255² / 4 is 42.11 dB.
    image = torch.full((1, 1, 4, 4), 100.0)
    off = image.clone()
    off[..., 0, 0] += 8
    assert psnr(off, image).item() == pytest.approx(20 * math.log10(255 / 2))
    assert psnr(off, image).item() == pytest.approx(42.1102, abs=1e-4)


def test_psnr_of_equal_images_is_finite() -> None:
    assert psnr(IMAGE, IMAGE).tolist() == pytest.approx([100.0, 100.0])


def test_ssim_is_scikit_images() -> None:
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    expected = [
        structural_similarity(i.double().numpy(), o.double().numpy(), channel_axis=0, **settings)
        for i, o in zip(IMAGE, ORIGINAL, strict=True)
    ]
    assert ssim(IMAGE, ORIGINAL).tolist() == pytest.approx(expected, rel=1e-9)
    assert min(expected) > 0.1
    assert max(expected) < 0.9


def test_ssim_of_nearly_flat_areas_has_no_rounding_noise() -> None:
    # Around 200, squares are 40,000 and the variances 0.1: float32 is off by 1e-5 here.
    flat = torch.full((1, 1, 40, 40), 200.0)
    speckled = flat + (_levels(1, 1, 40, 40) > 120)
    expected = structural_similarity(
        *(x[0, 0].double().numpy() for x in (flat, speckled)),
        **{"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255},
    )
    assert ssim(flat, speckled).item() == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("measure", [psnr, ssim])
def test_batches_are_judged_one_by_one(measure: Callable[[Tensor, Tensor], Tensor]) -> None:
    alone = [measure(IMAGE[i : i + 1], ORIGINAL[i : i + 1]).item() for i in range(2)]
    assert measure(IMAGE, ORIGINAL).tolist() == pytest.approx(alone, rel=1e-12)


def test_images_smaller_than_the_window_have_no_ssim() -> None:
    with pytest.raises(ValueError, match="11 px a side or more"):
        ssim(IMAGE[..., :10], ORIGINAL[..., :10])


def test_luminance_is_scikit_images_and_matlabs() -> None:
    ours = studio_luminance(IMAGE.double())
    theirs = rgb2ycbcr((IMAGE.double() / 255).permute(0, 2, 3, 1).numpy())[..., 0]
    np.testing.assert_allclose(ours[:, 0].numpy(), theirs, rtol=0, atol=1e-10)
    ends = studio_luminance(torch.tensor([0.0, 255.0]).view(2, 1, 1, 1).expand(2, 3, 1, 1)).flatten().tolist()
    assert ends == pytest.approx([16.0, 235.0], abs=1e-4)


def _authors_gmsd(image: np.ndarray, original: np.ndarray) -> float:
    """The steps of the paper, pixel by pixel."""
    gradients = []
    for grey in (image, original):
        h, w = (side + side % 2 for side in grey.shape)
        even = np.zeros((h, w))
        even[: grey.shape[0], : grey.shape[1]] = grey
        half = (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4
        x = np.pad(half, 1)
        gradient = np.zeros_like(half)
        for r in range(half.shape[0]):
            for c in range(half.shape[1]):
                dx = (x[r : r + 3, c].sum() - x[r : r + 3, c + 2].sum()) / 3
                dy = (x[r, c : c + 3].sum() - x[r + 2, c : c + 3].sum()) / 3
                gradient[r, c] = math.hypot(dx, dy)
        gradients.append(gradient)
    a, b = gradients
    similarity = (2 * a * b + 170) / (a**2 + b**2 + 170)
    return float(np.sqrt(((similarity - similarity.mean()) ** 2).mean()))


@pytest.mark.parametrize("size", [(24, 30), (23, 31)])
def test_gmsd_is_the_papers(size: tuple[int, int]) -> None:
    image, original = _levels(1, 1, *size), _levels(1, 1, *size, seed=1)
    expected = _authors_gmsd(image[0, 0].double().numpy(), original[0, 0].double().numpy())
    assert expected > 0.02
    assert gmsd(image, original).item() == pytest.approx(expected, rel=1e-9)


def test_gmsd_by_hand() -> None:
    # Four averages, 0 0 / 30 30 against flat 0: with zeros around, dx is ±10 and dy ∓20 or 0 …
    original, image = torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4)
    image[..., 2:, :] = 30
    # … |∇|² is 10² + 20² above and 10² + 0² below, so the similarities are 170/670 and 170/270.
    similarities = [170 / 670, 170 / 270]
    assert gmsd(image, original).item() == pytest.approx((similarities[1] - similarities[0]) / 2)
