from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from freqgan.blocks import GroupedLinear, HalvingConv2d, spectral_norm

GROUPS = 3


def layers() -> dict[str, Any]:
    torch.manual_seed(0)
    return {
        "convolution": HalvingConv2d(2 * GROUPS, 5 * GROUPS, groups=GROUPS),
        "linear": GroupedLinear(4 * GROUPS, 5 * GROUPS, groups=GROUPS),
        "heads": nn.Linear(7, GROUPS),  # one row each
    }


def greatest(weight: Tensor, *, groups: int = GROUPS) -> list[float]:
    parts = weight.detach().chunk(groups)
    return [float(torch.linalg.matrix_norm(part.flatten(1), 2)) for part in parts]


@pytest.mark.parametrize("name", layers())
def test_every_group_comes_to_a_singular_value_of_one(name: str) -> None:
    layer = layers()[name]
    with torch.no_grad():
        for i, part in enumerate(layer.weight.chunk(GROUPS)):
            part.mul_(10.0**i)  # PyTorch's would divide all by the greatest of the last
    before = layer.weight.detach().clone()
    spectral_norm(layer, groups=GROUPS)
    for _ in range(100):
        weight = layer.weight
    assert greatest(weight) == pytest.approx([1] * GROUPS, abs=1e-3)
    scales = torch.tensor(greatest(before)).repeat_interleave(len(before) // GROUPS)
    torch.testing.assert_close(weight, before / scales.view(-1, *[1] * (before.dim() - 1)), rtol=2e-3, atol=1e-6)


@pytest.mark.parametrize("name", ["convolution", "linear"])
def test_groups_are_layers_of_their_own(name: str) -> None:
    layer = layers()[name].double()
    singles = []
    for part in layer.weight.detach().chunk(GROUPS):
        single = nn.Linear(1, 1, bias=False).double()
        single.weight = nn.Parameter(part.clone())
        singles.append(single)
    spectral_norm(layer, groups=GROUPS)
    for i, single in enumerate(singles):
        spectral_norm(single)
        for side in ("left", "right"):
            mine = getattr(layer.parametrizations.weight[0], side).chunk(GROUPS)[i]
            getattr(single.parametrizations.weight[0], side).copy_(mine)
    for _ in range(3):
        whole, parts = layer.weight, torch.cat([single.weight for single in singles])
        torch.testing.assert_close(whole, parts)
    direction = torch.randn_like(whole)
    (whole * direction).sum().backward()
    (parts * direction).sum().backward()
    gradients = [single.parametrizations.weight.original.grad for single in singles]
    torch.testing.assert_close(layer.parametrizations.weight.original.grad, torch.cat(gradients))


def test_one_group_is_pytorchs() -> None:
    torch.manual_seed(0)
    ours, theirs = nn.Linear(6, 4).double(), nn.Linear(6, 4).double()
    theirs.load_state_dict(ours.state_dict())
    spectral_norm(ours)
    # PyTorch takes the two half steps in the other order: over the other dimension they are those of the algorithm.
    parametrizations.spectral_norm(theirs, dim=1)
    mine, reference = ours.parametrizations.weight[0], theirs.parametrizations.weight[0]
    mine.left.copy_(torch.nn.functional.normalize(torch.ones(4), dim=0))
    reference._v.copy_(mine.left)
    for _ in range(5):
        x, weight = torch.randn(3, 6).double(), torch.randn(3, 4).double()
        ours.zero_grad(), theirs.zero_grad()
        outputs = [ours(x), theirs(x)]
        torch.testing.assert_close(*outputs)
        for y in outputs:
            (y * weight).sum().backward()
        torch.testing.assert_close(
            ours.parametrizations.weight.original.grad, theirs.parametrizations.weight.original.grad
        )


def test_evaluation_takes_no_iteration() -> None:
    layer = layers()["convolution"]
    spectral_norm(layer, groups=GROUPS)
    vectors = layer.parametrizations.weight[0]
    before, weight = vectors.left.clone(), layer.weight
    assert not torch.equal(vectors.left, before)
    after = vectors.left.clone()
    layer.eval()
    assert torch.equal(layer.weight, layer.weight)
    assert torch.equal(vectors.left, after)
    assert weight.shape == (15, 2, 4, 4)


def test_the_state_is_the_weight_and_two_vectors() -> None:
    layer = layers()["convolution"]
    spectral_norm(layer, groups=GROUPS)
    shapes = {name: tuple(value.shape) for name, value in layer.state_dict().items()}
    assert shapes == {
        "bias": (15,),
        "parametrizations.weight.original": (15, 2, 4, 4),
        "parametrizations.weight.0.left": (15,),
        "parametrizations.weight.0.right": (3 * 2 * 16,),
    }


def test_the_division_is_in_float32_under_autocast() -> None:
    layer = layers()["linear"]
    spectral_norm(layer, groups=GROUPS)
    layer.eval()
    with torch.autocast("cpu", torch.bfloat16):
        inside = layer.weight
    assert torch.equal(inside, layer.weight)
    assert inside.dtype == torch.float32


def test_what_a_step_will_cost_is_computed_on_the_meta_device() -> None:
    with torch.device("meta"):
        layer = layers()["convolution"]
        spectral_norm(layer, groups=GROUPS)
    assert layer(torch.empty(1, 6, 8, 8, device="meta")).is_meta
