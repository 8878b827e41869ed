import pytest
import torch
import torch.nn.functional as F

from freqgan.ops.pyramid import halved, pyramid


def test_a_level_lies_where_a_convolution_of_stride_two_puts_it() -> None:
    x = torch.rand(2, 1, 9, 14)
    expected = F.conv2d(x, torch.ones(1, 1, 3, 3), stride=2, padding=1)
    counts = F.conv2d(torch.ones_like(x), torch.ones(1, 1, 3, 3), stride=2, padding=1)
    torch.testing.assert_close(halved(x), expected / counts)


def test_what_is_equal_everywhere_stays_so() -> None:
    torch.testing.assert_close(halved(torch.full((1, 2, 7, 7), 0.3)), torch.full((1, 2, 4, 4), 0.3))


@pytest.mark.parametrize("levels", [1, 2, 4])
def test_sizes_are_halved_and_rounded_up(levels: int) -> None:
    images = pyramid(torch.rand(1, 2, 37, 50), levels)
    assert [tuple(image.shape[2:]) for image in images] == [(37, 50), (19, 25), (10, 13), (5, 7)][:levels]
