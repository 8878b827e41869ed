"""Learning to read scenes: what is in each cell of the image, and what there is of each colour."""

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Int
from torch import Tensor

from freqgan.data import Scenes
from freqgan.data.ranges import to_signed_range
from freqgan.data.scene_layout import BACKGROUNDS, COLORS, PATTERNS, SHAPES, Layout, Shape
from freqgan.networks import SceneReader, SceneReading
from freqgan.networks.scene_reader import CELLS
from freqgan.ops.keyed_random import key, permutation

BATCH = 32
_LR, _BETAS, _RISE = 4e-3, (0.9, 0.99), 0.15
_PURPOSE = "scene reader"
_COLORS, _GROUNDS = tuple(COLORS), tuple(BACKGROUNDS)

Scene = tuple[dict[str, Tensor], Layout]


def new_reader(channels: int) -> SceneReader:
    """The network for images of some channels."""
    words = {"colors": COLORS, "kinds": SHAPES, "backgrounds": BACKGROUNDS, "patterns": PATTERNS}
    return SceneReader(**{name: len(of) for name, of in words.items()}, in_channels=channels)


def train_reader(scenes: Scenes, images: int) -> SceneReader:
    """A network that has seen so many scenes; global generators stay as they are."""
    with torch.inference_mode(False), torch.enable_grad(), torch.random.fork_rng(devices=()):
        torch.default_generator.manual_seed(key(0, _PURPOSE))
        reader = new_reader(scenes.channels).to(memory_format=torch.channels_last)
        steps = images // BATCH
        optimizer = torch.optim.AdamW(reader.parameters(), lr=_LR, betas=_BETAS, fused=True)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _LR, total_steps=steps, pct_start=_RISE)
        for step in range(steps):
            loss = reading_loss(reader, [*_drawn(scenes, step * BATCH)])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return reader.eval()


def reading_loss(reader: SceneReader, drawn: Sequence[Scene]) -> Tensor:
    """How badly scenes are read, cell by cell and shape by shape."""
    found = reader(to_signed_range(torch.stack([sample["image"] for sample, _ in drawn])))
    color, kind = torch.stack([_cells(sample["instance_map"], layout) for sample, layout in drawn], 1)
    shown = color > 0
    facts = torch.stack([_facts(layout) for _, layout in drawn])  # (b, c, 5)
    there = facts[..., 0] > 0
    grounds = torch.tensor([(_GROUNDS.index(layout.background), PATTERNS.index(layout.pattern)) for _, layout in drawn])
    parts = {
        1.0: F.cross_entropy(found.cell_color, color)
        + F.cross_entropy(found.cell_kind.permute(0, 2, 3, 1)[shown], kind[shown])
        + F.binary_cross_entropy_with_logits(found.present, facts[..., 0])
        + F.cross_entropy(found.kind[there], facts[there][:, 1].long()),
        4.0: F.l1_loss(found.place[there], facts[there][:, 3:]),
        0.3: F.binary_cross_entropy_with_logits(found.large[there], facts[there][:, 2])
        + F.cross_entropy(found.background, grounds[:, 0])
        + F.cross_entropy(found.pattern, grounds[:, 1]),
    }
    return torch.stack([weight * part for weight, part in parts.items()]).sum()


def layouts_of(reading: SceneReading) -> Iterator[Layout]:
    """The scenes that were read; what no caption speaks of is 0."""
    present, large = (reading.present > 0).tolist(), (reading.large > 0).tolist()
    kinds, places = reading.kind.argmax(2).tolist(), reading.place.clamp(0, 1 - 1e-6).tolist()
    grounds = zip(reading.background.argmax(1).tolist(), reading.pattern.argmax(1).tolist(), strict=True)
    for row, (background, pattern) in enumerate(grounds):
        shapes = (
            Shape(SHAPES[kinds[row][n]], color, "large" if large[row][n] else "small", x, y, 0.0, 0.0)
            for n, (color, (x, y)) in enumerate(zip(_COLORS, places[row], strict=True))
            if present[row][n]
        )
        yield Layout(tuple(shapes), _GROUNDS[background], PATTERNS[pattern], 0.0, 0.0, 0)


def _drawn(scenes: Scenes, first: int) -> Iterator[Scene]:
    """A batch from the endless stream of all scenes, each pass in another order."""
    n = len(scenes)
    for position in range(first, first + BATCH):
        index = int(permutation(0, _PURPOSE, position // n, n)[position % n])
        yield scenes[index], scenes.layout(index)


def _cells(instances: Int[Tensor, "h w"], layout: Layout) -> Int[Tensor, "2 s s"]:
    """Colour, 0 for background, and kind of what the middle of each cell shows."""
    rows, columns = (((torch.arange(CELLS) + 0.5) * side / CELLS).long() for side in instances.shape)
    numbers = instances[rows][:, columns].long()
    colors = torch.tensor([0, *(1 + _COLORS.index(shape.color) for shape in layout.shapes)])
    kinds = torch.tensor([0, *(SHAPES.index(shape.kind) for shape in layout.shapes)])
    return torch.stack([colors[numbers], kinds[numbers]])


def _facts(layout: Layout) -> Tensor:
    """Of each colour: whether it is there, and if so the kind, whether it is large, x and y; (c, 5)."""
    facts = torch.zeros(len(_COLORS), 5)
    for shape in layout.shapes:
        row = (1, SHAPES.index(shape.kind), shape.size == "large", shape.x, shape.y)
        facts[_COLORS.index(shape.color)] = torch.tensor(row)
    return facts
