"""A folder of the user's own images, nested, of any size and mode."""

from typing import Any, get_args

from freqgan.data.base import ImageDataset, Sample
from freqgan.data.cache import digest
from freqgan.data.decode import MAX_PIXELS
from freqgan.data.layouts import Fitted
from freqgan.data.pixels import Fit, as_tensor
from freqgan.data.scanned_folder import ScannedFolder
from freqgan.errors import UserError
from freqgan.limits import Count, NonNegative


class ImageFolder(ImageDataset):
    """Every image below a folder, at one size; samples have "image" and "name".

    The first `prepare` reads every file once: it finds the unreadable ones, hashes the content and keeps the
    pixels if they fit `cache_limit_gib`; a later one only lists the folder. A single 16-bit greyscale file
    makes the whole set float32 in [0, 1]. Hidden files are left out; links to folders are followed, but no
    folder is entered twice.

    Args:
        fit: what becomes of images of another shape: cut at the centre, squeezed, or reduced and mirrored around.
        max_pixels: larger images count as unreadable.
        cache_limit_gib: largest size of the decoded set that is kept in the cache directory; above it every
            access decodes its file.
        **settings: as for `ImageDataset`; `root` is the folder.
    """

    reads = "a folder of images: set data.root=<folder>"
    rectangles = True

    def __init__(
        self, *, fit: Fit = "crop", max_pixels: Count = MAX_PIXELS, cache_limit_gib: NonNegative = 4.0, **settings: Any
    ) -> None:
        super().__init__(**settings)
        if fit not in get_args(Fit):
            raise UserError(f"data.source.fit={fit} must be one of {', '.join(get_args(Fit))}")
        self.fit: Fit = fit
        self.max_pixels, self.cache_limit_gib = max_pixels, cache_limit_gib

    def prepare(self) -> None:
        """List the folder and, unless the cache knows exactly these files, read them all.

        Raises:
            UserError: no such folder, no image in it, none readable, or (with on_error=raise) an unreadable
                one.
        """
        assert self.root is not None
        self._folder = ScannedFolder(
            self.root,
            Fitted(self.size, self.channels, self.fit),
            max_pixels=self.max_pixels,
            cache_limit_gib=self.cache_limit_gib,
            cache=self.cache_dir / "image_folder" / f"{self.image_size}px",
        )
        self._rows, self.skipped = self._folder.rows(self.split, val_fraction=self.val_fraction, on_error=self.on_error)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Sample:
        row = self._rows[index]
        return {"image": as_tensor(self._folder.pixels(row)), "name": self._folder.names[row]}

    def content(self) -> str:
        """A hash of the names and bytes of all files, wherever the folder lies."""
        content = self._folder.scan.content
        return content if self.fit == "crop" else digest(content, self.fit)
