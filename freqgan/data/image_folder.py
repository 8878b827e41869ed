"""A folder of the user's own images, nested, of any size and mode."""

from typing import Any

from freqgan.data.base import ImageDataset, Sample
from freqgan.data.decode import MAX_PIXELS
from freqgan.data.layouts import Squares
from freqgan.data.pixels import as_tensor
from freqgan.data.scanned_folder import ScannedFolder


class ImageFolder(ImageDataset):
    """Every image below a folder, shorter side resized, centre cropped; samples have "image".

    The first `prepare` reads every file once: it finds the unreadable ones, hashes the content and keeps the
    pixels if they fit `cache_limit_gib`; a later one only lists the folder. A single 16-bit greyscale file
    makes the whole set float32 in [0, 1]. Hidden files are left out; links to folders are followed, but no
    folder is entered twice.

    Args:
        max_pixels: larger images count as unreadable.
        cache_limit_gib: largest size of the decoded set that is kept in the cache directory; above it every
            access decodes its file.
        **settings: as for `ImageDataset`; `root` is the folder.
    """

    reads = "a folder of images: set data.root=<folder>"

    def __init__(self, *, max_pixels: int = MAX_PIXELS, cache_limit_gib: float = 4.0, **settings: Any) -> None:
        super().__init__(**settings)
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
            Squares(self.image_size, self.channels),
            max_pixels=self.max_pixels,
            cache_limit_gib=self.cache_limit_gib,
            cache=self.cache_dir / "image_folder" / f"{self.image_size}px",
        )
        self._rows, self.skipped = self._folder.rows(self.split, val_fraction=self.val_fraction, on_error=self.on_error)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Sample:
        return {"image": as_tensor(self._folder.pixels(self._rows[index]))}

    def content(self) -> str:
        """A hash of the names and bytes of all files, wherever the folder lies."""
        return self._folder.scan.content
