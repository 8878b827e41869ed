from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision import models

from freqgan.errors import UserError
from freqgan.features import LPIPSBackbone

NETS = ("alex", "vgg")


def convolutions(net: str) -> nn.Sequential:
    """torchvision's graph without weights."""
    with torch.device("meta"):
        graph: nn.Sequential = {"alex": models.alexnet, "vgg": models.vgg16}[net]().features
    return graph


def arbitrary_weights(net: str) -> dict[str, Tensor]:
    """Weights of the released shapes, of a scale that keeps the maps alive; they know no image."""
    generator = torch.Generator().manual_seed(0)
    return {
        name: torch.randn(w.shape, generator=generator) * (2 / w[0].numel()) ** 0.5
        if w.ndim > 1
        else torch.zeros(w.shape)
        for name, w in convolutions(net).state_dict().items()
    }


@pytest.mark.parametrize("net", NETS)
def test_the_layers_are_activations_before_the_image_shrinks(net: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = arbitrary_weights(net)
    monkeypatch.setattr(LPIPSBackbone, "read_weights", lambda _: weights)
    network = LPIPSBackbone(net)
    x = torch.rand(1, 3, 64, 48, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        outputs = network.extract(x, network.layers)
    widths = {"alex": (64, 192, 384, 256, 256), "vgg": (64, 128, 256, 512, 512)}[net]
    heights = {"alex": (15, 7, 3, 3, 3), "vgg": (64, 32, 16, 8, 4)}[net]
    assert [tuple(outputs[f"relu{i}"].shape[1:3]) for i in range(1, 6)] == list(zip(widths, heights, strict=True))
    assert all(bool((outputs[f"relu{i}"] >= 0).all()) for i in range(1, 6))
    assert outputs["pool"].shape == (1, network.dim)


def test_colours_are_normalised_as_the_authors_of_lpips_did() -> None:
    mean = torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1)
    prepared = LPIPSBackbone("alex").prepare(mean + torch.tensor([0.458, 0.448, 0.450]).view(3, 1, 1))
    torch.testing.assert_close(prepared, torch.ones(1, 3, 1, 1))


def test_a_torn_file_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    file = tmp_path / "hub" / "checkpoints" / "vgg16-397923af.pth"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"half")
    with pytest.raises(UserError, match=r"the VGG16 of LPIPS cannot be loaded .* or set metrics.lpips=null"):
        LPIPSBackbone("vgg").weights_hash()
