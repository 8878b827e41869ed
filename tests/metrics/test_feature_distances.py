from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from freqgan.errors import UserError
from freqgan.features import EfficientNetLite0
from freqgan.metrics import FeatureDistances
from freqgan.ops.keyed_random import key


def _noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _measure(metric: FeatureDistances, real: Tensor, fake: Tensor) -> dict[str, float]:
    with torch.no_grad():
        for images, is_real in ((real, True), (fake, False)):
            for batch in images.split(16):
                metric.update(batch, real=is_real)
    return {name: value.item() for name, value in metric.compute().items()}


def _gaussian(n: int, mean: Tensor, deviation: Tensor, seed: int) -> Tensor:
    """n images of 3 × 2 × 2 whose sample mean and covariance are exactly as given."""
    z = _noise(n, 12, seed=seed).double()
    z = z - z.mean(0)
    z = z @ torch.linalg.inv(torch.linalg.cholesky(z.T @ z / (n - 1))).T
    return (mean + z * deviation).float().view(n, 3, 2, 2)


def test_frechet_distance_equals_the_closed_form(pixels: Any) -> None:
    mean, shift = torch.linspace(-1, 1, 12).double(), torch.linspace(0, 2, 12).double()
    a, b = torch.linspace(0.5, 2, 12).double(), torch.linspace(3, 1, 12).double()
    real, fake = _gaussian(60, mean, a, seed=0), _gaussian(90, mean + shift, b, seed=1)
    expected = (shift.square() + (a - b).square()).sum().item()  # commuting covariances
    assert _measure(FeatureDistances(pixels(12)), real, fake)["fd"] == pytest.approx(expected, rel=1e-5)


def test_kernel_distance_equals_the_unbiased_estimate(pixels: Any) -> None:
    real, fake = _noise(14, 3, 2, 2), _noise(14, 3, 2, 2, seed=1) * 1.5 + 0.5
    x, y = real.flatten(1).double(), fake.flatten(1).double()

    def kernel(a: Tensor, b: Tensor) -> float:
        return float((a @ b / 12 + 1) ** 3)

    n, everyone = 14, range(14)
    within = sum(kernel(x[i], x[j]) + kernel(y[i], y[j]) for i in everyone for j in everyone if i != j)
    across = sum(kernel(x[i], y[j]) for i in everyone for j in everyone)
    expected = within / (n * (n - 1)) - 2 * across / n**2
    measured = _measure(FeatureDistances(pixels(12), kid_subsets=3), real, fake)["kid"]
    assert measured == pytest.approx(expected, rel=1e-9)


class _InDouble(nn.Module):
    """A network the way torchmetrics takes one: images in, float64 features out."""

    def __init__(self, network: nn.Module, dim: int) -> None:
        super().__init__()
        self.network, self.num_features = network, dim

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.network(images).double()
        return features


def _stock(metric: Any, real: Tensor, fake: Tensor) -> Any:
    with torch.no_grad():
        metric.update(real, real=True)
        metric.update(fake, real=False)
    return metric.compute()


@pytest.mark.filterwarnings("ignore:Metric `Kernel Inception Distance`:UserWarning")
def test_numbers_of_torchmetrics_run_the_stock_way(pixels: Any) -> None:
    real, fake = _noise(80, 3, 4, 4), _noise(60, 3, 4, 4, seed=1) * 0.7
    ours = _measure(FeatureDistances(pixels(48), kid_subsets=4, kid_subset_size=20), real, fake)
    network = _InDouble(pixels(48), 48)
    assert ours["fd"] == pytest.approx(_stock(FrechetInceptionDistance(network), real, fake).item(), rel=1e-9)
    kid = KernelInceptionDistance(network, subsets=4, subset_size=20)
    with torch.random.fork_rng():
        torch.manual_seed(key(0, "kid"))
        assert ours["kid"] == pytest.approx(_stock(kid, real, fake)[0].item(), rel=1e-9)


def test_frechet_distance_of_torchmetrics_on_efficientnet() -> None:
    network = EfficientNetLite0()
    real = nn.functional.interpolate(_noise(12, 3, 4, 4), scale_factor=8.0, mode="bilinear").clamp(-1, 1)
    fake = _noise(12, 3, 32, 32, seed=1).clamp(-1, 1)
    ours = _measure(FeatureDistances(network), real, fake)
    stock = _stock(FrechetInceptionDistance(_InDouble(network, network.dim)), real, fake).item()
    assert ours["fd"] == pytest.approx(stock, rel=1e-6)
    assert ours["fd"] > 10


def test_a_set_against_itself(pixels: Any) -> None:
    images = _noise(100, 3, 2, 2)
    measured = _measure(FeatureDistances(pixels(12)), images, images)
    assert measured.pop("fd") == pytest.approx(0, abs=1e-8)
    assert measured.pop("kid") < 0  # unbiased: on average zero for two samples of one distribution, here one sample
    assert measured == pytest.approx({"precision": 1, "recall": 1, "density": 1, "coverage": 1})


def test_fewer_images_than_features_still_give_a_finite_distance(pixels: Any) -> None:
    real, fake = _noise(20, 3, 8, 8), _noise(20, 3, 8, 8, seed=1)
    measured = _measure(FeatureDistances(pixels(192)), real, fake)
    assert 0 < measured["fd"] < 1000


def test_repeats_exactly_and_leaves_the_global_generator_alone(pixels: Any) -> None:
    real, fake = _noise(90, 3, 2, 2), _noise(40, 3, 2, 2, seed=1)
    state = torch.get_rng_state()
    first = _measure(FeatureDistances(pixels(12), kid_subset_size=10), real, fake)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(1)
    assert _measure(FeatureDistances(pixels(12), kid_subset_size=10), real, fake) == first


def test_neighbours_are_compared_in_equal_numbers(pixels: Any) -> None:
    near, far = _noise(40, 3, 2, 2), _noise(400, 3, 2, 2, seed=1) + 50
    real = torch.cat([near, far])  # sorted, as data sets are
    measured = _measure(FeatureDistances(pixels(12)), real, near)
    assert measured["recall"] < 0.3, "the sample of the real images is their sorted beginning"


@pytest.mark.parametrize(("reals", "fakes"), [(9, 5), (5, 9)])
def test_too_few_images_are_the_users_mistake(pixels: Any, reals: int, fakes: int) -> None:
    wanted = f"metrics.k=5 needs 6 real and 6 generated images or more, got {reals} and {fakes}"
    with pytest.raises(UserError, match=wanted):
        _measure(FeatureDistances(pixels(12), k=5), _noise(reals, 3, 2, 2), _noise(fakes, 3, 2, 2))


def test_where_no_neighbours_are_asked_for_the_remedy_is_more_images(pixels: Any) -> None:
    wanted = "Fréchet distance needs 2 real and 2 generated images or more, got 1 and 1: .* data.val_fraction"
    with pytest.raises(UserError, match=wanted):
        _measure(FeatureDistances(pixels(12), k=1), _noise(1, 3, 2, 2), _noise(1, 3, 2, 2))
