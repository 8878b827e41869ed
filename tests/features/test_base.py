from collections.abc import Mapping

import pytest
import torch
from torch import Tensor, nn

from freqgan.errors import UserError
from freqgan.features import FeatureNetwork


class _Fails(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        raise AssertionError("computed for nothing")


class _Stub(FeatureNetwork):
    """A convolution, a nonlinearity and a mean, with fixed weights."""

    name = "stub"
    dim = 6
    layers = ("conv", "soft", "pool")

    def __init__(self, shift: float = 0.0, tail: nn.Module | None = None) -> None:
        super().__init__()
        self.shift, self.reads, self.tail = shift, 0, tail

    def read_weights(self) -> dict[str, Tensor]:
        self.reads += 1
        generator = torch.Generator().manual_seed(0)
        weight = torch.randn(6, 3, 3, 3, generator=generator) + self.shift
        return {"weight": weight, "bias": torch.zeros(6)}

    def build(self, weights: Mapping[str, Tensor]) -> nn.Sequential:
        network = nn.Sequential()
        network.add_module("conv", nn.Conv2d(3, 6, 3, device="meta"))
        network.load_state_dict({f"conv.{name}": w for name, w in weights.items()}, assign=True)
        network.add_module("soft", nn.Sequential(nn.Softplus(), nn.Dropout(0.5)))
        pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        network.add_module("pool", self.tail or pool)
        return network

    def prepare(self, images: Tensor) -> Tensor:
        return images * 2


def _images(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_features_are_the_last_layer_of_the_prepared_images() -> None:
    network, x = _Stub(), _images(5, 3, 8, 8)
    weight = network.read_weights()["weight"]
    expected = nn.functional.softplus(nn.functional.conv2d(x * 2, weight)).mean((2, 3))
    torch.testing.assert_close(network(x), expected)


def test_nothing_is_read_before_the_first_use_and_then_once() -> None:
    network = _Stub()
    assert network.reads == 0
    network(_images(1, 3, 8, 8))
    network.weights_hash()
    network(_images(2, 3, 8, 8))
    assert network.reads == 1


def test_stays_frozen_in_evaluation_mode_and_out_of_checkpoints() -> None:
    network = _Stub()
    expected = network(_images(1, 3, 8, 8))
    network.train()
    assert torch.equal(network(_images(1, 3, 8, 8)), expected), "dropout was active"
    assert not list(network.parameters())
    assert not network.state_dict()


def test_grey_images_count_as_equal_channels() -> None:
    grey = _images(2, 1, 8, 8)
    torch.testing.assert_close(_Stub()(grey), _Stub()(grey.repeat(1, 3, 1, 1)))


def test_other_channel_counts_are_the_users_mistake() -> None:
    with pytest.raises(UserError, match=r"1 or 3 channels, got 2: set data.channels=3"):
        _Stub()(_images(1, 2, 8, 8))


def test_extract_gives_the_named_layers_and_stops_after_the_last() -> None:
    x = _images(2, 3, 8, 8)
    outputs = _Stub(tail=_Fails()).extract(x, ["soft", "conv"])
    assert list(outputs) == ["soft", "conv"]
    torch.testing.assert_close(outputs["soft"], nn.functional.softplus(outputs["conv"]))


def test_unknown_layer_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="stub has the layers conv, soft, pool, got relu9"):
        _Stub().extract(_images(1, 3, 8, 8), ["relu9"])


def test_tiles_do_not_change_the_features() -> None:
    network, x = _Stub(), _images(11, 3, 8, 8)
    tiled = network(x)
    network.cpu_tile = 100
    torch.testing.assert_close(network(x), tiled)
    assert network(x[:0]).shape == (0, 6)


@pytest.mark.parametrize("loaded_in_inference_mode", [False, True])
def test_gradients_reach_the_images(loaded_in_inference_mode: bool) -> None:
    network = _Stub()
    if loaded_in_inference_mode:
        with torch.inference_mode():
            network(_images(1, 3, 8, 8))
    x = _images(1, 3, 8, 8).requires_grad_()
    (gradient,) = torch.autograd.grad(network(x).sum(), x)
    step = torch.zeros_like(x)
    step[0, 1, 4, 4] = 1e-2
    with torch.no_grad():
        difference = (network(x + step) - network(x - step)).sum() / 2e-2
    torch.testing.assert_close(gradient[0, 1, 4, 4], difference, rtol=1e-3, atol=1e-4)


def test_surrounding_precision_does_not_leak_in() -> None:
    network, x = _Stub(), _images(32, 3, 16, 16)
    expected = network(x)
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("medium")
        torch.backends.mkldnn.conv.fp32_precision = "bf16"
        with torch.autocast("cpu", dtype=torch.bfloat16):
            features = network(x)
        assert torch.backends.mkldnn.conv.fp32_precision == "bf16", "the choice of the caller was not restored"
    finally:
        torch.backends.mkldnn.conv.fp32_precision = "none"
        torch.set_float32_matmul_precision(before)
    assert features.dtype == torch.float32
    assert torch.equal(features, expected)


def test_hash_is_of_the_weights() -> None:
    assert _Stub().weights_hash() == _Stub().weights_hash()
    assert _Stub().weights_hash() != _Stub(shift=1e-6).weights_hash()
