"""The networks that `model/generator` names are as large as their first lines say."""

import pytest
import torch
import yaml
from torch.utils.flop_counter import FlopCounterMode

from freqgan.config.targets import build
from freqgan.networks import SuperResolver
from freqgan.vocabulary import shipped_conf

PRESETS = sorted((shipped_conf() / "model" / "generator").glob("*.yaml"))
SIDE = 16


def cost(name: str) -> tuple[int, float]:
    """Parameters at use, and thousands of multiply-adds for a pixel of the output."""
    node = yaml.safe_load((shipped_conf() / "model" / "generator" / f"{name}.yaml").read_text(encoding="utf-8"))
    with torch.device("meta"):
        network = build(node, **({"in_channels": 3} if "in_channels" in node else {}))
        assert isinstance(network, SuperResolver)
        assert network.scale == 4
        folded = network.folded()
        with FlopCounterMode(display=False) as counter:
            folded.upscale(torch.empty(1, 3, SIDE, SIDE))
    pixels = (SIDE * network.scale) ** 2
    return sum(p.numel() for p in folded.parameters()), counter.get_total_flops() / 2 / pixels / 1000


@pytest.mark.parametrize(
    ("name", "parameters", "multiply_adds"),
    [
        ("bicubic", 0, 0),
        ("branch_sr_large", 2_894_857, 239),
        ("branch_sr_medium", 642_921, 43),
        ("branch_sr_small", 145_409, 10),
        ("edsr", 1_517_571, 123),
        ("series", 151_889, 10),
        ("srcnn", 8_129, 8),
    ],
)
def test_sizes(name: str, parameters: int, multiply_adds: int) -> None:
    count, thousands = cost(name)
    assert count == parameters
    assert int(thousands) == multiply_adds


def test_every_preset_is_measured() -> None:
    (measured,) = [mark for mark in test_sizes.pytestmark if mark.name == "parametrize"]  # type: ignore[attr-defined]
    assert [case[0] for case in measured.args[1]] == [preset.stem for preset in PRESETS]
