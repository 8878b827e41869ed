"""What a stored config may name besides classes: places that are read, written or fetched from."""

import re
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from freqgan.config.targets import TARGET
from freqgan.config.wording import Problem, join, show
from freqgan.runs.plain_yaml import parse
from freqgan.vocabulary import shipped_conf

Kind = Literal["read", "written", "fetched", "word"]

# Every parameter of text that the classes of `conf/` have, by its name or that of its class and its own.
# read: a file or folder of this machine. written: a place in the run. fetched: something of a hub, or a folder.
PLACES: Mapping[str, Kind] = {
    **dict.fromkeys(("root", "low_root", "root_b", "val_root", "val_low_root", "val_root_b"), "read"),
    **dict.fromkeys(("files", "images", "instances", "labels", "noto", "palette"), "read"),
    **dict.fromkeys(("checkpoint", "encoders_run", "judge_run", "run"), "read"),
    **dict.fromkeys(("cache_dir", "crops"), "written"),
    **dict.fromkeys(("PretrainedEncoder.name", "TextToImageProtocol.clip"), "fetched"),
    **dict.fromkeys(
        (
            "cascade",
            "class_names",
            "endings",
            "entity",
            "frozen",
            "gans",
            "kinds",
            "layers",
            "metric",
            "parts",
            "project",
        ),
        "word",
    ),
    **dict.fromkeys(("region_layer", "splits", "things", "wavelet", "TorchvisionSegmenter.name"), "word"),
}


def place_problems(
    value: Any, path: str, run: Path, *, trusted: Collection[str] = (), given: Collection[str] = ()
) -> Iterator[Problem]:
    """One problem for each place that the writer of a config may not choose.

    Those are addresses of other machines, wherever they stand; what is written outside the run; what is fetched under
    another name than those of `conf/`; and what is read and is no file or folder, as a device.

    Args:
        value: part of a stored config.
        path: where that is in it.
        run: the directory that the config is from.
        trusted: texts that the user allows.
        given: config paths that the command line sets.
    """
    for where, kind, text in _texts(value, path):
        if text in trusted or re.sub(r"(\.\d+)+$", "", where) in given:  # an item comes with its list
            continue
        if lack := _lack(text, kind, run):
            yield Problem(where, f"={show(text)} {lack}: set 'allow_targets=[\"{text}\"]' if you trust it")


def without_places(value: Any, kind: Kind = "word", target: str = "") -> Any:
    """A config that tells nothing of the machine that it is from: of each address and absolute path the last part."""
    if isinstance(value, Mapping):
        target = str(value.get(TARGET, target))
        return {key: without_places(item, _kind(target, str(key)), target) for key, item in value.items()}
    if isinstance(value, list):
        return [without_places(item, kind, target) for item in value]
    if not isinstance(value, str) or kind == "word":
        return value
    of_what, place = _parted(value, kind)
    return of_what + Path(urlsplit(place).path).name if _is_address(place) or place.startswith(("/", "~")) else value


def _texts(value: Any, path: str, kind: Kind = "word", target: str = "") -> Iterator[tuple[str, Kind, str]]:
    """Path, kind and text of every text in a config."""
    if isinstance(value, Mapping):
        target = str(value.get(TARGET, target))
        for key, item in value.items():
            yield from _texts(item, join(path, key), _kind(target, str(key)), target)
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from _texts(item, join(path, i), kind, target)
    elif isinstance(value, str):
        yield path, kind, value


def _kind(target: str, key: str) -> Kind:
    return PLACES.get(f"{target.rpartition('.')[2]}.{key}") or PLACES.get(key, "word")


def _lack(text: str, kind: Kind, run: Path) -> str | None:
    """Why a text may not come from elsewhere."""
    if _is_address(text):
        return "is an address, and would be opened"
    try:
        place = Path(_parted(text, kind)[1]).expanduser()
        inside = place.resolve().is_relative_to(run.resolve())
    except (OSError, RuntimeError, ValueError):
        return "can be no place" if kind != "word" else None
    if kind == "written" and not inside:
        return f"would be written to, and is not in {run}"
    if kind == "fetched" and not place.is_dir() and text not in _shipped():
        return "would be fetched"
    if kind == "read" and place.exists() and not (place.is_file() or place.is_dir()):
        return "is neither a file nor a folder"
    return None


def _parted(text: str, kind: Kind) -> tuple[str, str]:
    """What comes before the place, as in `clip:<folder>`, and the place."""
    of_what, colon, place = text.partition(":")
    return (of_what + colon, place) if kind == "fetched" and colon and not _is_address(text) else ("", text)


def _is_address(text: str) -> bool:
    return "://" in text or "::" in text


@lru_cache(maxsize=1)
def _shipped() -> frozenset[str]:
    """Every text in `conf/` that names something to fetch."""
    documents = (parse(file.read_text(encoding="utf-8")) for file in shipped_conf().rglob("*.yaml"))
    return frozenset(text for one in documents for _, kind, text in _texts(one, "") if kind == "fetched")
