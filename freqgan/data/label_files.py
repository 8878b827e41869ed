"""Which label map and which instance map belong to an image, told by patterns of their paths."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple

from freqgan.data.decode import SUFFIXES, printable
from freqgan.errors import UserError

Kind = Literal["images", "labels", "instances"]
_PLACES = {r"\{split\}": "(?P<split>[^/]+)", r"\{name\}": "(?P<name>.+)"}


class Key(NamedTuple):
    """What files of one picture have in common.

    Args:
        split: the part that they were published in; empty if their paths do not say.
        name: the rest.
    """

    split: str
    name: str


@dataclass(frozen=True)
class Pattern:
    """Paths below a folder, such as "gtFine/{split}/{name}_gtFine_labelIds", of any image format or of one.

    Args:
        text: has {name}, which may hold folders, and perhaps {split}, which is part of one folder's name.
        setting: what the user calls it.

    Raises:
        UserError: there is no {name}, or another thing in braces.
    """

    text: str
    setting: str

    def __post_init__(self) -> None:
        places = re.findall(r"\{.*?\}", self.text)
        if places.count("{name}") != 1 or places.count("{split}") > 1 or {*places} - {"{name}", "{split}"}:
            fix = "as in images/{name} or {split}/images/{name}"
            raise UserError(f"{self.setting}={self.text}: wanted {{name}} once, and {{split}} at most once, {fix}")

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        expression = re.escape(self.text)
        for place, group in _PLACES.items():
            expression = expression.replace(place, group)
        return re.compile(expression if self._has_suffix else rf"{expression}\.[^./]+", re.DOTALL)

    @property
    def _has_suffix(self) -> bool:
        return self.text.lower().endswith(SUFFIXES)

    @property
    def has_split(self) -> bool:
        """Whether paths say which part of the set they are of."""
        return "{split}" in self.text

    def key(self, path: str) -> Key | None:
        """What a path is of, None if it is none of these."""
        match = self._expression.fullmatch(path)
        return Key(match["split"] if self.has_split else "", match["name"]) if match else None

    def path(self, key: Key) -> str:
        """Where the file of a picture is, with * for an unknown format.

        >>> Pattern("{split}/labels/{name}", "data.source.labels").path(Key("val", "a/1"))
        'val/labels/a/1.*'
        """
        path = self.text.replace("{split}", key.split).replace("{name}", key.name)
        return path if self._has_suffix else f"{path}.*"


@dataclass
class LabelledFiles:
    """Files of one set by what they are.

    Args:
        patterns: what they were found by.
        found: the paths of every picture's images, label maps and instance maps.
        example: any path of the folder.
    """

    patterns: dict[Kind, Pattern]
    found: dict[Kind, dict[Key, list[str]]] = field(default_factory=dict)
    example: str = ""

    @classmethod
    def among(cls, paths: Sequence[str], patterns: dict[Kind, Pattern], splits: Sequence[str]) -> "LabelledFiles":
        """Those of some paths that the patterns mean; a path that fits several of them is of the last.

        Args:
            paths: below the folder.
            patterns: of images, label maps and perhaps instance maps.
            splits: the parts that are used; a path of another is none of these.
        """
        found: dict[Kind, dict[Key, list[str]]] = {kind: defaultdict(list) for kind in patterns}
        for path in paths:
            keys = ((kind, key) for kind, pattern in reversed(patterns.items()) if (key := pattern.key(path)))
            kind, key = next(keys, (None, None))
            if kind is not None and key is not None and (not key.split or key.split in splits):
                found[kind][key].append(path)
        return cls(patterns, found, paths[0] if paths else "")

    def partner(self, kind: Kind, key: Key) -> str:
        """The one file of a picture."""
        return self.found[kind][key][0]

    def alone(self) -> dict[str, str]:
        """Images without exactly one label map and one instance map, and why."""
        reasons: dict[str, str] = {}
        for key, images in self.found["images"].items():
            for kind in self.patterns:
                files = self.found[kind].get(key, [])
                if len(files) == 1:
                    continue
                wanted = printable(self.patterns[kind].path(key))
                has = f"{len(files)} files are" if files else "no file is"
                reasons |= dict.fromkeys(images, f"{has} called {wanted}, wanted one")
        return reasons

    def strangers(self) -> Iterator[str]:
        """Label and instance maps that belong to no image."""
        for kind in self.patterns:
            for key, files in self.found[kind].items():
                if key not in self.found["images"]:
                    yield from files

    def missing(self, splits: Sequence[str]) -> Iterator[str]:
        """A line for each kind of which there is no file at all."""
        for kind, pattern in self.patterns.items():
            if not self.found[kind]:
                wanted = pattern.path(Key(splits[0], "*")).replace("*.*", "*")
                got = f"no file is called {wanted}, but, as one of them, {printable(self.example)}"
                fix = f"set data.root to the folder that the pattern begins at, or {pattern.setting}=<pattern>"
                none = f", or {pattern.setting}=null if there are none" if kind == "instances" else ""
                yield f"{pattern.setting}={pattern.text}: {got}: {fix}{none}"
