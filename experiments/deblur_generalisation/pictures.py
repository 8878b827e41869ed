"""Writes sharp pictures of every kind, 64 pixels a side: what runs learn from, and what they are tested on.

    python experiments/deblur_generalisation/pictures.py --photos <folder> --other-photos <folder> --earth <folder>

`photos` are for training and `other-photos` for tests; `earth` is the folder that data=earth reads. A kind is a folder
of PNG files, `test/<kind>_grey` the luminance of `test/<kind>`. Pictures are drawn by their place in the order of their
names, so that a set of 100 is a part of that of 1,000, and the same everywhere.
"""

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor
from torchvision.transforms.functional import to_pil_image

from freqgan import config
from freqgan.config.application import compose
from freqgan.data import PhotoFolder
from freqgan.data.evaluation import chosen
from freqgan.data.openmoji_names import base
from freqgan.data.splits import Split

FOLDER = Path("outputs/deblur_generalisation/pictures")
SIDE = 64
EQUAL, TESTED = 2000, 200  # pictures of a kind to learn from, and to be tested on
FEWER = (100, 1000)  # photographs, beside all there are
SKIN_TONES = {"1F3FB", "1F3FC", "1F3FD", "1F3FE", "1F3FF"}

Named = tuple[str, Tensor]  # and (3, h, w), bytes


class Place(NamedTuple):
    """A square of a photograph."""

    photograph: int
    top: int
    left: int


def emoji(split: Split) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Every emoji of people and of their hands, by two artists: all that come in skin tones."""
    data = built("data=emoji_styles")
    people = {base(name) for name in names_of(data.dataset("all")) if SKIN_TONES & {*name.split("-")}}
    dataset = data.dataset(split)
    for index, name in enumerate(names_of(dataset)):
        if base(name) in people:
            pair = dataset[index]
            yield name, pair["image"], pair["image_b"]


def names_of(dataset: Any) -> list[str]:
    return [dataset.domain_a(index)["name"] for index in range(len(dataset))]


def earth(root: Path, split: Split) -> Sequence[Named]:
    """Squares of a satellite picture that hold some land; tests are of a band of longitudes of their own."""
    dataset = built("data=earth", f"data.root={root}", "data.source.stride=24", "data.source.least_land=0.3").dataset(
        split
    )
    return [(sample["name"], sample["image"]) for sample in (dataset[index] for index in range(len(dataset)))]


def built(*arguments: str) -> Any:
    settings = config.resolve(compose("train", [*arguments, f"data.image_size={SIDE}"]))
    return config.build(settings["data"])


def photographs(root: Path) -> PhotoFolder:
    folder = PhotoFolder(root=root, image_size=SIDE)
    folder.prepare()
    return folder


def grid(folder: PhotoFolder) -> list[Place]:
    """Squares side by side, as many as there is room for in the photographs."""
    places = []
    for index in range(len(folder)):
        height, width = folder[index]["image"].shape[-2:]
        tops, lefts = (range(rest % SIDE // 2, rest - SIDE + 1, SIDE) for rest in (height, width))
        places += [Place(index, top, left) for top in tops for left in lefts]
    return places


def centres(folder: PhotoFolder) -> list[Place]:
    """The middle of every photograph."""
    sizes = [folder[index]["image"].shape[-2:] for index in range(len(folder))]
    return [Place(index, (height - SIDE) // 2, (width - SIDE) // 2) for index, (height, width) in enumerate(sizes)]


def squares(folder: PhotoFolder, places: Iterable[Place]) -> Iterator[Named]:
    for index, top, left in places:
        sample = folder[index]
        stem = sample["name"].replace("/", "_").rpartition(".")[0]
        yield f"{stem}_{top}_{left}", sample["image"][:, top : top + SIDE, left : left + SIDE]


def write(kind: Path, pictures: Iterable[Named], *, grey: bool = False) -> None:
    """A folder of PNG files."""
    kind.mkdir(parents=True, exist_ok=True)
    for name, pixels in pictures:
        picture = to_pil_image(pixels)
        (picture.convert("L") if grey else picture).convert("RGB").save(kind / f"{name}.png")


def some(pictures: Sequence[Any], count: int) -> list[Any]:
    return [pictures[index] for index in chosen(len(pictures), count)]


def scenes(count: int) -> list[Named]:
    """Drawn pictures, which nobody else has a right to: those that the study shows."""
    dataset = built("data=scenes").dataset("val")
    return [(sample["name"], sample["image"]) for sample in map(dataset.__getitem__, range(count))]


def write_all(given: argparse.Namespace) -> Mapping[str, int]:
    """Every kind; how many pictures each has."""
    drawn = {split: [*emoji(split)] for split in ("train", "val")}
    folders = {"train": photographs(given.photos), "test": photographs(given.other_photos)}
    places = grid(folders["train"])
    train = {
        "people": [(name, image) for name, image, _ in some(drawn["train"], EQUAL)],
        "photographs": [*squares(folders["train"], some(places, EQUAL))],
        "earth": some(earth(given.earth, "train"), EQUAL),
        **{f"photographs_{n}": [*squares(folders["train"], some(places, n))] for n in FEWER},
        "photographs_all": [*squares(folders["train"], places)],
    }
    people = some(drawn["val"], TESTED)
    test = {
        "people": [(name, image) for name, image, _ in people],
        "people_by_another": [(name, other) for name, _, other in people],
        "photographs": [*squares(folders["test"], some(centres(folders["test"]), TESTED))],
        "earth": some(earth(given.earth, "val"), TESTED),
        "scenes": scenes(TESTED),
    }
    for kind, pictures in train.items():
        write(given.to / "train" / kind, pictures)
    for kind, pictures in test.items():
        write(given.to / "test" / kind, pictures)
        write(given.to / "test" / f"{kind}_grey", pictures, grey=True)
    return {f"train/{kind}": len(of) for kind, of in train.items()} | {f"test/{k}": len(of) for k, of in test.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, help_text in (("photos", "to learn from"), ("other-photos", "for tests"), ("earth", "see data=earth")):
        parser.add_argument(f"--{name}", type=Path, required=True, help=f"folder, {help_text}")
    parser.add_argument("--to", type=Path, default=FOLDER, help="folder of the kinds")
    for kind, count in write_all(parser.parse_args()).items():
        print(f"{kind}: {count}")


if __name__ == "__main__":
    main()
