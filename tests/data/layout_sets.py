"""A small set of files in every layout that `conf/data` has, with what a damaged file of it leads to."""

import json
import os
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from PIL import Image

from freqgan import config
from freqgan.data.datamodule import DataModule
from tests.data.damage import encoded

CONF = Path(__file__).parents[2] / "conf"
STEMS = ("0a", "1b", "2c", "3d")
SIZE = 8
NO_FILES = {"openmoji", "openmoji_lines", "emoji_styles", "scenes", "scenes_labels"}  # nothing of the user's

Then = Literal["skip", "fatal", "shorter", "alone", "alone and shorter"]
"""What comes of a bad or missing file: with on_error=skip the next one stands in for it, and with raise it is named; it
is an error in any case; the set has one less; another file is left alone, which is named as a bad one; or so, and the
set has one less too."""


@dataclass(frozen=True)
class Role:
    """One kind of files of a set.

    Args:
        path: below the root, by stem.
        bad: what comes of one that cannot be read.
        gone: what comes of a missing one.
        kind: what it holds.
    """

    path: str
    bad: Then = "skip"
    gone: Then = "shorter"
    kind: Literal["picture", "map", "half", "world", "mask"] = "picture"


@dataclass(frozen=True)
class Layout:
    """One layout.

    Args:
        conf: file of `conf/data`.
        roles: kinds of files by what the layout calls them.
        overrides: of the command line.
        beside: writes what is no picture, before anything is damaged.
        packed: the files are members of a tar shard.
        single: there is one file of each role, and not one per picture.
        odd: kinds of names with another outcome: what the one line of the error says.
        strict: kinds that are read elsewhere, and here as bad ones.
        roots: settings that are folders below the root.
    """

    conf: str
    roles: dict[str, Role]
    overrides: tuple[str, ...] = ()
    beside: Callable[[Path, tuple[str, ...]], None] = lambda root, stems: None
    packed: bool = False
    single: bool = False
    odd: dict[str, str] = field(default_factory=dict)
    strict: tuple[str, ...] = ()
    roots: tuple[tuple[str, str], ...] = (("root", "."),)

    def write(self, root: Path, stems: tuple[str, ...] = STEMS) -> dict[str, list[tuple[Path, Image.Image]]]:
        """A whole set; every file of each role, with its picture."""
        files: dict[str, list[tuple[Path, Image.Image]]] = {}
        for number, (name, role) in enumerate(self.roles.items()):
            files[name] = []
            for place, stem in enumerate(stems[:1] if self.single else stems):
                path, image = root / role.path.format(stem=stem), picture(role.kind, 10 * number + place)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(encoded(image))
                files[name].append((path, image))
        self.beside(root, stems)
        return files

    def data(self, root: Path, cache_dir: Path, on_error: str = "raise") -> DataModule:
        """What reads it."""
        settings: dict[str, Any] = {name: str(root / folder) for name, folder in self.roots}
        if self.packed:
            settings["root"] = str(pack(root))
        if not self.single:
            settings |= {"on_error": on_error, "max_skipped": 3}
        built: DataModule = config.build(_config(self.conf, self.overrides) | settings | {"cache_dir": str(cache_dir)})
        return built


@cache
def _config(conf: str, overrides: tuple[str, ...]) -> dict[str, Any]:
    given = [f"+data={conf}", "++seed=0", "++paths.cache_dir=x", "++data.val_fraction=0.0", "data.num_workers=0"]
    with initialize_config_dir(str(CONF), version_base=None):
        whole = compose(overrides=[*given, f"data.image_size={SIZE}", *overrides])
    return OmegaConf.to_container(whole, resolve=True)["data"]  # type: ignore[index,call-overload]


def picture(kind: str, seed: int) -> Image.Image:
    """What a file of a role holds."""
    rng = np.random.default_rng(seed)
    if kind == "map":
        return Image.fromarray(rng.integers(1, 5, (16, 16)).astype(np.uint8))
    if kind == "mask":
        return Image.fromarray(np.full((32, 64), 20, np.uint8))
    height, width = {"half": (16, 32), "world": (32, 64)}.get(kind, (16, 16))
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8))


def pack(root: Path) -> Path:
    """A shard of all files, in the order of their names."""
    shard = root.with_suffix(".tar")
    with tarfile.open(shard, "w") as archive:
        for name in sorted(os.listdir(root)):
            archive.add(root / name, name, recursive=False)
    return shard


@contextmanager
def samples(data: DataModule, layout: Layout) -> Iterator[list[bytes]]:
    """The content of every sample, in order; of two domains without pairs, those of A and then of B."""
    dataset = data.dataset("train")
    domains = ["a", "b"] if getattr(dataset, "paired", True) is False else [None]
    found = []
    for domain in domains:
        length = len(dataset) if domain is None else dataset.lengths[domain == "b"]  # type: ignore[attr-defined]
        for index in range(length):
            sample = data.sample("train", index, domain=domain)  # type: ignore[arg-type]
            found.append(content(sample))
    yield found


def content(sample: dict[str, Any]) -> bytes:
    """All numbers of a sample, whatever depth its set has."""
    arrays = [sample[name].numpy() for name in sorted(sample) if hasattr(sample[name], "numpy")]
    return b"".join((a if a.dtype != np.float32 else (a * 255).round().astype(np.uint8)).tobytes() for a in arrays)


def _texts(root: Path, stems: tuple[str, ...]) -> None:
    for stem in stems:
        (root / f"{stem}.txt").write_text("a caption\n")


def _lines(root: Path, stems: tuple[str, ...]) -> None:
    lines = [json.dumps({"image": f"{stem}.png", "captions": ["a caption"]}) for stem in stems]
    (root / "captions.jsonl").write_text("\n".join(lines))


def _coco(root: Path, stems: tuple[str, ...]) -> None:
    images = [{"id": n, "file_name": f"{stem}.png"} for n, stem in enumerate(stems)]
    notes = [{"image_id": n, "caption": "a caption"} for n in range(len(stems))]
    (root / "annotations").mkdir()
    (root / "annotations" / "captions_train.json").write_text(json.dumps({"images": images, "annotations": notes}))


def _cub(root: Path, stems: tuple[str, ...]) -> None:
    (root / "text" / "001.bird").mkdir(parents=True)
    for stem in stems:
        (root / "text" / "001.bird" / f"{stem}.txt").write_text("a caption\n")
    of_number = "".join(f"{n} 001.bird/{stem}.png\n" for n, stem in enumerate(stems, 1))
    (root / "images.txt").write_bytes(os.fsencode(of_number))
    (root / "bounding_boxes.txt").write_text("".join(f"{n} 0.0 0.0 16.0 16.0\n" for n in range(1, len(stems) + 1)))


def _countries(root: Path, stems: tuple[str, ...]) -> None:
    (root / "countries.geojson").write_text('{"type": "FeatureCollection", "features": []}')


_LABELS = ("++data.num_classes=41",)
_SPLIT = {"gone": "alone and shorter"}
_WHOLE, _MAP = Role("{stem}.png"), Role("", gone="alone", kind="map")


def _labelled(conf: str, image: str, label: str, instance: str = "", overrides: tuple[str, ...] = ()) -> Layout:
    roles = {"images": Role(image, gone="alone and shorter"), "labels": Role(label, gone="alone", kind="map")}
    roles |= {"instances": Role(instance, gone="alone", kind="map")} if instance else {}
    return Layout(conf, roles, overrides)


_TWO = (("root", "a"), ("root_b", "b"))
LAYOUTS: dict[str, Layout] = {
    "image_folder": Layout("image_folder", {"images": _WHOLE}),
    "image_folder decoded at every access": Layout(
        "image_folder", {"images": _WHOLE}, ("data.source.cache_limit_gib=0.0",)
    ),
    "super_resolution": Layout("super_resolution", {"images": _WHOLE}),
    "super_resolution with its own low images": Layout(
        "super_resolution",
        {
            "images": Role("high/{stem}.png"),
            "low images": Role("low/{stem}x1.png", bad="fatal", gone="fatal"),
        },
        ("data.scale=1",),
        roots=(("root", "high"), ("low_root", "low")),
    ),
    "restoration": Layout("restoration", {"images": _WHOLE}),
    "restoration of photographs": Layout("restoration", {"images": _WHOLE}, ("data/pictures=photo_folder",)),
    "captioned_folder with texts": Layout("captioned_folder", {"images": _WHOLE}, beside=_texts),
    "captioned_folder with lines": Layout("captioned_folder", {"images": _WHOLE}, beside=_lines),
    "coco": Layout("coco", {"images": _WHOLE}, beside=_coco),
    "cub": Layout(
        "cub", {"images": Role("images/001.bird/{stem}.png")}, beside=_cub, odd={"no UTF-8": "images.txt is not UTF-8"}
    ),
    "label_folder": _labelled("label_folder", "images/{stem}.png", "labels/{stem}.png", overrides=_LABELS),
    "label_folder decoded at every access": _labelled(
        "label_folder",
        *("images/{stem}.png", "labels/{stem}.png"),
        overrides=(*_LABELS, "data.source.cache_limit_gib=0.0"),
    ),
    "label_folder with instances": _labelled(
        "label_folder",
        *("images/{stem}.png", "labels/{stem}.png", "things/{stem}.png"),
        overrides=(*_LABELS, "data.source.instances='things/{name}'"),
    ),
    "ade20k": _labelled("ade20k", "images/training/{stem}.jpg", "annotations/training/{stem}.png"),
    "camvid": _labelled("camvid", "train/images/{stem}.png", "train/labels/{stem}.png"),
    "cityscapes": _labelled(
        "cityscapes",
        "leftImg8bit/train/aachen/{stem}_leftImg8bit.png",
        "gtFine/train/aachen/{stem}_gtFine_labelIds.png",
        "gtFine/train/aachen/{stem}_gtFine_instanceIds.png",
    ),
    "nyu": _labelled("nyu", "train/rgb/{stem}.png", "train/labels_40/{stem}.png"),
    "paired_folders": Layout(
        "paired_folders",
        {"A": Role("a/{stem}.png", gone="alone and shorter"), "B": Role("b/{stem}.png", gone="alone")},
        roots=_TWO,
    ),
    "unpaired_folders": Layout("unpaired_folders", {"A": Role("a/{stem}.png"), "B": Role("b/{stem}.png")}, roots=_TWO),
    "side_by_side": Layout("side_by_side", {"pairs": Role("{stem}.png", kind="half")}),
    "map_tiles": Layout(
        "map_tiles",
        {name: Role(f"{name}.jpg", "fatal", "fatal", "world") for name in ("day", "night")},
        ("data.source.least_detail=0.0", "data.source.rows=[0.0,1.0]"),
        single=True,
        strict=("turned by EXIF",),  # then it has another shape than the rest
    ),
    "earth": Layout(
        "earth",
        {
            "day": Role("day.jpg", "fatal", "fatal", "world"),
            "water": Role("water.png", "fatal", "fatal", "mask"),
            "heights": Role("elevation.png", "fatal", "fatal", "mask"),
        },
        ("data.source.least_land=0.0", "data.source.rows=[0.0,1.0]"),
        beside=_countries,
        single=True,
        strict=("turned by EXIF",),  # then it has another shape than the rest
    ),
    "shards": Layout("shards", {"images": _WHOLE}, packed=True),
    "shards with label maps": Layout(
        "shards",
        {"images": Role("{stem}.png"), "labels": Role("{stem}.seg.png", gone="fatal", kind="map")},
        _LABELS,
        packed=True,
        strict=("WebP by another name", "animated WebP", "16-bit grey", "16-bit colour", "transparency"),
    ),
}
