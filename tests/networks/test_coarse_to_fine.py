from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from freqgan.errors import UserError
from freqgan.networks import CoarseToFine, GlobalGenerator, InstanceEncoder, LocalEnhancer, UNet
from tests.networks.translators import image, positive

SMALL = partial(GlobalGenerator, channels=8, halvings=2, blocks=1)


def network(enhancers: Any = (1,), **settings: Any) -> CoarseToFine:
    torch.manual_seed(0)
    built = CoarseToFine(**{"coarse": SMALL, "in_channels": 5, "enhancers": enhancers} | settings)
    for weight in built.parameters():
        weight.data.mul_(5)  # as they begin, hardly anything comes through
    return built


def parameters(module: nn.Module) -> int:
    return sum(w.numel() for w in module.parameters())


def test_its_parameters_are_those_that_were_published() -> None:
    with torch.device("meta"):
        built = CoarseToFine(coarse=GlobalGenerator, in_channels=36)
    assert isinstance(built.coarse, GlobalGenerator)
    # The published code drops what makes an image of G1's features once there is an enhancer.
    assert parameters(built) - parameters(built.coarse.to_image) == 182_857_059


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_each_enhancer_doubles_height_and_width_of_the_net_inside_it(depth: int) -> None:
    built, shapes = network((1, 1)), list[tuple[int, ...]]()
    assert isinstance(built.coarse, GlobalGenerator)
    for part in (built.coarse.layers, *built.enhancers):
        part.register_forward_hook(lambda module, given, made: shapes.append(tuple(made.shape[1:])))
    assert built(image(1, 5, 32, 64), depth=depth).shape == (1, 3, 32, 64)
    assert shapes == [(8 >> n, 32 >> depth - n, 64 >> depth - n) for n in range(depth + 1)]


def test_an_enhancer_takes_the_features_of_the_net_inside_it_and_not_its_image() -> None:
    built, x = network(), image(1, 5, 32, 32)
    assert isinstance(built.coarse, GlobalGenerator)
    before = built(x)
    nn.init.normal_(built.coarse.to_image.weight)
    assert torch.equal(built(x), before)
    nn.init.normal_(next(built.coarse.layers.parameters()))
    assert not torch.allclose(built(x), before, atol=1e-2)


def test_it_is_the_published_graph() -> None:
    built, x = network(), image(2, 5, 16, 24)
    (enhancer,) = built.enhancers
    assert isinstance(enhancer, LocalEnhancer)
    assert isinstance(built.coarse, GlobalGenerator)
    smaller = nn.AvgPool2d(3, 2, 1, count_include_pad=False)(x)
    inner = built.coarse.features(smaller)
    features = enhancer.up(enhancer.down(x) + inner)
    torch.testing.assert_close(built(x), torch.tanh(enhancer.to_image(features)))


def test_the_net_inside_is_a_generator_by_itself() -> None:
    built, x = network((1, 1)), image(1, 5, 20, 28)
    torch.testing.assert_close(built(x, depth=0), built.coarse(x))


@pytest.mark.parametrize("size", [(37, 50), (5, 3), (16, 16), (1, 40)])
@pytest.mark.parametrize("depth", [0, 1, 2, None])
def test_any_height_and_width(size: tuple[int, int], depth: int | None) -> None:
    made = network((1, 1))(image(2, 5, *size), depth=depth)
    assert made.shape == (2, 3, *size)
    assert made.dtype == torch.float32
    assert made.abs().max() <= 1


def test_gradients_reach_every_part_that_takes_part() -> None:
    built = network((1, 1))
    built(image(1, 5, 16, 16), depth=1).square().sum().backward()

    def reached(module: nn.Module) -> list[bool]:
        return [w.grad is not None and w.grad.abs().sum() > 0 for w in module.parameters() if w.ndim > 1]

    assert isinstance(built.coarse, GlobalGenerator)
    assert all(reached(built.coarse.layers))
    assert all(reached(built.enhancers[0]))
    assert not any(reached(built.coarse.to_image))
    assert not any(reached(built.enhancers[1]))


def test_an_encoders_features_are_a_part_of_the_input() -> None:
    encoder = partial(InstanceEncoder, features=2, channels=2, halvings=1)
    built = network(encoder=encoder)
    assert built.encoder is not None
    assert built(image(1, 7, 16, 16)).shape == (1, 3, 16, 16)
    assert "encoder.centres" in built.state_dict()


def test_how_much_of_it_has_been_trained_travels_with_the_weights() -> None:
    one, other = network((1, 1)), network((1, 1))
    one.trained.fill_(1)
    other.load_state_dict(one.state_dict())
    assert int(other.trained) == 1


def test_both_ways_of_doubling_have_the_same_parameters() -> None:
    shapes = [
        {
            name: tuple(w.shape)
            for name, w in network(coarse=partial(SMALL, upsampler=how), upsampler=how).named_parameters()
        }
        for how in ("transposed", "interpolation")
    ]
    assert list(shapes[0]) == list(shapes[1])
    assert [sorted(shape) for shape in shapes[0].values()] == [sorted(shape) for shape in shapes[1].values()]


def test_any_translator_may_stand_alone() -> None:
    coarse = partial(UNet, image_size=16, channels=4)
    assert network((), coarse=coarse)(image(1, 5, 16, 16)).shape == (1, 3, 16, 16)
    with pytest.raises(UserError, match=r"enhancers need a GlobalGenerator inside, got UNet: set enhancers=\[\]"):
        network(coarse=coarse)
    with pytest.raises(UserError, match=r"coarse\.channels=8 is halved by each of 4 enhancers: set it to a multiple"):
        network((1,) * 4)


def test_one_image_does_not_depend_on_the_others() -> None:
    built, x = network(), image(3, 5, 16, 16)
    torch.testing.assert_close(built(x)[1:2], built(x[1:2]))


@pytest.mark.parametrize("upsampler", ["transposed", "interpolation"])
@pytest.mark.parametrize("enhancers", [(), (1,), (1, 2)])
def test_a_pixel_sees_as_far_as_the_halo_and_no_farther(enhancers: tuple[int, ...], upsampler: str) -> None:
    coarse = partial(GlobalGenerator, channels=4, halvings=1, blocks=1, norm="batch", upsampler=upsampler)
    settings: dict[str, Any] = {"enhancers": enhancers, "norm": "batch", "upsampler": upsampler}
    built = positive(CoarseToFine(coarse=coarse, in_channels=2, **settings))
    halo, stride = built.halo, built.stride
    assert halo is not None
    assert stride == 2 << len(enhancers)
    side = (2 * halo // stride + 4) * stride
    seen = []
    for pixel in range(side // 2, side // 2 + stride):
        x = torch.zeros(1, 2, side, side, dtype=torch.float64, requires_grad=True)
        built(x)[0, 0, pixel, pixel].backward()
        assert x.grad is not None
        rows = x.grad.abs().sum((0, 1, 3)).nonzero().flatten()
        seen += [pixel - int(rows.min()), int(rows.max()) - pixel]
    assert max(seen) == halo


def test_with_statistics_of_the_whole_image_there_is_no_halo() -> None:
    batch = partial(SMALL, norm="batch")
    assert network(coarse=batch, norm="batch").halo is not None
    assert network(coarse=batch, norm="instance").halo is None
    assert network(coarse=SMALL, norm="batch").halo is None
    assert network((), coarse=batch).halo is not None
