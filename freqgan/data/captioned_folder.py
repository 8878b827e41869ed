"""A folder of the user's own images with captions: text files, COCO or CUB."""

import logging
from typing import Any, get_args

from freqgan.data.base import ImageDataset, Sample
from freqgan.data.cache import digest
from freqgan.data.caption_files import CaptionLayout, read_annotations, wanted
from freqgan.data.captions import Captioned, report
from freqgan.data.decode import MAX_PIXELS, printable
from freqgan.data.folder_listing import list_images
from freqgan.data.layouts import Fitted
from freqgan.data.pixels import as_tensor
from freqgan.data.scanned_folder import ScannedFolder
from freqgan.errors import UserError
from freqgan.limits import Count, NonNegative

_LISTED = 10
_log = logging.getLogger(__name__)


class CaptionedFolder(ImageDataset, Captioned):
    """Every image below a folder, as `ImageFolder` has it; samples have "image", "name", "caption", and of CUB "class".

    Of CUB, birds are cut out as is usual (a square of 1.5 times the longer side of their box), and a species is on one
    side of the split. That split is by a hash of the species' names, as everywhere here, and not the published list.

    Args:
        layout: where captions come from: see `freqgan.data.caption_files.read_annotations`.
        max_pixels: larger images count as unreadable.
        cache_limit_gib: as for `ImageFolder`.
        **settings: as for `ImageDataset`; `root` is the folder, and an image without captions counts as unreadable.
    """

    reads = "a folder of images with captions: set data.root=<folder>"

    def __init__(
        self,
        *,
        layout: CaptionLayout = "folder",
        max_pixels: Count = MAX_PIXELS,
        cache_limit_gib: NonNegative = 4.0,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        if layout not in get_args(CaptionLayout):
            choices = ", ".join(get_args(CaptionLayout))
            raise UserError(f"data.source.layout={layout} must be one of {choices}")
        self.layout: CaptionLayout = layout
        self.max_pixels, self.cache_limit_gib = max_pixels, cache_limit_gib

    def prepare(self) -> None:
        """List the folder, read the captions and, unless the cache knows exactly these files, the images.

        Raises:
            UserError: no such folder, no image or caption in it, or (with on_error=raise) an image that cannot be read
                or of which nothing is said.
        """
        assert self.root is not None
        names = [name for name, *_ in list_images(self.root)]
        self._notes = read_annotations(self.root, names, self.layout)
        self._folder = ScannedFolder(
            self.root,
            Fitted(self.size, self.channels),
            max_pixels=self.max_pixels,
            cache_limit_gib=self.cache_limit_gib,
            cache=self.cache_dir / "captioned_folder" / f"{self.image_size}px",
            boxes=self._notes.boxes,
        )
        silent = self._silent(self._folder.names)
        self._rows, self.skipped = self._folder.rows(
            self.split,
            val_fraction=self.val_fraction,
            on_error=self.on_error,
            groups=self._notes.groups,
            without=dict.fromkeys(silent, "it has no caption"),
        )
        report(f"data.root={self.root} ({self.split})", [self.captions(index) for index in range(len(self))])

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Sample:
        row = self._rows[index]
        name = self._folder.names[row]
        sample: Sample = {"image": as_tensor(self._folder.pixels(row)), "name": name, "caption": self.captions(index)}
        known = self.class_of(index)
        return sample if known is None else sample | {"class": known}

    def captions(self, index: int) -> list[str]:
        """Those of the layout's files."""
        return self._notes.captions[self._folder.names[self._rows[index]]]

    def class_of(self, index: int) -> int | None:
        """The species, of CUB."""
        return self._notes.classes.get(self._folder.names[self._rows[index]])

    def content(self) -> str:
        """A hash of the names and bytes of all images, and of what is said of them."""
        notes = self._notes
        said = {name: notes.captions[name] for name in self._folder.names if name in notes.captions}
        return digest(self._folder.scan.content, said, notes.classes, notes.boxes)

    def _silent(self, names: list[str]) -> list[str]:
        """Images of which nothing is said."""
        silent = [name for name in names if name not in self._notes.captions]
        if silent and (self.on_error == "raise" or len(silent) == len(names)):
            listed = [
                f"{printable(name)} has no caption: wanted {wanted(name, self.layout)}" for name in silent[:_LISTED]
            ]
            total = f"data.root={self.root} has {len(silent)} images without a caption among {len(names)}"
            raise UserError(*listed, f"{total}: add them, or set data.on_error=skip")
        strangers = len(self._notes.captions.keys() - set(names))
        if strangers:
            _log.warning("data.root=%s: captions of %d images that are not there", self.root, strangers)
        return silent
