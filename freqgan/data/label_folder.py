"""A folder of images with label maps, and perhaps instance maps, in any of the usual layouts."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from freqgan.data.base import ImageDataset, Sample
from freqgan.data.cache import digest
from freqgan.data.decode import MAX_PIXELS, printable
from freqgan.data.folder_listing import list_images
from freqgan.data.id_maps import IdMaps, read_palette
from freqgan.data.label_classes import LabelClasses
from freqgan.data.label_files import Key, Kind, LabelledFiles, Pattern
from freqgan.data.label_report import color_problems, describe, id_problems, unfit
from freqgan.data.layouts import AnyFit, layout_of, load_size_of
from freqgan.data.pixels import as_tensor
from freqgan.data.scanned_folder import ScannedFolder
from freqgan.data.splits import Split
from freqgan.errors import UserError
from freqgan.limits import Count, NonNegative
from freqgan.ops.components import components

_LISTED = 10
_log = logging.getLogger(__name__)


class LabelFolder(ImageDataset):
    """Images below a folder, each with a label map; samples have "image", "label_map", "instance_map" and "name".

    Everything is read once and kept as `ImageFolder` keeps it; of label and instance maps, no pixel is blended with
    others. Before training, the label maps are told by their shares of each class, and mistakes by their remedy:
    missing partners, other sizes, colours without a palette, ids that are no class.

    Args:
        images: pattern of the images' paths below `root`, as in "{split}/images/{name}". {name} may hold folders;
            {split} is the part that a set was published in, without which a hash of the names tells it.
        labels: pattern of the label maps: grey levels, palette indices, or colours of `palette`.
        instances: pattern of the instance maps, in which equal ids are one thing; None derives them: what is connected
            of a class in `things` is one, and all of any other class.
        splits: what {split} is for training and validation; files of other parts are left out.
        num_classes: how many classes there are.
        class_names: of the classes, or none.
        palette: what colours mean: "voc", or a text file, below `root` or elsewhere, with a line for each id: three
            numbers and a name. None takes the indices of files with a palette of their own.
        ids: those of files that are classes 0, 1, …; None if they are these numbers themselves.
        dont_care: ids of files that mean nothing, 255 in samples.
        things: classes whose connected parts are instances, by name or number.
        fit: what becomes of images of another shape, or "whole": they stay as they are, and training cuts its crops
            out of them.
        load_size: what images are fitted to, a side or height and width, where training cuts crops of `image_size`
            out of something larger; None is `image_size`.
        max_pixels: larger files count as unreadable.
        cache_limit_gib: largest size of the decoded images, and of the maps, that is kept in the cache directory.
        **settings: as for `ImageDataset`; with on_error=skip, the next good picture takes the place of one that is
            unreadable, without a partner, or of another shape than its label map.
    """

    reads = "a folder of images and label maps: set data.root=<folder>"
    rectangles = True

    def __init__(
        self,
        *,
        images: str = "images/{name}",
        labels: str = "labels/{name}",
        instances: str | None = None,
        splits: tuple[str, str] = ("train", "val"),
        num_classes: Count | None = None,
        class_names: Sequence[str] = (),
        palette: str | None = None,
        ids: Sequence[int] | None = None,
        dont_care: Sequence[int] = (255,),
        things: Sequence[int | str] = (),
        fit: AnyFit = "crop",
        load_size: int | tuple[int, int] | None = None,
        max_pixels: Count = MAX_PIXELS,
        cache_limit_gib: NonNegative = 4.0,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        given: dict[Kind, str | None] = {"images": images, "labels": labels, "instances": instances}
        self.patterns = {kind: Pattern(text, f"data.source.{kind}") for kind, text in given.items() if text}
        if len({pattern.has_split for pattern in self.patterns.values()}) > 1:
            raise UserError("data.source.images, labels and instances: all have {split}, or none")
        if instances and things:
            raise UserError(f"data.source.things={list(things)} is for sets without instance maps: set it to []")
        numbers = None if ids is None else tuple(ids)
        self.classes = LabelClasses(num_classes, tuple(class_names), numbers, tuple(dont_care))
        self.things = self.classes.numbers(things, "data.source.things")
        self.num_classes, self.class_names = num_classes, tuple(class_names)
        self.own_instances = bool(instances)
        self.splits, self.palette, self.fit = (splits[0], splits[1]), palette, fit
        self.load_size, self.any_size = load_size_of(fit, load_size, self.size)
        self.max_pixels, self.cache_limit_gib = max_pixels, cache_limit_gib

    def prepare(self) -> None:
        """List the folder and, unless the cache knows exactly these files, read them all; then report.

        Raises:
            UserError: there is no picture, ids are no classes, or (with on_error=raise) a picture is unreadable or
                has no label map that fits.
        """
        assert self.root is not None
        listing = list_images(self.root)
        self._files = LabelledFiles.among([name for name, *_ in listing], self.patterns, self.splits)
        if lines := list(self._files.missing(self.splits)):
            raise UserError(*(f"data.root={self.root}: {line}" for line in lines))
        self._colors = read_palette(self.palette, self.root) if self.palette else None
        read = {"images": None, "labels": IdMaps(self._colors), "instances": IdMaps(instances=True)}
        self._folders = {kind: self._scanned(kind, listing, read[kind]) for kind in self.patterns}
        self._rows_of = {
            kind: {name: row for row, name in enumerate(folder.names)} for kind, folder in self._folders.items()
        }
        self._keys = {file: key for key, files in self._files.found["images"].items() for file in files}
        bad = self._checked()
        self._rows, self.skipped = self._folders["images"].rows(
            self.split, val_fraction=self.val_fraction, on_error=self.on_error, without=bad, sides=self._sides()
        )
        if not self._rows and self._sides():
            wanted = self.patterns["images"].path(Key(self.splits[self.split == "val"], "*")).replace("*.*", "*")
            fix = "name the part in data.source.splits, or set data.val_root=<folder>"
            raise UserError(f"data.root={self.root} has no {wanted}, wanted images of split={self.split}: {fix}")
        self._tell()

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Sample:
        row = self._rows[index]
        name = self._folders["images"].names[row]
        image = as_tensor(self._folders["images"].pixels(row))
        labels = self.classes.map(self._ids("labels", name))
        instances = self._ids("instances", name) if "instances" in self.patterns else components(labels, self.things)
        return {
            "image": image.permute(2, 0, 1) if self.fit == "whole" else image,
            "label_map": torch.from_numpy(labels),
            "instance_map": torch.from_numpy(instances.astype(np.int32)),
            "name": name,
        }

    def content(self) -> str:
        """A hash of the names and bytes of all files, wherever the folder lies, and of what is made of them."""
        size = self.load_size if self.any_size and self.fit != "whole" else None
        contents = [folder.scan.content for folder in self._folders.values()]
        meaning = self.num_classes, self.classes.ids, self.classes.dont_care, self.things, self._colors
        return digest(*contents, self.fit, size, *meaning, self._sides() and self.splits)

    def _ids(self, kind: Kind, image: str) -> np.ndarray:
        """The map of an image as its file has it: (h, w)."""
        row = self._rows_of[kind][self._files.partner(kind, self._keys[image])]
        pixels = self._folders[kind].pixels(row)
        return pixels[..., 0] if self.fit == "whole" else pixels[0]

    def _scanned(self, kind: Kind, listing: Sequence[tuple[str, int, int]], ids: IdMaps | None) -> ScannedFolder:
        assert self.root is not None
        meant = {file for files in self._files.found[kind].values() for file in files}
        size = "whole" if self.fit == "whole" else "x".join(map(str, self.load_size))
        return ScannedFolder(
            self.root,
            layout_of(self.fit, self.load_size, self.channels if ids is None else 1, labels=ids is not None),
            max_pixels=self.max_pixels,
            cache_limit_gib=self.cache_limit_gib,
            cache=self.cache_dir / "label_folder" / f"{kind}_{size}",
            files=[entry for entry in listing if entry[0] in meant],
            ids=ids,
        )

    def _sides(self) -> dict[str, Split] | None:
        """The part that each image was published in, if the paths say it."""
        if not self.patterns["images"].has_split:
            return None
        return {file: "train" if key.split == self.splits[0] else "val" for file, key in self._keys.items()}

    def _checked(self) -> dict[str, str]:
        """Images that cannot be used, and why; what is no matter of single files is an error."""
        assert self.root is not None
        scan, names = self._folders["labels"].scan, self._folders["labels"].names
        colored = list(color_problems(self.root, [*scan.unreadable])) if self._colors is None else []
        wrong = [*colored, *id_problems(dict(zip(names, scan.counts, strict=True)), self.classes)]
        bad = self._files.alone() | ({} if colored else unfit(self._files, self._folders, self.fit))
        strangers = list(self._files.strangers())
        lines = [f"{printable(name)}: {reason}" for name, reason in bad.items()]
        lines += [f"{printable(name)} belongs to no image" for name in strangers]
        counts = f"{len(bad)} of {len(self._keys)} images cannot be used, {len(strangers)} maps belong to none"
        total = f"data.root={self.root}: {counts}"
        if lines and self.on_error == "raise":
            wrong += [*lines[:_LISTED], f"{total}: repair them, or set data.on_error=skip"]
        if wrong:
            raise UserError(*wrong)
        if lines and self.split != "val":
            _log.warning("%s: %s", total, "; ".join(lines[:_LISTED]))
        return bad

    def _tell(self) -> None:
        """Logs what the label maps of the split hold."""
        if self.split == "val":
            return
        labels, names = self._folders["labels"], self._folders["images"].names
        rows = {self._rows_of["labels"][self._files.partner("labels", self._keys[names[row]])] for row in self._rows}
        describe(f"data.root={self.root}", [labels.scan.counts[row] for row in sorted(rows)], self.classes)
        if labels.scan.palettes > 1 and self._colors is None:
            text = "data.root=%s: label maps have %d different palettes of their own, so that one id may be of several "
            fix = "colours: to go by their colours, set data.source.palette=<file>"
            _log.warning(text + fix, self.root, labels.scan.palettes)
