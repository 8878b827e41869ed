"""Reading scenes: what is learned, and what becomes of a reading."""

import torch

from freqgan.data import Scenes
from freqgan.data.scene_captions import statements
from freqgan.data.scene_layout import BACKGROUNDS, COLORS, PATTERNS, SHAPES, Layout, captions
from freqgan.networks import SceneReading
from freqgan.networks.scene_reader import CELLS
from freqgan.systems.scene_reading import BATCH, _cells, _drawn, _facts, layouts_of, reading_loss, train_reader


def scenes(size: int = 16, length: int = 80) -> Scenes:
    made = Scenes(length=length, image_size=size, split="train")
    made.prepare()
    return made


def reading(layouts: list[Layout]) -> SceneReading:
    """A reading without doubt, of layouts."""
    facts = torch.stack([_facts(layout) for layout in layouts])

    def sure(names: object, found: list[str]) -> torch.Tensor:
        return torch.tensor([[20.0 if name == one else -20.0 for name in names] for one in found])  # type: ignore[attr-defined]

    kinds = torch.nn.functional.one_hot(facts[..., 1].long(), len(SHAPES)) * 40.0 - 20
    nothing = torch.zeros(len(layouts), 1, CELLS, CELLS)
    return SceneReading(
        nothing,
        nothing,
        facts[..., 0] * 40 - 20,
        kinds,
        facts[..., 2] * 40 - 20,
        facts[..., 3:],
        sure(BACKGROUNDS, [layout.background for layout in layouts]),
        sure(PATTERNS, [layout.pattern for layout in layouts]),
    )


def test_what_is_read_without_doubt_says_what_the_scene_says() -> None:
    made = scenes()
    layouts = [made.layout(n) for n in range(40)]
    for layout, found in zip(layouts, layouts_of(reading(layouts)), strict=True):
        assert all(statement.true for caption in captions(layout) for statement in statements(caption, found))
        assert {shape.color for shape in found.shapes} == {shape.color for shape in layout.shapes}


def test_cells_show_what_lies_in_their_middle() -> None:
    made = scenes(64)
    sample, layout = made[3], made.layout(3)
    color, kind = _cells(sample["instance_map"], layout)
    assert color.shape == (CELLS, CELLS)
    for row, column in ((0, 0), (7, 8), (12, 4)):
        number = int(sample["instance_map"][4 * row + 2, 4 * column + 2])
        shape = layout.shapes[number - 1] if number else None
        assert int(color[row, column]) == (1 + list(COLORS).index(shape.color) if shape else 0)
        assert int(kind[row, column]) == (SHAPES.index(shape.kind) if shape else 0)
    assert len(color.unique()) == 1 + len(layout.shapes)


def test_training_reads_better_and_leaves_the_generators_alone() -> None:
    made = scenes()
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, later = train_reader(made, BATCH), train_reader(made, 6 * BATCH)
    assert torch.equal(torch.get_rng_state(), before)
    drawn = [*_drawn(made, 0)]
    with torch.no_grad():
        assert reading_loss(later.train(), drawn) < 0.9 * reading_loss(first.train(), drawn)
        assert torch.equal(reading_loss(train_reader(made, BATCH).train(), drawn), reading_loss(first, drawn))
