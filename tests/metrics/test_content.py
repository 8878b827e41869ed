import math

import pytest
import torch
from scipy.stats import wasserstein_distance
from torch import Tensor

from freqgan.metrics import ContentDistance
from freqgan.metrics.content import gradient_magnitude, sliced_wasserstein


def _noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _images(count: int, channels: int = 3, size: int = 16, seed: int = 0) -> Tensor:
    """Flat areas in colours of their own, with some noise over them."""
    areas = 0.4 * _noise(count, channels, 8, 8, seed=seed)
    return areas.repeat_interleave(size // 8, 2).repeat_interleave(size // 8, 3) + 0.1 * _noise(
        count, channels, size, size, seed=seed + 1
    )


def _distances(real: Tensor, fake: Tensor) -> dict[str, float]:
    metric = ContentDistance(real.shape[1:])
    for batch in real.split(4):
        metric.update(batch, real=True)
    metric.update(fake, real=False)
    return {name: value.item() for name, value in metric.compute().items()}


def _luminance(images: Tensor) -> Tensor:
    return (images * torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(1, keepdim=True)


def test_a_set_against_itself_is_zero() -> None:
    images = _images(9)
    assert _distances(images, images) == {"detail_distance": 0.0, "grey_distance": 0.0, "colour_distance": 0.0}


def test_grey_images_have_no_colour() -> None:
    assert list(_distances(_images(9, 1), _images(9, 1, seed=2))) == ["detail_distance", "grey_distance"]


def test_grey_as_one_channel_is_grey_as_three() -> None:
    real, fake = _images(9, 1), _images(7, 1, seed=2)
    alone = _distances(real, fake)
    repeated = _distances(real.expand(-1, 3, -1, -1), fake.expand(-1, 3, -1, -1))
    assert repeated.pop("colour_distance") == pytest.approx(0, abs=1e-3)
    assert repeated == pytest.approx(alone, rel=1e-4)


def test_detail_is_the_mean_of_scipys_distance_over_two_scales() -> None:
    real, fake = _images(9), 0.5 * _images(13, seed=5)
    expected = []
    for scale in (1, 2):
        magnitudes = []
        for images in (real, fake):
            y = _luminance(images).unfold(2, scale, scale).unfold(3, scale, scale).mean((4, 5))
            right, down = y[..., :-1, 1:] - y[..., :-1, :-1], y[..., 1:, :-1] - y[..., :-1, :-1]
            magnitudes.append((right.square() + down.square()).sqrt().flatten())
        expected.append(wasserstein_distance(*magnitudes) / magnitudes[0].std().item())
    assert _distances(real, fake)["detail_distance"] == pytest.approx(sum(expected) / 2, rel=0.01)


def test_a_step_edge_has_its_height_as_gradient() -> None:
    image = torch.zeros(1, 1, 4, 4)
    image[..., 2:] = 0.6  # a vertical edge
    expected = torch.tensor([0.0, 0.6, 0.0]).expand(1, 1, 3, 3)
    assert torch.equal(gradient_magnitude(image), expected)


def test_flat_images_against_a_checkerboard() -> None:
    # Real gradients: √2 everywhere at full size, none at half; flat images miss them, and 8-bit rounding divides.
    board = 0.5 * _checkerboard(16).expand(2, 1, 16, 16)
    rounding = 2 / 255 / math.sqrt(12)
    measured = _distances(board, torch.zeros(2, 1, 16, 16))
    assert measured["detail_distance"] == pytest.approx(math.sqrt(2) / rounding / 2, rel=0.01)
    assert measured["grey_distance"] == 0.0


def test_each_distance_sees_its_own() -> None:
    real = _images(40)
    sharper = real + 0.1 * _checkerboard(16)  # below the areas
    brighter = real + 0.3
    redder = real + torch.tensor([0.114 / 0.299, 0.0, -1.0]).view(3, 1, 1) * 0.3  # of equal luminance
    base = _distances(real, real)
    for fake, seen in ((sharper, "detail_distance"), (brighter, "grey_distance"), (redder, "colour_distance")):
        moved = {name for name, value in _distances(real, fake).items() if value > base[name] + 0.01}
        assert moved == {seen}


def _checkerboard(size: int) -> Tensor:
    i = torch.arange(size)
    return (-1.0) ** (i[:, None] + i)


def test_a_shift_costs_its_length_over_the_deviation() -> None:
    real = _noise(50, 64)
    shift = 0.5 * _noise(64, seed=1)
    total = (real.double() - real.double().mean(0)).square().mean(0).sum()
    expected = shift.double().norm() / total.sqrt()
    assert sliced_wasserstein(real, real + shift).item() == pytest.approx(expected.item(), rel=1e-6)


def test_the_mean_alone_costs_one() -> None:
    real = _noise(50, 128) * torch.linspace(0.1, 2, 128) + 5
    assert sliced_wasserstein(real, real.mean(0).expand(9, -1)).item() == pytest.approx(1, rel=1e-6)


@pytest.mark.parametrize(("n", "m"), [(6, 6), (4, 6), (7, 3)])
def test_one_dimension_equals_the_integral_over_quantiles(n: int, m: int) -> None:
    real, fake = _noise(n, 1), 2 * _noise(m, 1, seed=1) + 1
    many = math.lcm(n, m)  # each value as often as makes the sets equally large
    a = sorted(v for v in real.double().flatten().tolist() for _ in range(many // n))
    b = sorted(v for v in fake.double().flatten().tolist() for _ in range(many // m))
    squared = sum((x - y) ** 2 for x, y in zip(a, b, strict=True)) / many
    variance = real.double().var(correction=0).item()
    assert sliced_wasserstein(real, fake).item() == pytest.approx(math.sqrt(squared / variance), rel=1e-9)


def test_equal_reals_divide_by_the_rounding_of_a_png() -> None:
    flat = torch.full((5, 64), 0.25)
    assert sliced_wasserstein(flat, flat + 0.1).item() == pytest.approx(0.1 / (2 / 255 / math.sqrt(12)), rel=1e-6)


def test_samples_of_one_distribution_are_near_and_come_nearer() -> None:
    few, many = (_distances(_images(n), _images(n, seed=7)) for n in (20, 500))
    assert all(value < few[name] for name, value in many.items())
    assert max(many.values()) < 0.2


def test_batches_do_not_change_the_numbers() -> None:
    real, fake = _images(10), _images(7, seed=3)
    whole = ContentDistance((3, 16, 16))
    whole.update(real, real=True)
    whole.update(fake, real=False)
    values = {name: value.item() for name, value in whole.compute().items()}
    assert _distances(real, fake) == pytest.approx(values, rel=1e-6)


def test_the_global_generator_is_left_alone() -> None:
    state = torch.get_rng_state()
    _distances(_images(5), _images(5, seed=1))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("shape", [(2, 8, 8), (3, 3, 8)])
def test_images_without_content_are_refused(shape: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="content is measured on images"):
        ContentDistance(shape)
