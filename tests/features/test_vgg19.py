import shutil
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.models import VGG19_Weights, vgg19
from torchvision.transforms.functional import normalize

from freqgan.errors import UserError
from freqgan.features import VGG19

# Positions of the convolutions in torchvision's network, scale by scale.
CONVOLUTIONS = ((0, 2), (5, 7), (10, 12, 14, 16), (19, 21, 23, 25), (28, 30, 32, 34))


def arbitrary_weights() -> dict[str, Tensor]:
    """Weights of torchvision's names and shapes, of a scale that keeps the maps alive; they know no image."""
    generator = torch.Generator().manual_seed(0)
    with torch.device("meta"):
        shapes = {name: weight.shape for name, weight in vgg19().features.state_dict(prefix="features.").items()}
    weights = {
        name: torch.randn(shape, generator=generator) * (2 / shape[1:].numel()) ** 0.5 if len(shape) > 1 else None
        for name, shape in shapes.items()
    }
    biases = {name: torch.linspace(-0.1, 0.1, shapes[name].numel()) for name, w in weights.items() if w is None}
    return {name: weight for name, weight in weights.items() if weight is not None} | biases


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of the released one's layout, with arbitrary weights in place of the trained ones."""
    file = tmp_path_factory.mktemp("released") / "weights.pth"
    torch.save(arbitrary_weights() | {"classifier.0.weight": torch.zeros(1)}, file)
    return file


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the released file is looked for; nothing is there yet, and there is no network."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", _no_network)
    file = tmp_path / "hub" / "checkpoints" / "vgg19-dcbb9e9d.pth"
    file.parent.mkdir(parents=True)
    return file


@pytest.fixture(scope="module")
def network(released: Path) -> VGG19:
    """The network with the arbitrary weights, read from where the released ones would be."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.hub, "load_state_dict_from_url", lambda *_, **__: torch.load(released, weights_only=True))
        network = VGG19()
        network.weights_hash()
    return network


def _no_network(*args: object, **kwargs: object) -> None:
    raise URLError("no route to host")


def _images(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1)) * 2 - 1


def reference(images: Tensor, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Configuration E of the paper, written as a loop."""
    outputs = {}
    x = normalize((images + 1) / 2, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    for scale, positions in enumerate(CONVOLUTIONS, 1):
        if scale > 1:
            x = F.max_pool2d(x, 2, 2)
        for number, position in enumerate(positions, 1):
            name = f"features.{position}"
            x = outputs[f"relu{scale}_{number}"] = F.conv2d(
                x, weights[f"{name}.weight"], weights[f"{name}.bias"], padding=1
            ).relu()
    return outputs | {"pool": x.mean((2, 3))}


@pytest.mark.parametrize("size", [(32, 32), (41, 19)])
def test_every_layer_equals_the_published_graph(network: VGG19, released: Path, size: tuple[int, int]) -> None:
    x = _images(2, 3, *size)
    expected = reference(x, torch.load(released, weights_only=True))
    with torch.no_grad():
        outputs = network.extract(x, network.layers)
    assert list(outputs) == list(network.layers) == list(expected)
    assert all(expected[layer].std() > 0.01 for layer in network.layers), "the reference is dead"
    for layer in network.layers:
        torch.testing.assert_close(outputs[layer], expected[layer], rtol=1e-4, atol=1e-4)
    assert outputs["pool"].shape == (2, network.dim)


def test_the_normalisation_is_the_one_of_the_weights(network: VGG19) -> None:
    published = VGG19_Weights.IMAGENET1K_V1.transforms()
    x = _images(1, 3, 16, 16)
    torch.testing.assert_close(network.prepare(x), normalize((x + 1) / 2, published.mean, published.std))


@pytest.mark.parametrize(("size", "last"), [(1, "relu1_2"), (3, "relu2_2"), (4, "relu3_4"), (16, "pool")])
def test_small_images_have_the_layers_that_their_size_allows(network: VGG19, size: int, last: str) -> None:
    layers = network.layers[: network.layers.index(last) + 1]
    x = _images(1, 3, size, size)
    assert list(network.extract(x, layers)) == list(layers)
    if last != "pool":
        wanted = 2 ** int(last[4])
        with pytest.raises(UserError, match=rf"at least {wanted} px a side.*set data.image_size={wanted}"):
            network(x)


def test_gradients_reach_the_images_alone(network: VGG19) -> None:
    x = _images(2, 1, 16, 16).requires_grad_()
    network(x).square().sum().backward()
    assert x.grad is not None
    assert (x.grad.flatten(1).abs().sum(1) > 0).all()
    assert not list(network.parameters())


def test_downloads_once_and_checks_the_hash(released: Path, cached: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def transport(url: str, dst: str, hash_prefix: str | None, progress: bool) -> None:
        calls.append((url, dst, hash_prefix))
        shutil.copy(released, dst)

    monkeypatch.setattr(torch.hub, "download_url_to_file", transport)
    state = torch.get_rng_state()
    assert len({VGG19().weights_hash() for _ in range(2)}) == 1
    assert calls == [(VGG19_Weights.IMAGENET1K_V1.url, str(cached), "dcbb9e9d")]
    assert torch.equal(torch.get_rng_state(), state)


def test_without_a_network_both_ways_out_are_named(cached: Path) -> None:
    with pytest.raises(UserError) as error:
        VGG19()(_images(1, 3, 16, 16))
    message = str(error.value)
    assert "no route to host" in message
    assert f"loaded from {cached} " in message
    assert f"put a copy of {VGG19_Weights.IMAGENET1K_V1.url} there, or choose efficientnet_lite0" in message
    assert "_target_ is freqgan.features.EfficientNetLite0" in message


def test_a_torn_file_is_the_same_clear_error(released: Path, cached: Path) -> None:
    cached.write_bytes(released.read_bytes()[:10_000])
    with pytest.raises(UserError, match=r"put a copy of .* there, or choose efficientnet_lite0"):
        VGG19().weights_hash()


def test_a_foreign_file_is_refused(cached: Path) -> None:
    torch.save({"features.0.weight": torch.zeros(3)}, cached)
    with pytest.raises(UserError, match=rf"VGG19 of torchvision at {cached} is not the published one: delete it"):
        VGG19().weights_hash()
