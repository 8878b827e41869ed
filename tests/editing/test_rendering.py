import numpy as np
import pytest
import torch

from freqgan.editing import Canvas, Renderer
from freqgan.editing.rendering import Box
from freqgan.errors import DivergedError
from tests.editing.canvases import CAR, ROAD, SKY, THINGS, model, street


def wide(seed: int = 0, height: int = 64, width: int = 160) -> Canvas:
    random = np.random.default_rng(seed)
    blocks = random.integers(0, 4, (height // 8, width // 8)).astype(np.uint8)
    plane = blocks.repeat(8, 0).repeat(8, 1)
    return Canvas(plane, plane.astype(np.int32), THINGS)


def whole(system, canvas):
    """The picture, made at once."""
    return Renderer(system).render(canvas)[0]


def edits(canvas):
    yield canvas.painted([(70.5, 30.5), (76.5, 34.5)], ROAD, 3)
    yield canvas.painted([(0.5, 0.5)], CAR, 2)
    yield canvas.moved((100.5, 20.5), 6, 4)
    yield canvas.removed((159.5, 63.5))
    yield canvas.extended("right", 8)
    yield canvas.extended("left", 8)
    yield canvas.extended("right", 5)  # not a multiple of what the network halves by


def test_what_an_edit_leaves_is_what_a_whole_picture_would_have_there() -> None:
    system, canvas = model(), wide()
    for number, after in enumerate(edits(canvas)):
        renderer = Renderer(system)
        renderer.render(canvas)
        picture, box = renderer.render(after)
        assert box is not None
        assert box.width * box.height < 0.8 * picture[..., 0].size, number
        wanted = whole(system, after)
        assert np.abs(picture.astype(int) - wanted).max() <= 1, number  # a rounding apart
        assert (picture != wanted).mean() < 1e-4, number
        back, _ = renderer.render(canvas)
        assert np.abs(back.astype(int) - whole(system, canvas)).max() <= 1, number


def test_an_edit_shows_where_it_was_made() -> None:
    system, canvas = model(), wide()
    after = canvas.painted([(70.5, 30.5)], (canvas.at((70.5, 30.5))[0] + 1) % 4, 3)
    before, changed = whole(system, canvas), whole(system, after)
    assert (before != changed)[28:34, 68:74].any()


def test_beyond_reach_of_an_edit_nothing_differs() -> None:
    system, canvas = model(), wide()
    renderer = Renderer(system)
    before, _ = renderer.render(canvas)
    after, box = renderer.render(canvas.painted([(70.5, 30.5)], ROAD, 3))
    assert renderer.halo is not None
    assert box is not None
    assert box.width <= 2 * (renderer.halo + 5)
    outside = np.ones(before.shape[:2], bool)
    box.of_plane(outside)[:] = False
    assert outside.any()
    assert np.array_equal(before[outside], after[outside])


def test_a_stroke_that_changes_nothing_costs_nothing() -> None:
    renderer = Renderer(model())
    renderer.render(street())
    assert renderer.render(street().painted([(1.5, 1.5)], SKY, 1))[1] is None


def test_statistics_of_the_whole_image_reach_everywhere() -> None:
    renderer = Renderer(model("instance"))
    assert renderer.halo is None
    renderer.render(wide())
    after = wide().painted([(70.5, 30.5)], ROAD, 3)
    picture, box = renderer.render(after)
    assert box == Box(0, 0, 160, 64)
    assert np.array_equal(picture, whole(renderer.system, after))


def test_what_enhancers_have_not_learnt_yet_is_made_whole() -> None:
    system = model()
    for generator in (system.generator, system.ema.module):
        generator.trained.fill_(0)
    assert Renderer(system).halo is None


def test_another_seed_makes_again_what_its_looks_are_drawn_for() -> None:
    system = model(features=2)
    for generator in (system.generator, system.ema.module):
        generator.encoder.keep({CAR: torch.tensor([[-1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])})
    renderer = Renderer(system)
    canvas = Canvas.blank(40, 160, ROAD, things=THINGS).painted([(80.5, 20.5)], CAR, 4)
    before, _ = renderer.render(canvas)
    label, instance = canvas.at((80.5, 20.5))
    assert (label, instance) == (CAR, 1000)
    pictures = [renderer.render(canvas.looking((80.5, 20.5), look)) for look in range(3)]
    assert not np.array_equal(pictures[0][0], pictures[1][0])
    assert all(box is None or box.width < 160 for _, box in pictures)
    seeds = [renderer.render(canvas.seeded(seed))[0] for seed in range(8)]
    assert any(not np.array_equal(before, picture) for picture in seeds)


def test_what_is_not_finite_is_refused() -> None:
    system = model()
    for weights in system.ema.module.parameters():
        weights.data.fill_(float("nan"))
    with pytest.raises(DivergedError, match="not finite"):
        Renderer(system).render(street())
