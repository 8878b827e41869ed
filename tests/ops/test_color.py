import pytest
import torch

from freqgan.ops.color import rgb_to_ycbcr


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
