import re
from itertools import combinations

import numpy as np
import pytest
import torch

from freqgan.data import Scenes
from freqgan.data.scene_layout import BACKGROUNDS, COLORS, SHAPES, Layout, Shape, captions
from freqgan.data.scene_painting import paint
from freqgan.errors import UserError


def scenes(**settings):
    dataset = Scenes(**({"image_size": 32, "length": 300} | settings))
    dataset.prepare()
    return dataset


def one(kind, **settings):
    shape = Shape(
        **({"kind": kind, "color": "red", "size": "large", "x": 0.5, "y": 0.5, "radius": 0.25, "angle": 0.0} | settings)
    )
    return Layout((shape,), "sand", "plain", 0.0, 3.0, 7)


def test_samples_are_a_function_of_content_seed_and_index():
    first, again, other = scenes(domain="pair"), scenes(domain="pair"), scenes(domain="pair", content_seed=1)
    for index in (0, 7, 299):
        a, b, c = first[index], again[index], other[index]
        assert all(torch.equal(a[key], b[key]) for key in ("image", "image_b", "label_map", "instance_map"))
        assert a["caption"] == b["caption"]
        assert not torch.equal(a["image"], c["image"])


def test_shapes_and_types():
    sample = scenes(domain="pair", image_size=33)[0]
    assert sample["image"].shape == sample["image_b"].shape == (3, 33, 33)
    assert sample["image"].dtype == torch.uint8
    assert (sample["label_map"].shape, sample["label_map"].dtype) == ((33, 33), torch.uint8)
    assert (sample["instance_map"].shape, sample["instance_map"].dtype) == ((33, 33), torch.int32)
    assert scenes(channels=1)[0]["image"].shape == (1, 32, 32)


def test_styles_are_named_and_paired():
    a, b, pair = scenes(domain="a")[3], scenes(domain="b")[3], scenes(domain="pair")[3]
    assert (a["domain"], b["domain"], pair["domain"]) == ("a", "b", "a")
    assert torch.equal(pair["image"], a["image"])
    assert torch.equal(pair["image_b"], b["image"])
    assert (a["image"].float() - b["image"].float()).abs().mean() > 10
    assert torch.equal(a["label_map"], b["label_map"])


AREAS = {
    "circle": np.pi,
    "square": 1.68**2,
    "triangle": 3 * np.sqrt(3) * 0.58**2,
    "cross": 4 * 0.68 - 0.68**2,
    "ring": np.pi * (0.96**2 - 0.48**2),
    "hexagon": 2 * np.sqrt(3) * 0.9**2,
    "star": 10 * 0.5 * 1.15 * 0.5 * np.sin(np.pi / 5),
    "heart": (2 * 0.62) ** 2 + np.pi * 0.62**2,
}


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("angle", [0.0, 0.3])
def test_areas_are_those_of_the_named_shapes(kind, angle):
    painting = paint(one(kind, angle=angle), 256, ("a", "b"))
    area = (painting.labels == 1 + SHAPES.index(kind)).sum() / 256**2 / 0.25**2
    assert area == pytest.approx(AREAS[kind], rel=0.01)
    assert np.array_equal(painting.labels > 0, painting.instances == 1)


@pytest.mark.parametrize("kind", SHAPES)
def test_the_box_around_a_shape_cuts_nothing_off(kind):
    for angle in np.linspace(0, 2 * np.pi, 12, endpoint=False):
        labels = paint(one(kind, angle=float(angle), radius=0.2), 128, ("a",)).labels
        moved = paint(one(kind, angle=float(angle), radius=0.2, x=0.5 + 4 / 128), 128, ("a",)).labels
        assert np.array_equal(np.roll(labels, 4, axis=1), moved)
        assert labels.any()
        inside = np.argwhere(labels)
        reach = np.hypot(*(inside - 63.5).T).max() / 128
        assert reach < 1.35 * 0.2  # the box's half side


def test_painted_colour_is_the_named_one_and_edges_are_antialiased():
    painting = paint(one("circle"), 64, ("a",))
    image = painting.images["a"].astype(float) / 255
    red, sand = np.array(COLORS["red"]), np.array(BACKGROUNDS["sand"])
    assert np.abs(image[:, 32, 32] - red).max() < 0.1
    assert np.abs(image[:, 0, 0] - sand).max() < 0.01
    share = (image[1] - sand[1]) / (red[1] - sand[1])  # of the shape's colour, by the green channel
    ring = np.abs(np.hypot(*(np.indices((64, 64)) - 31.5)) - 16) < 0.3
    assert np.abs(share[ring] - 0.5).max() < 0.4


@pytest.mark.parametrize("style", ["a", "b"])
def test_sizes_show_the_same_scene(style):
    dataset = {size: scenes(image_size=size, domain=style) for size in (64, 256)}
    for index in range(20):
        large = dataset[256][index]["image"].float()
        small = dataset[64][index]["image"].float()
        assert (torch.nn.functional.avg_pool2d(large, 4) - small).abs().mean() < 9


def test_later_shapes_are_in_front():
    back = Shape("square", "blue", "large", 0.45, 0.5, 0.25, 0.0)
    front = Shape("circle", "yellow", "small", 0.62, 0.5, 0.12, 0.0)
    painting = paint(Layout((back, front), "grey", "plain", 0.0, 3.0, 1), 64, ("a", "b"))
    centre = (32, int(0.62 * 64))
    assert painting.instances[centre] == 2
    assert painting.labels[centre] == 1 + SHAPES.index("circle")
    for style in ("a", "b"):
        red, green, blue = painting.images[style][:, *centre].astype(int)
        assert red > blue + 40
        assert green > blue + 40


def test_a_crowd_is_of_some_kinds_that_overlap():
    usual, again = scenes(), scenes(kinds=list(SHAPES), gap=0.8)
    assert torch.equal(usual[5]["image"], again[5]["image"])
    assert usual.content() == again.content()
    crowd = scenes(kinds=["circle", "heart"], gap=0.3)
    assert crowd.content() != usual.content()
    assert {shape.kind for n in range(100) for shape in crowd.layout(n).shapes} == {"circle", "heart"}
    assert {*crowd[1]["label_map"].unique().tolist()} <= {0, 1, 1 + SHAPES.index("heart")}

    def nearest(dataset):
        return min(
            np.hypot(a.x - b.x, a.y - b.y) / (a.radius + b.radius)
            for layout in map(dataset.layout, range(200))
            for a, b in combinations(layout.shapes, 2)
        )

    assert 0.3 <= nearest(crowd) < 0.5 < 0.8 <= nearest(usual)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"kinds": ["circle", "blob"]}, "data.source.kinds: blob"),
        ({"kinds": []}, "data.source.kinds: []"),
    ],
)
def test_an_impossible_crowd_is_refused(settings, said):
    with pytest.raises(UserError, match=re.escape(said)):
        scenes(**settings)


def test_captions_say_what_the_maps_show():
    dataset = scenes(image_size=64)
    for index in range(200):
        sample, layout = dataset[index], dataset.layout(index)
        labels, instances = sample["label_map"].numpy(), sample["instance_map"].numpy()
        relation, listed, counted = sample["caption"]
        shapes = re.findall(rf"an? ({'|'.join(COLORS)}) ({'|'.join(SHAPES)})", listed)
        assert shapes == [(shape.color, shape.kind) for shape in layout.shapes]
        assert len({color for color, _ in shapes}) == len(shapes) == instances.max()
        assert {"one": 1, "two": 2, "three": 3, "four": 4}[counted.split()[0]] == len(shapes)
        centres, areas = [], []
        for number, (_, kind) in enumerate(shapes, start=1):
            place = instances == number
            assert set(labels[place].tolist()) == {1 + SHAPES.index(kind)}
            whole = paint(Layout((layout.shapes[number - 1],), "sand", "plain", 0, 3, 0), 64, ("a",)).labels > 0
            assert place.sum() > 0.4 * whole.sum()  # what is named can be seen
            centres.append((layout.shapes[number - 1].x, layout.shapes[number - 1].y))
            areas.append(layout.shapes[number - 1].radius)
        assert (labels > 0).sum() == (instances > 0).sum()
        sizes = re.findall(r"a (small|large)", relation)
        assert sizes == ["large" if radius > 0.15 else "small" for radius in areas[:2]]
        if len(shapes) > 1:
            right, down = np.subtract(centres[0], centres[1])
            said = re.search(r"above|below|to the left of|to the right of", relation).group()
            true = {"above": -down, "below": down, "to the left of": -right, "to the right of": right}
            assert true[said] == max(true.values())


def test_captions_of_one_shape_say_where_it_is_and_take_the_right_article():
    layout = one("star", color="orange", x=0.2, y=0.8)
    assert captions(layout) == [
        "a large orange star at the bottom left",
        "an orange star on a plain sand background",
        "one shape on a plain sand background",
    ]
    assert captions(one("star"))[0] == "a large red star in the centre"


def test_scenes_vary():
    dataset = scenes()
    layouts = [dataset.layout(index) for index in range(300)]
    assert {shape.kind for layout in layouts for shape in layout.shapes} == set(SHAPES)
    assert {shape.color for layout in layouts for shape in layout.shapes} == set(COLORS)
    assert {layout.background for layout in layouts} == set(BACKGROUNDS)
    counts = np.bincount([len(layout.shapes) for layout in layouts], minlength=5)
    assert counts[0] == 0
    assert (counts[1:] > 20).all()


def test_split_and_fingerprint():
    parts = {split: scenes(split=split, val_fraction=0.2) for split in ("train", "val", "all")}
    assert len(parts["train"]) + len(parts["val"]) == len(parts["all"]) == 300
    assert 30 < len(parts["val"]) < 90
    settings = (
        {},
        {"content_seed": 1},
        {"domain": "b"},
        {"length": 301},
        {"image_size": 16},
        {"split": "val"},
    )
    assert len({scenes(**setting).fingerprint() for setting in settings}) == len(settings)
    assert scenes().fingerprint() == scenes(cache_dir="/elsewhere").fingerprint()


def test_wrong_arguments():
    with pytest.raises(UserError, match=r"data\.source\.domain=c"):
        Scenes(image_size=8, domain="c")
    with pytest.raises(UserError, match=r"data\.root=x is not read by Scenes: choose data=image_folder"):
        Scenes(image_size=8, root="x")
