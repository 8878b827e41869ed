import pytest
import torch
from torch import Tensor

from freqgan.losses import interpolation_penalties, r1_gamma, r1_penalties


def quadratics(inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """The sum of squares of every input, the second one's twice."""
    return {name: (1 + (name == "b")) * x.flatten(1).square().sum(1) for name, x in inputs.items()}


def test_r1_is_half_the_squared_gradient_of_each_critic() -> None:
    x = {"a": torch.randn(4, 3, 2, 2), "b": torch.randn(4, 1, 5, 5)}
    expected = {name: ((2 + 2 * (name == "b")) * v).square().flatten(1).sum(1).mean() / 2 for name, v in x.items()}
    torch.testing.assert_close(r1_penalties(quadratics, x), expected)


def test_many_critics_at_once_are_single_ones() -> None:
    torch.manual_seed(0)
    real, fake = ({"a": torch.randn(4, 3, 2, 2), "b": torch.randn(4, 1, 5, 5)} for _ in range(2))
    mix = {name: torch.rand(4) for name in real}
    r1, interpolated = r1_penalties(quadratics, real), interpolation_penalties(quadratics, real, fake, mix)
    for name in real:
        one, other = {name: real[name]}, {name: fake[name]}
        torch.testing.assert_close(r1_penalties(quadratics, one)[name], r1[name])
        alone = interpolation_penalties(quadratics, one, other, {name: mix[name]})
        torch.testing.assert_close(alone[name], interpolated[name])
    assert r1.keys() == interpolated.keys() == real.keys()


def test_a_patch_map_counts_once_per_image() -> None:
    x = {"a": torch.randn(4, 1, 3, 3)}
    one = r1_penalties(lambda v: {"a": v["a"].flatten(1).sum(1)}, x)
    repeated = r1_penalties(lambda v: {"a": v["a"].sum((2, 3), keepdim=True).expand(-1, 1, 5, 5)}, x)
    torch.testing.assert_close(one, repeated)


def test_interpolation_happens_per_sample() -> None:
    real, fake = {"a": torch.full((2, 1), 3.0)}, {"a": torch.full((2, 1), 1.0)}
    penalties = interpolation_penalties(quadratics, real, fake, {"a": torch.tensor([1.0, 0.25])})
    expected = (((2 * torch.tensor([3.0, 1.5])).abs() - 1) ** 2).mean()
    torch.testing.assert_close(penalties, {"a": expected})


def test_penalties_train_every_critic() -> None:
    weights = {"a": torch.tensor([2.0, 1.0], requires_grad=True), "b": torch.tensor([1.0, -3.0], requires_grad=True)}
    x = {name: torch.randn(5, 2) for name in weights}

    def linear(inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name: v @ weights[name] for name, v in inputs.items()}

    sum(r1_penalties(linear, x).values()).backward()  # half of |w|² each, whose gradient is w
    for weight in weights.values():
        torch.testing.assert_close(weight.grad, weight.detach())
        weight.grad = None
    mix = {name: torch.rand(5) for name in x}
    sum(interpolation_penalties(linear, x, {n: v + 1 for n, v in x.items()}, mix).values()).backward()
    for weight in weights.values():  # (|w| − 1)², whose gradient is 2 (|w| − 1) w / |w|
        norm = weight.detach().norm()
        torch.testing.assert_close(weight.grad, 2 * (norm - 1) * weight.detach() / norm)


def test_r1_takes_no_gradient_to_the_images() -> None:
    x = torch.randn(5, 2, requires_grad=True)
    r1_penalties(quadratics, {"a": x})["a"].backward()
    assert x.grad is None


@pytest.mark.parametrize(
    ("height", "width", "batch", "gamma"),
    [(1024, 1024, 32, 6.5536), (256, 256, 64, 0.2048), (64, 64, 64, 0.0128), (32, 16, 8, 0.0128)],
)
def test_the_strength_of_r1_grows_with_pixels_and_falls_with_the_batch(
    height: int, width: int, batch: int, gamma: float
) -> None:
    assert r1_gamma(height, width, batch=batch) == pytest.approx(gamma)
