import numpy as np
import pytest
import torch
from skimage.color import rgb2lab

from freqgan.ops.color import rgb_to_lab, rgb_to_ycbcr


def _of(red: float, green: float, blue: float) -> list[float]:
    return rgb_to_ycbcr(torch.tensor([red, green, blue], dtype=torch.float64).view(1, 3, 1, 1)).flatten().tolist()


@pytest.mark.parametrize(
    ("rgb", "expected"),
    [
        ((1, 1, 1), (1, 0, 0)),
        ((-1, -1, -1), (-1, 0, 0)),
        ((1, 0, 0), (0.299, -0.168736, 0.5)),  # the rounded matrix of JFIF 1.02
        ((0, 1, 0), (0.587, -0.331264, -0.418688)),
        ((0, 0, 1), (0.114, 0.5, -0.081312)),
        ((-1, -1, 1), (-0.772, 1, -0.162624)),
    ],
)
def test_the_published_matrix(rgb: tuple[float, ...], expected: tuple[float, ...]) -> None:
    assert _of(*rgb) == pytest.approx(expected, abs=1e-6)


def test_shape_and_gradient() -> None:
    image = torch.rand(2, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    assert rgb_to_ycbcr(image).shape == image.shape
    assert torch.autograd.gradcheck(rgb_to_ycbcr, image)


def test_other_than_three_channels_are_refused() -> None:
    with pytest.raises((ValueError, TypeError)):
        rgb_to_ycbcr(torch.zeros(1, 4, 2, 2))


def test_lab_is_that_of_scikit_image() -> None:
    levels = torch.randint(256, (2, 3, 16, 17), generator=torch.Generator().manual_seed(0))
    levels[0, :, 0, :8] = torch.tensor([0, 1, 2, 5, 10, 11, 254, 255])  # both branches of both curves
    found = rgb_to_lab(levels.double() / 127.5 - 1).permute(0, 2, 3, 1)
    expected = np.stack([rgb2lab(image.permute(1, 2, 0).numpy() / 255) for image in levels])
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-3)


def test_lab_has_gradients_and_clips() -> None:
    image = torch.rand(1, 3, 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(rgb_to_lab, image)
    assert torch.equal(rgb_to_lab(torch.full((1, 3, 1, 1), 1.5)), rgb_to_lab(torch.ones(1, 3, 1, 1)))
    black = torch.full((1, 3, 1, 1), -1.0, requires_grad=True)
    rgb_to_lab(black).sum().backward()
    assert black.grad is not None
    assert black.grad.isfinite().all()
