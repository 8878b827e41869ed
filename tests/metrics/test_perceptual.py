from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
import torch
import torchmetrics.functional.image.lpips as published
from torch import Tensor, nn

from freqgan.errors import UserError
from freqgan.features import EfficientNetLite0
from freqgan.metrics.perceptual import LAYERS, LPIPS, perceptual_distance, squares
from tests.features.test_lpips_backbone import NETS, arbitrary_weights, convolutions


def _images(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.fixture(scope="module")
def features() -> EfficientNetLite0:
    return EfficientNetLite0(image_size=32)


@pytest.fixture
def no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", fails)


@torch.no_grad()
def test_distance_is_the_mean_over_layers_and_squares(features: EfficientNetLite0) -> None:
    a, b = _images(1, 3, 32, 75), _images(1, 3, 32, 75, seed=1)
    expected = []
    for layer in LAYERS:
        for left in (5, 37):  # two squares of 32, centred in 75
            x, y = (features.extract(image[..., left : left + 32], [layer])[layer] for image in (a, b))
            cosine = nn.functional.cosine_similarity(x, y)
            expected.append((2 - 2 * cosine).mean())  # |x̂ − ŷ|² of vectors of length 1
    distance = perceptual_distance(a, b, features).item()
    assert distance == pytest.approx(torch.stack(expected).mean().item(), rel=1e-4)
    assert perceptual_distance(a, a, features).item() == 0.0


@torch.no_grad()
def test_distance_sees_lost_detail_at_the_images_own_size() -> None:
    features = EfficientNetLite0()
    waves = torch.sin(torch.arange(448) * 2.2).expand(1, 3, 448, 448)
    assert perceptual_distance(torch.zeros_like(waves), 0.3 * waves, features).item() > 0.1
    assert perceptual_distance(0.29 * waves, 0.3 * waves, features).item() < 0.02


def test_squares_of_small_images_are_of_their_shorter_side() -> None:
    image = _images(1, 3, 20, 65)
    pieces = squares(image, 224)
    assert pieces.shape == (3, 3, 20, 20)
    assert torch.equal(torch.cat([*pieces], -1), image[0, ..., 2:62])


def test_squares_go_row_by_row() -> None:
    image = torch.arange(4.0).view(1, 1, 2, 2).repeat_interleave(4, 2).repeat_interleave(4, 3)
    assert squares(image, 4).mean((1, 2, 3)).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("net", NETS)
@torch.no_grad()
def test_lpips_is_torchmetrics_with_the_same_networks(net: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = arbitrary_weights(net)

    def graph(*_: object) -> nn.Sequential:
        network = convolutions(net)
        network.load_state_dict(weights, assign=True)
        return network

    monkeypatch.setattr(published, "_get_tv_model_features", graph)
    monkeypatch.setattr("freqgan.features.LPIPSBackbone.read_weights", lambda _: weights)
    theirs = published._LPIPS(net=net, pnet_rand=True)
    a, b = _images(2, 3, 40, 51), _images(2, 3, 40, 51, seed=1)
    expected = theirs(a, b).flatten().tolist()
    assert min(expected) > 0.01
    assert LPIPS(net)(a, b).tolist() == pytest.approx(expected, rel=1e-4)
    assert LPIPS(net)(a, a).tolist() == [0.0, 0.0]


@pytest.mark.usefixtures("no_network")
def test_without_its_network_lpips_names_the_alternative() -> None:
    with pytest.raises(UserError, match=r"put a copy of .*alexnet-owt-7be5be79.pth there, or set metrics.lpips=null"):
        LPIPS("alex")(_images(1, 3, 40, 40), _images(1, 3, 40, 40))


def test_without_its_weights_lpips_says_where_they_belong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("freqgan.metrics.perceptual.files", lambda _: tmp_path)
    with pytest.raises(UserError, match=r"metrics.lpips=vgg needs .*vgg.pth, which torchmetrics carries"):
        LPIPS("vgg")._linear()
