from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from freqgan.errors import UserError
from freqgan.networks import MultiScaleDiscriminator
from tests.networks.translators import image


def network(**settings: Any) -> MultiScaleDiscriminator:
    torch.manual_seed(0)
    return MultiScaleDiscriminator(**{"channels": 4, "max_channels": 16} | settings)


def test_its_parameters_are_those_that_were_published() -> None:
    with torch.device("meta"):
        built = MultiScaleDiscriminator(in_channels=35 + 1 + 3)
    counts = [sum(w.numel() for w in judge.parameters()) for judge in built.scales]
    assert counts == [2_801_601] * 3


@pytest.mark.parametrize("scales", [1, 2, 3])
def test_every_scale_has_the_same_shape_and_weights_of_its_own(scales: int) -> None:
    built = network(scales=scales)
    shapes = [[tuple(w.shape) for w in judge.parameters()] for judge in built.scales]
    assert len(shapes) == scales
    assert all(shape == shapes[0] for shape in shapes)
    weights = [next(judge.parameters()) for judge in built.scales]
    assert len({w.data_ptr() for w in weights}) == scales
    assert all(not torch.equal(w, weights[0]) for w in weights[1:])


def test_they_see_the_image_half_of_it_and_a_quarter() -> None:
    built, seen = network(), list[Tensor]()
    for judge in built.scales:
        judge.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    x = image(2, 3, 32, 48)
    built(x)
    pool = nn.AvgPool2d(3, 2, 1, count_include_pad=False)
    for got, wanted in zip(seen, (x, pool(x), pool(pool(x))), strict=True):
        assert torch.equal(got, wanted)
    assert [tuple(s.shape[2:]) for s in seen] == [(32, 48), (16, 24), (8, 12)]


def test_outputs_are_those_of_every_published_layer() -> None:
    built, x = network(scales=1), image(2, 3, 20, 33)
    (outputs,) = built(x)
    convolutions = [m for m in built.modules() if isinstance(m, nn.Conv2d)]
    assert [(c.kernel_size[0], c.stride[0], c.padding[0]) for c in convolutions] == [(4, s, 2) for s in (2, 2, 2, 1, 1)]
    y, expected = x, []
    for number, layer in enumerate(convolutions):
        y = F.conv2d(y, layer.weight, layer.bias, layer.stride, 2)
        y = F.instance_norm(y) if 0 < number < 4 else y
        y = F.leaky_relu(y, 0.2) if number < 4 else y
        expected.append(y)
    assert [o.shape[1] for o in outputs] == [4, 8, 16, 16, 1]
    for got, wanted in zip(outputs, expected, strict=True):
        torch.testing.assert_close(got, wanted)


def test_depth_is_a_setting() -> None:
    assert [len(outputs) for outputs in network(layers=5, scales=2)(image(1, 3, 64, 64))] == [7, 7]


@pytest.mark.parametrize("norm", ["batch", "instance", "spectral", "none"])
def test_norms(norm: Any) -> None:
    built = network(norm=norm, scales=2, layers=2)
    outputs = built(image(2, 3, 24, 17))
    torch.stack([o[-1].square().mean() for o in outputs]).sum().backward()
    assert all(w.grad is not None and w.grad.isfinite().all() for w in built.parameters())
    found = [type(m).__name__ for m in built.modules() if "Norm2d" in type(m).__name__]
    assert found == {"batch": ["BatchNorm2d"] * 4, "instance": ["InstanceNorm2d"] * 4}.get(norm, [])
    parametrized = [m for m in built.modules() if isinstance(m, nn.Conv2d) and hasattr(m, "parametrizations")]
    assert len(parametrized) == (8 if norm == "spectral" else 0)


@pytest.mark.parametrize("scales", [0, 4])
def test_other_numbers_of_scales_are_refused(scales: int) -> None:
    with pytest.raises(UserError, match=rf"discriminator\.scales={scales} must be 1, 2 or 3"):
        network(scales=scales)


def test_images_of_which_too_little_would_be_left_are_refused() -> None:
    assert len(network()(image(1, 3, 8, 8))) == 3
    with pytest.raises(UserError, match=r"scales=3 leaves too little of 9x7 pixels: choose fewer scales"):
        network()(image(1, 3, 7, 9))
