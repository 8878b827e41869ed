"""What is said of the images of a folder, from the files beside them: our own layouts, COCO's and CUB's."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from freqgan.data.captions import cleaned
from freqgan.data.decode import printable
from freqgan.errors import UserError
from freqgan.opening import open_file

CaptionLayout = Literal["folder", "coco", "cub"]
Box = tuple[int, int, int, int]

_LINES = "captions.jsonl"
_CUB_BOX = 0.75  # half the side of a bird's square by the longer side of its box (Reed et al. 2016)


@dataclass
class Annotations:
    """Facts by the name of an image below its folder.

    Args:
        captions: of each image that has some; none empty.
        classes: number of the class, of all images or of none.
        groups: what stays on one side of the split, where that is not the image alone.
        boxes: the part of an image that is looked at: left, top, right, bottom.
    """

    captions: dict[str, list[str]] = field(default_factory=dict)
    classes: dict[str, int] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    boxes: dict[str, Box] = field(default_factory=dict)


def read_annotations(root: Path, names: Sequence[str], layout: CaptionLayout) -> Annotations:
    """What the files of a layout say of some images.

    Args:
        root: the folder of the images.
        names: the images, by their path below it.
        layout: `folder` is a `captions.jsonl` of lines such as `{"image": "a/1.png", "captions": ["a red circle"]}`, or
            else a text file beside each image, a caption per line; `coco` is `annotations/captions_*.json` in the
            folder or the one it is in; `cub` is CUB_200_2011 with a folder `text` (or `text_c10`) in it or beside it.

    Raises:
        UserError: the files are not there, or cannot be read.
    """
    if layout == "coco":
        return Annotations(_coco(root, names))
    if layout == "cub":
        return _cub(root, names)
    lines = root / _LINES
    if lines.is_file():
        return Annotations(_from_lines(lines))
    return Annotations(_beside({name: (root / name).with_suffix(".txt") for name in names}))


def wanted(name: str, layout: CaptionLayout) -> str:
    """Where a caption of an image was looked for."""
    text = printable(PurePosixPath(name).with_suffix(".txt").as_posix())
    return {"folder": f"{text} or a line of {_LINES}", "coco": "annotations/captions_*.json", "cub": f"text/{text}"}[
        layout
    ]


def _beside(files: Mapping[str, Path]) -> dict[str, list[str]]:
    texts = {name: _text(file).splitlines() for name, file in files.items() if file.is_file()}
    return {name: captions for name, lines in texts.items() if (captions := cleaned(lines))}


def _from_lines(file: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for number, line in enumerate(_text(file).splitlines(), 1):
        if not line.strip():
            continue
        try:
            facts = json.loads(line)
            said = facts["captions"] if "captions" in facts else facts["caption"]
            captions = cleaned([said] if isinstance(said, str) else said)
            name = PurePosixPath(facts["image"]).as_posix()
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            form = '{"image": "<path below the folder>", "captions": ["…"]}'
            raise UserError(f"{printable(str(file))}, line {number} ({error!r}): wanted {form}") from error
        if captions:
            found[name] += captions
    return dict(found)


def _coco(root: Path, names: Sequence[str]) -> dict[str, list[str]]:
    files = [
        file for folder in (root, root.absolute().parent) for file in _sorted(folder / "annotations", "captions_*.json")
    ]
    if not files:
        there = printable(str(root / "annotations"))
        raise UserError(f"data.root={root}: {there} holds no captions_*.json: put COCO's annotations there")
    said: dict[str, list[str]] = defaultdict(list)
    for file in files:
        try:
            facts: dict[str, Any] = json.loads(_text(file))
            of_id = {image["id"]: PurePosixPath(image["file_name"]).name for image in facts["images"]}
            for note in facts["annotations"]:
                said[of_id[note["image_id"]]] += cleaned([note["caption"]])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UserError(f"{printable(str(file))} has not the form of COCO's captions ({error!r})") from error
    return {name: captions for name in names if (captions := said.get(PurePosixPath(name).name))}


def _cub(root: Path, names: Sequence[str]) -> Annotations:
    places = [folder / text for folder in (root, root.absolute().parent) for text in ("text", "text_c10")]
    text = next((place for place in places if place.is_dir()), None)
    if text is None or not (root / "images").is_dir():
        form = "images/, bounding_boxes.txt and images.txt in it, and text/ in it or beside it"
        raise UserError(f"data.root={root} is no CUB_200_2011 with captions, wanted {form}")
    below = {name: name.removeprefix("images/") for name in names}
    captions = _beside({name: (text / path).with_suffix(".txt") for name, path in below.items()})
    species = {name: path.split("/")[0] for name, path in below.items()}
    try:
        classes = {name: int(folder.split(".")[0]) - 1 for name, folder in species.items()}
        of_number = {number: f"images/{path}" for number, path in _pairs(root / "images.txt")}
        boxes = {of_number[number]: _square(rest) for number, rest in _pairs(root / "bounding_boxes.txt")}
    except (ValueError, KeyError) as error:
        raise UserError(f"data.root={root} has not the form of CUB_200_2011 ({error!r})") from error
    return Annotations(captions, classes, species, boxes)


def _square(box: str) -> Box:
    left, top, width, height = (float(number) for number in box.split())
    x, y, half = int(left + width / 2), int(top + height / 2), int(max(width, height) * _CUB_BOX)
    return x - half, y - half, x + half, y + half


def _pairs(file: Path) -> Iterator[tuple[str, str]]:
    for line in _text(file).splitlines():
        number, _, rest = line.partition(" ")
        yield number, rest


def _text(file: Path) -> str:
    try:
        with open_file(file) as opened:
            return opened.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{printable(str(file))} is not UTF-8 (byte {error.start}): save it as UTF-8") from error
    except OSError as error:
        raise UserError(f"{printable(str(file))} cannot be read: {error.strerror or error}") from error


def _sorted(folder: Path, pattern: str) -> list[Path]:
    return sorted(folder.glob(pattern)) if folder.is_dir() else []
