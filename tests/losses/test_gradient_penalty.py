import torch

from freqgan.losses import interpolation_penalty, r1_penalty


def quadratic(x: torch.Tensor) -> torch.Tensor:
    return x.flatten(1).square().sum(1)


def test_r1_is_half_the_squared_gradient() -> None:
    x = torch.randn(4, 3, 2, 2)
    expected = ((2 * x).square().flatten(1).sum(1)).mean() / 2
    torch.testing.assert_close(r1_penalty(quadratic, x), expected)


def test_a_patch_map_counts_once_per_image() -> None:
    x = torch.randn(4, 1, 3, 3)
    one = r1_penalty(lambda v: v.flatten(1).sum(1), x)
    repeated = r1_penalty(lambda v: v.flatten(1).sum(1)[:, None].expand(-1, 25).reshape(4, 1, 5, 5), x)
    torch.testing.assert_close(one, repeated)


def test_interpolation_happens_per_sample() -> None:
    real, fake = torch.full((2, 1), 3.0), torch.full((2, 1), 1.0)
    mix = torch.tensor([1.0, 0.0])
    expected = (((2 * torch.tensor([3.0, 1.0])).abs() - 1) ** 2).mean()
    torch.testing.assert_close(interpolation_penalty(quadratic, real, fake, mix), expected)


def test_penalties_train_the_critic() -> None:
    weight = torch.tensor([2.0, 1.0], requires_grad=True)
    x = torch.randn(5, 2)
    for penalty in (
        r1_penalty(lambda v: v @ weight, x),
        interpolation_penalty(lambda v: v @ weight, x, x + 1, torch.rand(5)),
    ):
        (gradient,) = torch.autograd.grad(penalty, weight)
        assert gradient.abs().sum() > 0
    torch.testing.assert_close(torch.autograd.grad(r1_penalty(lambda v: v @ weight, x), weight)[0], weight.detach())
