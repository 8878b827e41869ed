"""torchvision's networks, with files of the released ones' layout and arbitrary weights in place of trained ones."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import get_model, mobilenet_v3_large, resnet50
from torchvision.transforms.functional import normalize

from freqgan.blocks import BatchNorm2d
from freqgan.errors import UserError
from freqgan.networks import TorchvisionSegmenter
from freqgan.networks.torchvision_segmenter import released_file
from freqgan.ops.global_batch import rank
from tests.forked import on_ranks

NAME = "lraspp_mobilenet_v3_large"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str, dict[str, Tensor]], None]:
    """Puts weights where a released file is looked for; there is no network, and hashes are those of other files."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)

    def put(name: str, pretrained: Any, weights: dict[str, Tensor]) -> None:
        torch.save(weights, released_file(name, pretrained).path)

    return put


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*args: object, **kwargs: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)


def built(**given: Any) -> TorchvisionSegmenter:
    return TorchvisionSegmenter(**{"num_classes": 5, "name": NAME, "pretrained": "none"} | given)


def arbitrary(network: nn.Module) -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(1)
    return {
        name: torch.rand(value.shape, generator=random) if value.is_floating_point() else value
        for name, value in network.state_dict().items()
    }


def test_it_is_torchvision_s_network_of_its_own_colours() -> None:
    ours, theirs = built().eval(), get_model(NAME, weights=None, weights_backbone=None, num_classes=5).eval()
    theirs.load_state_dict(ours.network.state_dict())
    images = torch.rand(2, 3, 40, 56) * 2 - 1
    seen = normalize((images + 1) / 2, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    torch.testing.assert_close(ours(images), theirs(seen)["out"], rtol=1e-4, atol=1e-5)
    assert ours(images).shape == (2, 5, 40, 56)
    assert torch.equal(ours(images[:, :1]), ours(images[:, :1].expand(-1, 3, -1, -1)))


def test_batch_norms_are_of_the_global_batch_and_otherwise_the_same() -> None:
    ours, theirs = built().network, get_model(NAME, weights=None, weights_backbone=None, num_classes=5)
    norms = [m for m in theirs.modules() if isinstance(m, nn.BatchNorm2d)]
    replaced = [m for m in ours.modules() if isinstance(m, nn.BatchNorm2d)]
    assert all(isinstance(norm, BatchNorm2d) for norm in replaced)
    assert [(m.eps, m.momentum) for m in replaced] == [(m.eps, m.momentum) for m in norms]


def test_a_mobile_backbone_is_the_features_of_a_classifier(hub: Any) -> None:
    weights = arbitrary(mobilenet_v3_large())
    hub(NAME, "backbone", weights)
    network = built(pretrained="backbone")
    head = network.network.state_dict()["classifier.low_classifier.weight"].clone()
    network.take_pretrained()
    state = network.network.state_dict()
    taken = [name for name in state if name.startswith("backbone.")]
    assert all(torch.equal(state[n], weights[n.replace("backbone.", "features.")]) for n in taken)
    assert torch.equal(state["classifier.low_classifier.weight"], head)


@pytest.mark.slow
def test_a_resnet_is_a_backbone_but_for_its_classifier(hub: Any) -> None:
    weights = arbitrary(resnet50())
    hub("fcn_resnet50", "backbone", weights)
    network = built(name="fcn_resnet50", pretrained="backbone")
    network.take_pretrained()
    assert torch.equal(network.network.state_dict()["backbone.conv1.weight"], weights["conv1.weight"])


def test_a_whole_network_is_taken_but_for_what_is_of_other_classes(hub: Any) -> None:
    weights = arbitrary(get_model(NAME, weights=None, weights_backbone=None, num_classes=21))
    hub(NAME, "whole", weights)
    network = built(pretrained="whole")
    network.take_pretrained()
    state = network.network.state_dict()
    own = {name for name in state if not torch.equal(state[name], weights[name])}
    assert own == {f"classifier.{part}_classifier.{w}" for part in ("low", "high") for w in ("weight", "bias")}


def test_what_is_missing_in_a_file_is_no_published_one(hub: Any) -> None:
    weights = arbitrary(get_model(NAME, weights=None, weights_backbone=None, num_classes=21))
    hub(NAME, "whole", {name: value for name, value in weights.items() if name != "classifier.cbr.0.weight"})
    with pytest.raises(UserError, match=r"has no classifier\.cbr\.0\.weight, it is not the published one"):
        built(pretrained="whole").take_pretrained()


@pytest.mark.parametrize("pretrained", ["whole", "backbone"])
def test_weights_that_cannot_be_had_are_an_error_and_never_arbitrary(hub: Any, pretrained: Any) -> None:
    with pytest.raises(UserError, match=r"choose model/network=small, or model\.network\.pretrained=none"):
        built(pretrained=pretrained).take_pretrained()
    built().take_pretrained()


def test_one_image_for_each_of_several_processes_is_several_images(tmp_path: Path) -> None:
    def scenario() -> list[int]:
        images = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(rank()))
        return [*built()(images).shape]

    assert on_ranks(2, tmp_path, scenario) == [[1, 5, 32, 32]] * 2


def test_mistakes() -> None:
    with pytest.raises(UserError, match="did you mean fcn_resnet50"):
        built(name="fcn_resnet_50")
    with pytest.raises(UserError, match="sees 1 or 3, choose model/network=small"):
        built(in_channels=4)
    with pytest.raises(UserError, match="takes statistics of several images, got one"):
        built()(torch.zeros(1, 3, 32, 32))
