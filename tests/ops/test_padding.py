import pytest
import torch
import torch.nn.functional as F

from freqgan.ops.padding import continued, reflected

X = torch.arange(2 * 3 * 5 * 7).view(2, 3, 5, 7).float()


def test_what_is_large_enough_is_the_image_itself() -> None:
    assert reflected(X, 5, 7) is X


def test_a_narrow_border_is_that_of_the_library() -> None:
    assert torch.equal(reflected(X, 8, 12), F.pad(X, (0, 5, 0, 3), mode="reflect"))


@pytest.mark.parametrize("size", [(5, 64), (33, 7), (64, 64)])
def test_a_wide_border_is_reflected_as_often_as_it_takes(size: tuple[int, int]) -> None:
    rows, columns = (
        torch.tensor([min(i % (2 * n - 2), -i % (2 * n - 2)) for i in range(side)])
        for n, side in zip((5, 7), size, strict=True)
    )
    assert torch.equal(reflected(X, *size), X[..., rows[:, None], columns])


def test_a_single_pixel_is_repeated() -> None:
    assert torch.equal(reflected(X[..., :1, :1], 4, 8), X[..., :1, :1].expand(-1, -1, 4, 8))
    row = reflected(X[..., :1, :], 3, 10)
    assert torch.equal(row, reflected(X, 5, 10)[..., :1, :].expand(-1, -1, 3, -1))


def test_the_gradient_counts_how_often_a_pixel_is_seen() -> None:
    x = X.clone().requires_grad_()
    reflected(x, 5, 12).sum().backward()
    assert x.grad is not None
    assert x.grad[0, 0, 0].tolist() == [1, 2, 2, 2, 2, 2, 1]


def test_sides_become_multiples_that_are_long_enough() -> None:
    assert continued(X, stride=4, least=4).shape[2:] == (8, 8)
    assert continued(X, stride=4, least=16).shape[2:] == (16, 16)
    assert continued(X[..., :4], stride=2, least=2).shape[2:] == (6, 4)
    assert continued(X[..., :4, :4], stride=4, least=4).shape[2:] == (4, 4)
