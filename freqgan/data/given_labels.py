"""Label maps that are to be drawn, read as those that a model has learnt from, and checked before any is."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int
from PIL import Image
from torch import Tensor

from freqgan.data.base import ImageDataset
from freqgan.data.decode import MAX_PIXELS, UnreadableImageError, printable
from freqgan.data.folder_listing import list_images
from freqgan.data.id_maps import IdMaps, read_palette
from freqgan.data.label_classes import LabelClasses
from freqgan.data.label_files import Pattern
from freqgan.data.label_folder import LabelFolder
from freqgan.data.layouts import AnyFit, Layout, Wholes, layout_of
from freqgan.errors import UserError
from freqgan.ops.components import components

_LISTED = 10


class GivenMap(NamedTuple):
    """One label map.

    Args:
        name: of its file below the folder, without what all names end in.
        label_map: classes, and 255 where there is none.
        instance_map: ids of instances.
    """

    name: str
    label_map: Int[Tensor, "1 h w"]
    instance_map: Int[Tensor, "1 h w"]


@dataclass(frozen=True)
class MapReading:
    """How files of label and instance maps are read.

    Args:
        classes: what the ids of files mean.
        layout: what size maps get.
        labels: pattern of names of label maps.
        instances: the same of instance maps.
        things: classes whose connected parts are instances, where there are no maps of them.
        label_ids: what label maps are in files.
    """

    classes: LabelClasses
    layout: Layout
    labels: str = "{name}"
    instances: str = "{name}"
    things: tuple[int, ...] = ()
    label_ids: IdMaps = field(default_factory=IdMaps)

    @classmethod
    def of(cls, dataset: ImageDataset, fit: AnyFit | None) -> "MapReading":
        """As a data set reads them, or as plain ids where it has no files of such maps.

        Args:
            dataset: with label maps; it need not be prepared.
            fit: what becomes of maps of other sizes; None for what the data set does.

        Raises:
            UserError: its palette cannot be read.
        """
        if not isinstance(dataset, LabelFolder):
            classes = LabelClasses(dataset.num_classes, tuple(dataset.class_names))
            return cls(classes, layout_of(fit or "crop", dataset.size, 1, labels=True), things=dataset.things)
        colors = read_palette(dataset.palette, dataset.root or Path()) if dataset.palette else None
        last = {kind: pattern.text.rpartition("/")[2] for kind, pattern in dataset.patterns.items() if kind != "images"}
        patterns = {kind: text for kind, text in last.items() if "{name}" in text}
        layout = layout_of(fit or dataset.fit, dataset.load_size, 1, labels=True)
        return cls(dataset.classes, layout, things=dataset.things, label_ids=IdMaps(colors), **patterns)

    def fitted(self, ids: Image.Image) -> np.ndarray:
        """A decoded map (h, w) at the size of all, or at its own."""
        pixels = self.layout.pixels(ids, depth=16)
        return pixels[..., 0] if isinstance(self.layout, Wholes) else pixels[0]


class GivenLabels:
    """Label maps of a file or folder, one by one.

    Args:
        labels: a file, or a folder. Names are told by the last part of the pattern that training had, so that in a
            folder with other files beside label maps, these alone are meant.
        instances: the same of instance maps, of the same names unless both are single files; None derives them as
            training did where there are none.
        reading: how they are read.

    Raises:
        UserError: no such file or folder, or no map in it.
    """

    def __init__(self, labels: Path, instances: Path | None, reading: MapReading) -> None:
        self.reading = reading
        self._labels = _files(labels, reading.labels, "labels")
        self._instances = _files(instances, reading.instances, "instances") if instances is not None else None
        if self._instances is not None and instances is not None and labels.is_file() and instances.is_file():
            self._instances = dict(zip(self._labels, self._instances.values(), strict=True))
        self._place = labels

    def __len__(self) -> int:
        return len(self._labels)

    def __iter__(self) -> Iterator[GivenMap]:
        for name in self._labels:
            labels, instances = self._read(name)
            yield GivenMap(name, *(torch.from_numpy(ids.astype(np.int64))[None] for ids in (labels, instances)))

    def check(self) -> None:
        """Reads all files.

        Raises:
            UserError: a line for each that cannot be drawn, and what is wanted.
        """
        problems: list[str] = []
        for name in self._labels:
            try:
                self._read(name)
            except UserError as error:
                problems += error.lines
        if problems:
            classes = self.reading.classes
            total = f"labels={self._place}: {len(problems)} of {len(self)} label maps cannot be drawn"
            ids = f"{min(classes.of)} to {max(classes.of)} are classes, and {[*classes.dont_care]} means nothing"
            raise UserError(*problems[:_LISTED], f"{total}: as in training, {ids}")

    def _read(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Classes and instances."""
        classes, ids = self.reading.classes, self._decoded(self._labels[name], self.reading.label_ids)
        labels = self.reading.fitted(ids)
        strange = [n for n in np.unique(labels).tolist() if n not in classes.of and n not in classes.dont_care]
        if strange:
            raise UserError(f"{printable(str(self._labels[name]))} has ids that are no class: {_listed(strange)}")
        labels = classes.map(labels)
        if self._instances is None:
            return labels, components(labels, self.reading.things)
        if name not in self._instances:
            raise UserError(f"{printable(name)} has no instance map, wanted a file of its name in instances")
        numbers = self._decoded(self._instances[name], IdMaps(instances=True))
        if numbers.size != ids.size:
            sizes = ["x".join(map(str, image.size)) for image in (ids, numbers)]
            raise UserError(f"{printable(name)} has {sizes[0]} pixels, its instance map {sizes[1]}")
        return labels, self.reading.fitted(numbers)

    def _decoded(self, file: Path, ids: IdMaps) -> Image.Image:
        try:
            return ids.decode(file, name=str(file), max_pixels=MAX_PIXELS)
        except UnreadableImageError as error:
            reason = error.reason.partition(": set ")[0]  # which names a setting of training
            raise UserError(f"{printable(str(file))} cannot be read as a map: {reason}") from error


def _files(place: Path, pattern: str, setting: str) -> dict[str, Path]:
    """Files by what they are of."""
    names = Pattern(pattern, setting)
    if place.is_file():
        key = names.key(place.name)
        return {key.name if key else place.stem: place}
    found: dict[str, Path] = {}
    for path, *_ in list_images(place, setting=setting):
        folder, slash, file = path.rpartition("/")
        key = names.key(file)
        if key is None:
            continue
        if (other := found.setdefault(f"{folder}{slash}{key.name}", place / path)) != place / path:
            both = f"{printable(path)} and {printable(other.name)}"
            raise UserError(f"{setting}={place}: {both} are of one picture: remove one")
    if not found:
        raise UserError(f"{setting}={place} has no file that is called {pattern}, as in training: rename them")
    return found


def _listed(ids: list[int]) -> str:
    return ", ".join(map(str, ids[:_LISTED])) + (", …" if len(ids) > _LISTED else "")
