"""The perceptual loss against its formula, on a network of fixed weights and on EfficientNet-Lite0."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from freqgan.errors import UserError
from freqgan.features import VGG19, EfficientNetLite0, FeatureNetwork
from freqgan.losses import PerceptualLoss, perceptual


def draw(seed: int, *shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.fixture(scope="module")
def network() -> EfficientNetLite0:
    return EfficientNetLite0(image_size=32)


def test_value_equals_the_formula() -> None:
    fake, real = ({"a": draw(i, 2, 3, 4, 4), "b": draw(i + 1, 2, 5)} for i in (0, 7))
    expected = sum(
        weight * sum(abs(float(x) - float(y)) for x, y in zip(fake[n].flatten(), real[n].flatten(), strict=True))
        / fake[n].numel()
        for n, weight in {"a": 2.0, "b": 0.5}.items()
    )  # fmt: skip
    assert perceptual(fake, real, {"a": 2.0, "b": 0.5}).item() == pytest.approx(expected, rel=1e-5)


def test_layers_count_by_their_weights(network: EfficientNetLite0) -> None:
    fake, real = draw(0, 2, 3, 32, 32), draw(1, 2, 3, 32, 32)
    alone = [PerceptualLoss(network, layers={x: 1.0})(fake, real) for x in ("stem", "expand3")]
    both = PerceptualLoss(network, layers={"stem": 3.0, "expand3": 0.5})(fake, real)
    torch.testing.assert_close(both, 3.0 * alone[0] + 0.5 * alone[1])
    assert both > 0
    assert PerceptualLoss(network, layers={"stem": 1.0})(fake, fake) == 0


@pytest.mark.parametrize("kind", [EfficientNetLite0, VGG19])
def test_every_layer_that_may_be_chosen_is_at_least_0(kind: type[FeatureNetwork], arbitrary: None) -> None:
    network = kind()
    with torch.no_grad():
        taps = network.extract(draw(0, 1, 3, 32, 32), network.activations)
    assert len(taps) == len(network.activations) > 0
    assert all(bool((tap >= 0).all()) and bool((tap > 0).any()) and tap.dim() == 4 for tap in taps.values())


@pytest.fixture
def arbitrary(monkeypatch: pytest.MonkeyPatch) -> None:
    """VGG19 with weights that need no download."""

    def weights(self: VGG19) -> dict[str, Tensor]:
        import torchvision

        torch.manual_seed(0)
        state: dict[str, Tensor] = torchvision.models.vgg19(weights=None).features.state_dict()
        return {f"features.{name}": weight for name, weight in state.items()}

    monkeypatch.setattr(VGG19, "read_weights", weights)


@pytest.mark.parametrize("layer", ["stage2", "pool", "nothing"])
def test_layers_before_an_activation_are_refused(network: EfficientNetLite0, layer: str) -> None:
    with pytest.raises(UserError, match=f"got {layer}, set it to weights of some of stem, expand2, "):
        PerceptualLoss(network, layers={layer: 1.0})
    with pytest.raises(UserError, match="got none"):
        PerceptualLoss(network, layers={})


def test_gradients_reach_the_generated_images_alone(network: EfficientNetLite0) -> None:
    fake, real = draw(0, 1, 3, 32, 32).requires_grad_(), draw(1, 1, 3, 32, 32).requires_grad_()
    PerceptualLoss(network, layers={"expand4": 1.0})(fake, real).backward()
    assert real.grad is None
    assert fake.grad is not None
    assert fake.grad.abs().sum() > 0


def test_small_images_are_enlarged_to_the_least_side(network: EfficientNetLite0) -> None:
    fake, real = draw(0, 1, 3, 8, 12), draw(1, 1, 3, 8, 12)
    loss = PerceptualLoss(network, layers={"expand2": 1.0})
    large = [F.interpolate(x, (32, 48), mode="bilinear") for x in (fake, real)]
    torch.testing.assert_close(loss(fake, real), loss(*large))


def test_grey_images_count_as_three_equal_channels(network: EfficientNetLite0) -> None:
    loss = PerceptualLoss(network, layers={"stem": 1.0})
    fake, real = draw(0, 1, 1, 32, 32), draw(1, 1, 1, 32, 32)
    torch.testing.assert_close(loss(fake.expand(-1, 3, -1, -1), real.expand(-1, 3, -1, -1)), loss(fake, real))
