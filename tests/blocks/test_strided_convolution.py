import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from freqgan.blocks import DoublingConv2d, HalvingConv2d
from freqgan.blocks import strided_convolution as module

Layer = HalvingConv2d | DoublingConv2d
INPUTS, OUTPUTS = 6, 4
ROUNDING = 2**-8  # of one number to bf16; rounded operands and results add up to less, as signs differ

layers = pytest.mark.parametrize("ours", [HalvingConv2d, DoublingConv2d])
grouped = pytest.mark.parametrize("groups", [1, 2])


def pair(ours: type[Layer], *, groups: int = 1, bias: bool = True) -> tuple[Layer, nn.Module]:
    """Our layer and the library's, with the same weights."""
    torch.manual_seed(0)
    layer = ours(INPUTS, OUTPUTS, groups=groups, bias=bias)
    library = nn.Conv2d if ours is HalvingConv2d else nn.ConvTranspose2d
    reference = library(INPUTS, OUTPUTS, 4, 2, 1, groups=groups, bias=bias)
    reference.load_state_dict(layer.state_dict())
    return layer, reference


def images(ours: type[Layer], *, side: int | None = None) -> Tensor:
    torch.manual_seed(1)
    side = side or (8 if ours is HalvingConv2d else 4)
    return torch.randn(3, INPUTS, side, side + 2)


def pass_through(layer: nn.Module, x: Tensor, *, bf16: bool = False) -> dict[str, Tensor]:
    """Value and all gradients of a weighted sum of the outputs."""
    layer.zero_grad()
    x = x.detach().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        y = layer(x)
    torch.manual_seed(2)
    (y * torch.randn(y.shape)).sum().backward()
    named = {name: p.grad for name, p in layer.named_parameters()}
    return {"value": y.detach(), "input": x.grad, **named}  # type: ignore[dict-item]


def error(result: Tensor, truth: Tensor) -> float:
    return float((result.float() - truth).norm() / truth.norm())


@pytest.fixture
def applied(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the functions of ours that ran, so that no test passes by way of the library."""
    names: list[str] = []
    original = module._apply

    def watch(function: Any, library: Callable[[Tensor], Tensor], x: Tensor, *rest: Any) -> Tensor:
        def noted(x: Tensor) -> Tensor:
            names.append("library")
            return library(x)

        before = len(names)
        y = original(function, noted, x, *rest)
        names.extend([function.__name__] if len(names) == before else [])
        return y

    monkeypatch.setattr(module, "_apply", watch)
    return names


@layers
@grouped
@pytest.mark.parametrize("bias", [True, False])
def test_float32_is_the_library(ours: type[Layer], bias: bool, groups: int, applied: list[str]) -> None:
    layer, reference = pair(ours, groups=groups, bias=bias)
    got, wanted = pass_through(layer, images(ours)), pass_through(reference, images(ours))
    assert applied == ["library"]
    assert got.keys() == wanted.keys()
    assert all(torch.equal(got[name], wanted[name]) for name in wanted)


@layers
@grouped
@pytest.mark.parametrize("bias", [True, False])
def test_bf16_is_as_close_to_float32_as_the_library(
    ours: type[Layer], bias: bool, groups: int, applied: list[str]
) -> None:
    layer, reference = pair(ours, groups=groups, bias=bias)
    truth = pass_through(reference, images(ours))
    library = pass_through(reference, images(ours), bf16=True)
    got = pass_through(layer, images(ours), bf16=True)
    assert applied == [module._Halve.__name__ if ours is HalvingConv2d else module._Double.__name__]
    assert got["value"].dtype == torch.bfloat16
    assert got["weight"].dtype == got["input"].dtype == torch.float32
    for name, value in truth.items():
        assert error(got[name], value) < ROUNDING
        assert error(got[name], value) <= 1.05 * error(library[name], value)
    assert torch.equal(got["value"], library["value"])


@layers
@grouped
def test_bf16_weights_without_autocast(ours: type[Layer], groups: int, applied: list[str]) -> None:
    layer, reference = pair(ours, groups=groups)
    truth = pass_through(reference, images(ours))
    got = pass_through(layer.bfloat16(), images(ours).bfloat16())
    assert "library" not in applied
    assert all(got[name].dtype == torch.bfloat16 for name in got)
    assert all(error(got[name], truth[name]) < ROUNDING for name in truth)


@pytest.mark.parametrize("bf16", [True, False])
def test_odd_sides_are_halved_by_the_library(bf16: bool, applied: list[str]) -> None:
    layer, reference = pair(HalvingConv2d)
    x = images(HalvingConv2d, side=9)
    got, wanted = pass_through(layer, x, bf16=bf16), pass_through(reference, x, bf16=bf16)
    assert applied == ["library"]
    assert got["value"].shape == (3, OUTPUTS, 4, 5)
    assert all(torch.equal(got[name], wanted[name]) for name in wanted)


def test_odd_sides_are_doubled(applied: list[str]) -> None:
    layer, reference = pair(DoublingConv2d)
    x = images(DoublingConv2d, side=5)
    got, wanted = pass_through(layer, x, bf16=True), pass_through(reference, x)
    assert applied == ["_Double"]
    assert got["value"].shape == (3, OUTPUTS, 10, 14)
    assert all(error(got[name], wanted[name]) < ROUNDING for name in wanted)


@layers
@pytest.mark.parametrize("larger", [0, 2])
def test_large_maps_are_left_to_the_library(ours: type[Layer], larger: int, applied: list[str]) -> None:
    layer, _ = pair(ours)
    small = 8 + larger  # the smaller of input and output
    side = 2 * small if ours is HalvingConv2d else small
    with torch.autocast("cpu", torch.bfloat16):
        layer(torch.zeros(1, INPUTS, side, side))
    assert (applied == ["library"]) == bool(larger)


@layers
def test_without_gradients(ours: type[Layer]) -> None:
    layer, reference = pair(ours)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        y, wanted = layer(images(ours)), reference(images(ours))
    assert not y.requires_grad
    assert torch.equal(y, wanted)


@layers
def test_frozen_weights_let_gradients_through_to_the_input(ours: type[Layer], applied: list[str]) -> None:
    layer, reference = pair(ours)
    layer.requires_grad_(False)
    reference.requires_grad_(False)
    got, wanted = (pass_through(one, images(ours), bf16=True) for one in (layer, reference))
    assert applied == ["library"]
    assert got["weight"] is got["bias"] is None
    assert torch.equal(got["input"], wanted["input"])


@layers
def test_a_frozen_bias_alone_gets_no_gradient(ours: type[Layer], applied: list[str]) -> None:
    layer, _ = pair(ours)
    layer.bias.requires_grad_(False)  # type: ignore[union-attr]
    got = pass_through(layer, images(ours), bf16=True)
    assert "library" not in applied
    assert got["bias"] is None
    assert got["weight"].abs().sum() > 0


@grouped
@pytest.mark.parametrize("function", [module._Halve, module._Double])
def test_first_and_second_derivatives(function: Any, groups: int) -> None:
    torch.manual_seed(0)
    # The two directions read the weight with its channels swapped, so equal numbers of channels would hide a mistake.
    inputs, outputs, side = (3, 2, 4) if function is module._Halve else (2, 3, 2)
    weight = torch.randn(2 * groups, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    x = torch.randn(1, inputs * groups, side, side, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(outputs * groups, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(function.apply, (x, weight, bias, groups))
    assert torch.autograd.gradgradcheck(function.apply, (x, weight, bias, groups), fast_mode=True)
    assert torch.autograd.gradgradcheck(lambda x, w: function.apply(x, w, None, groups), (x, weight), fast_mode=True)


def penalty(network: nn.Module, x: Tensor, *, bf16: bool) -> Tensor:
    """Half the mean squared norm of the gradient of the summed outputs with respect to x, R1's form."""
    x = x.detach().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        (gradient,) = torch.autograd.grad(network(x).float().sum(), x, create_graph=True)
    return gradient.float().square().flatten(1).sum(1).mean() / 2


@grouped
@pytest.mark.parametrize("frozen", [False, True])
def test_a_penalty_on_the_gradient_reaches_the_weights(frozen: bool, groups: int, applied: list[str]) -> None:
    torch.manual_seed(0)
    ours, theirs = (
        nn.Sequential(
            *(halving(6, 8, **given, groups=groups), nn.Softplus(), halving(8, 4, **given, groups=groups)),
            *(nn.Softplus(), doubling(4, 2, **given, groups=groups)),
        )
        for halving, doubling, given in (
            (HalvingConv2d, DoublingConv2d, {}),
            (nn.Conv2d, nn.ConvTranspose2d, {"kernel_size": 4, "stride": 2, "padding": 1}),
        )
    )
    theirs.load_state_dict(ours.state_dict())
    ours[0].requires_grad_(not frozen)
    theirs[0].requires_grad_(not frozen)
    x = torch.randn(4, 6, 16, 16)
    values, gradients = [], []
    for network, bf16 in ((theirs, False), (theirs, True), (ours, True)):
        value = penalty(network, x, bf16=bf16)
        learning = [p for p in network.parameters() if p.requires_grad and p is not network[-1].bias]
        values.append(value.detach())
        gradients.append(torch.autograd.grad(value, learning))
    assert applied == (["library"] if frozen else ["_Halve"]) + ["_Halve", "_Double"]
    assert error(values[2], values[0]) < ROUNDING
    for truth, library, got in zip(*gradients, strict=True):
        assert error(got, truth) < 2 * ROUNDING
        assert error(got, truth) <= 1.05 * error(library, truth)


def test_spectral_norm_bounds_the_layer_and_learns(applied: list[str]) -> None:
    layer, reference = (spectral_norm(one) for one in pair(HalvingConv2d))
    reference.load_state_dict(layer.state_dict())
    truth, got = pass_through(reference, images(HalvingConv2d)), pass_through(layer, images(HalvingConv2d), bf16=True)
    assert applied == ["_Halve"]
    assert set(got) == {"value", "input", "bias", "parametrizations.weight.original"}
    assert all(error(got[name], truth[name]) < ROUNDING for name in truth)


@layers
def test_a_copy_is_independent(ours: type[Layer]) -> None:
    layer, _ = pair(ours)
    twin = copy.deepcopy(layer)
    before = pass_through(twin, images(ours), bf16=True)
    with torch.no_grad():
        layer.weight.mul_(2)
    after = pass_through(twin, images(ours), bf16=True)
    assert type(twin) is ours
    assert all(torch.equal(before[name], after[name]) for name in before)


@layers
def test_checkpoints_are_the_librarys(ours: type[Layer]) -> None:
    layer, reference = pair(ours)
    shapes = {name: value.shape for name, value in layer.state_dict().items()}
    assert shapes == {name: value.shape for name, value in reference.state_dict().items()}
    assert list(shapes) == ["weight", "bias"]


@layers
@grouped
@pytest.mark.parametrize("bf16", [True, False])
def test_channels_last_is_kept(ours: type[Layer], bf16: bool, groups: int) -> None:
    layer, reference = pair(ours, groups=groups)
    layer.to(memory_format=torch.channels_last)
    x = images(ours).to(memory_format=torch.channels_last)
    got = pass_through(layer, x, bf16=bf16)
    assert got["value"].is_contiguous(memory_format=torch.channels_last)
    assert not got["value"].is_contiguous()
    truth = pass_through(reference, images(ours))
    assert all(error(got[name], truth[name]) < ROUNDING for name in truth)


@layers
@grouped
def test_float64_stays_float64_under_autocast(ours: type[Layer], groups: int) -> None:
    layer, reference = pair(ours, groups=groups)
    x = images(ours).double()
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(layer.double()(x), reference.double()(x))


def test_a_wanted_output_size_is_the_librarys() -> None:
    layer, reference = pair(DoublingConv2d)
    x = images(DoublingConv2d)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(layer(x, [9, 13]), reference(x, [9, 13]))


def test_a_step_on_the_meta_device() -> None:
    with torch.device("meta"):
        y = HalvingConv2d(3, 4)(torch.empty(2, 3, 8, 8))
    assert y.shape == (2, 4, 4, 4)
