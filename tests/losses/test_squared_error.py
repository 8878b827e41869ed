import pytest
import torch

from freqgan.losses import half_squared_error


def test_it_is_half_of_the_sum_of_squares() -> None:
    a, b = torch.randn(2, 4, 3, 5, 6, generator=torch.Generator().manual_seed(0)).unbind()
    expected = sum(0.5 * ((x - y) ** 2).sum() for x, y in zip(a, b, strict=True)) / 4
    torch.testing.assert_close(half_squared_error(a, b), expected)


def test_its_gradient_is_the_difference() -> None:
    a, b = torch.randn(2, 4, 3, 5, 6, dtype=torch.float64).unbind()
    a.requires_grad_()
    half_squared_error(a, b).backward()
    assert a.grad is not None
    torch.testing.assert_close(a.grad, (a - b).detach() / 4)


def test_equal_images_have_none() -> None:
    assert half_squared_error(torch.ones(1, 1, 2, 2), torch.ones(1, 1, 2, 2)).item() == 0.0


def test_images_of_other_sizes_are_refused() -> None:
    with pytest.raises(Exception, match="half_squared_error"):
        half_squared_error(torch.ones(1, 1, 2, 2), torch.ones(1, 1, 2, 3))
