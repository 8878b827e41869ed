"""Statistics of unpaired batches: the formula, its scale, its gradient, and the same on several processes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import pytest
import torch
from torch import Tensor, nn

from freqgan.errors import UserError
from freqgan.features import EfficientNetLite0, FeatureNetwork
from freqgan.losses import FeatureStatistics, feature_statistics
from freqgan.ops.global_batch import rank, world_size
from freqgan.systems.parallel import average_gradients
from tests.forked import on_ranks

# gloo's threads start only in the forked processes.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")

Distance = Literal["l1", "squared"]
distances = pytest.mark.parametrize("distance", ["l1", "squared"])


class _Maps(FeatureNetwork):
    """Two layers of fixed weights, whose features differ a thousandfold in size."""

    name = "maps"
    dim = 4
    layers = ("conv", "large", "pool")

    def read_weights(self) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(0)
        return {"weight": torch.randn(4, 3, 3, 3, generator=generator), "bias": torch.zeros(4)}

    def build(self, weights: Mapping[str, Tensor]) -> nn.Sequential:
        network = nn.Sequential()
        network.add_module("conv", nn.Conv2d(3, 4, 3, device="meta"))
        network.load_state_dict({f"conv.{name}": weight for name, weight in weights.items()}, assign=True)
        network.add_module("large", _Times(1000.0))
        network.add_module("pool", nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()))
        return network

    def prepare(self, images: Tensor) -> Tensor:
        return images


class _Times(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


def draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


FAKE, REAL = draw(0, 6, 5, 4, 3) * 0.5 + 1, draw(1, 8, 5, 2, 2) * torch.arange(1, 6).view(5, 1, 1)


def reference(fake: Tensor, real: Tensor, distance: Distance) -> float:
    """The formula channel by channel."""
    total, spread = 0.0, 0.0
    for c in range(fake.shape[1]):
        a, b = fake[:, c].flatten().double(), real[:, c].flatten().double()
        of_mean, of_deviation = float(a.mean() - b.mean()), float(a.std(correction=0) - b.std(correction=0))
        total += abs(of_mean) + abs(of_deviation) if distance == "l1" else of_mean**2 + of_deviation**2
        spread += float(b.var(correction=0))
    channels = fake.shape[1]
    return total / channels / ((spread / channels) ** 0.5 if distance == "l1" else spread / channels)


@distances
def test_value_equals_the_formula(distance: Distance) -> None:
    expected = reference(FAKE, REAL, distance)
    assert feature_statistics(FAKE, REAL, distance=distance).item() == pytest.approx(expected, rel=1e-5)
    vectors = FAKE[:, :, 0, 0], REAL[:, :, 0, 0]
    expected = reference(*vectors, distance)
    assert feature_statistics(*vectors, distance=distance).item() == pytest.approx(expected, rel=1e-5)


def test_a_shift_by_one_deviation_is_one() -> None:
    real = torch.tensor([[0.0, 10.0], [2.0, 12.0]])  # deviation 1 in both channels
    for distance in ("l1", "squared"):
        assert feature_statistics(real + 1, real, distance=distance).item() == pytest.approx(1)  # type: ignore[arg-type]


@distances
def test_batches_of_equal_statistics_are_no_pairs_and_at_no_distance(distance: Distance) -> None:
    shuffled = REAL.flatten(2).flip(0).flip(2).unflatten(2, REAL.shape[2:])
    assert feature_statistics(shuffled, REAL, distance=distance).item() == pytest.approx(0, abs=1e-6)
    assert feature_statistics(REAL * 0.5, REAL, distance=distance) > 0.05


@distances
def test_the_size_of_features_does_not_count(distance: Distance) -> None:
    small, large = (feature_statistics(s * FAKE, s * REAL, distance=distance) for s in (1, 1000))
    torch.testing.assert_close(small, large)


@distances
def test_gradient_is_the_derivative_and_reaches_the_generated_side_alone(distance: Distance) -> None:
    fake, real = FAKE[:2, :, :2, :2].double().requires_grad_(), REAL.double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: feature_statistics(x, real.detach(), distance=distance), fake)
    feature_statistics(fake, real, distance=distance).backward()
    assert real.grad is None


@distances
def test_silent_channels_have_finite_gradients(distance: Distance) -> None:
    for fake, real in ((torch.zeros(4, 3, 2, 2), draw(0, 4, 3, 2, 2)), (draw(0, 4, 3, 2, 2), torch.zeros(4, 3, 2, 2))):
        fake.requires_grad_()
        loss = feature_statistics(fake, real, distance=distance)
        (gradient,) = torch.autograd.grad(loss, fake)
        assert torch.isfinite(loss)
        assert torch.isfinite(gradient).all()


def test_layers_count_equally() -> None:
    network = _Maps()
    fake, real = draw(2, 4, 3, 8, 8), draw(3, 4, 3, 8, 8) * 2 + 1
    of_fake, of_real = network.extract(fake, network.layers), network.extract(real, network.layers)
    each = [feature_statistics(of_fake[name], of_real[name]) for name in network.layers]
    torch.testing.assert_close(each[0], each[1], rtol=1e-4, atol=0)  # the second is a thousand times the first
    torch.testing.assert_close(FeatureStatistics(network)(fake, real), sum(each) / 3)
    torch.testing.assert_close(FeatureStatistics(network, layers=["pool", "pool"])(fake, real), each[2])


def test_real_images_have_no_graph() -> None:
    fake, real = draw(2, 4, 3, 8, 8).requires_grad_(), draw(3, 4, 3, 8, 8).requires_grad_()
    FeatureStatistics(_Maps(), distance="squared")(fake, real).backward()
    assert real.grad is None
    assert fake.grad is not None
    assert (fake.grad.flatten(1).abs().sum(1) > 0).all()


@pytest.mark.parametrize(("layers", "got"), [(["conv", "relu9"], "relu9"), ([], "none")])
def test_layers_that_are_not_there(layers: list[str], got: str) -> None:
    with pytest.raises(UserError, match=f"layers of maps: got {got}, set layers to some of conv, large, pool"):
        FeatureStatistics(_Maps(), layers=layers)


@distances
def test_images_follow_the_gradient_of_a_real_network(distance: Distance) -> None:
    loss = FeatureStatistics(EfficientNetLite0(image_size=32), layers=["stem", "stage3"], distance=distance)
    real = draw(4, 4, 3, 4, 4).repeat_interleave(8, 2).repeat_interleave(8, 3).tanh()
    fake = draw(5, 4, 3, 32, 32).tanh().requires_grad_()
    optimizer = torch.optim.Adam([fake], 0.05)
    values = []
    for _ in range(15):
        values.append(loss(fake, real))
        optimizer.zero_grad()
        values[-1].backward()
        optimizer.step()
    assert values[-1] < 0.6 * values[0]
    assert not list(loss.parameters())
    assert not loss.state_dict()


IMAGES = draw(6, 2, 12, 3, 6, 6)


def trained(distance: Distance) -> list[float]:
    """Weights of a generator after four steps, on this process's rows of the batch."""
    torch.manual_seed(0)
    generator = nn.Conv2d(3, 3, 3)
    parameters = list(generator.parameters())
    noise, real = (x.chunk(world_size())[rank()] for x in IMAGES)
    optimizer = torch.optim.SGD(parameters, 0.2)
    loss = FeatureStatistics(_Maps(), distance=distance)
    for _ in range(4):
        optimizer.zero_grad()
        loss(generator(noise), real).backward()
        average_gradients(parameters)
        optimizer.step()
    return [value for p in parameters for value in p.detach().flatten().tolist()]


@distances
def test_several_processes_train_as_one(distance: Distance, tmp_path: Path) -> None:
    alone = trained(distance)
    for outcome in on_ranks(2, tmp_path, lambda: trained(distance)):
        assert outcome == pytest.approx(alone, abs=1e-5)
