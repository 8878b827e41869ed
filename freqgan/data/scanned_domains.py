"""Two domains that are files in folders: what paired, unpaired and side-by-side ones have in common."""

import logging
from abc import abstractmethod
from pathlib import Path, PurePosixPath
from typing import Any, get_args

from torch import Tensor

from freqgan.data.base import ImageDataset, Sample
from freqgan.data.cache import digest
from freqgan.data.decode import MAX_PIXELS
from freqgan.data.domains import Domain, TwoDomains
from freqgan.data.folder_listing import list_images
from freqgan.data.layouts import AnyFit, Layout, layout_of, load_size_of
from freqgan.data.pixels import as_tensor
from freqgan.data.scanned_folder import ScannedFolder
from freqgan.errors import UserError
from freqgan.limits import Count, NonNegative

_log = logging.getLogger(__name__)


class ScannedDomains(ImageDataset, TwoDomains):
    """Files of two domains, read once and kept as `ImageFolder` keeps them; samples have "image", "image_b", "name".

    Args:
        fit: what becomes of images of another size: squeezed, cut at the centre, reduced and mirrored around; or
            "whole": they stay as they are, and training cuts its crops out of them.
        load_size: what images are fitted to, a side or height and width, where training cuts crops of `image_size`
            out of something larger; None is `image_size`.
        labels: a domain whose files are label maps: they are never blended, and grey levels become colours.
        max_pixels: larger images count as unreadable.
        cache_limit_gib: largest size of a decoded folder that is kept in the cache directory; above it every
            access decodes its file.
        **settings: as for `ImageDataset`.
    """

    rectangles = True

    def __init__(
        self,
        *,
        fit: AnyFit = "resize",
        load_size: int | tuple[int, int] | None = None,
        labels: Domain | None = None,
        max_pixels: Count = MAX_PIXELS,
        cache_limit_gib: NonNegative = 4.0,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        if labels not in (None, *get_args(Domain)):
            raise UserError(f"data.source.labels={labels} must be a, b or null")
        self.fit: AnyFit = fit
        self.labels: Domain | None = labels
        self.load_size, self.any_size = load_size_of(fit, load_size, self.size)
        self.max_pixels, self.cache_limit_gib = max_pixels, cache_limit_gib
        self._pairing: tuple[object, ...] = ()  # what else decides which pictures belong to each other
        self._a: ScannedFolder
        self._b: ScannedFolder
        self._rows_a: list[int]
        self._rows_b: list[int]

    @property
    @abstractmethod
    def paired(self) -> bool:
        """Whether rows of both domains belong to each other."""

    @property
    def lengths(self) -> tuple[int, int]:
        """Rows of the split."""
        return len(self._rows_a), len(self._rows_b)

    def __len__(self) -> int:
        return len(self._rows_a)

    def __getitem__(self, index: int) -> Sample:
        if not self.paired:
            name = type(self).__name__
            fix = "choose model=cyclegan or dualgan, which need none, or data=paired_folders"
            raise UserError(f"data.source={name} has no pairs: {fix}")
        return {**self.domain_a(index), "image_b": self.domain_b(index)["image_b"]}

    def domain_a(self, index: int) -> Sample:
        """A picture of A, of which no file of B is read."""
        row = self._rows_a[index]
        return {"image": self._tensor(self._a, row), "name": self._a.names[row]}

    def domain_b(self, index: int) -> Sample:
        """A picture of B, of which no file of A is read."""
        row = self._rows_b[index]
        return {"image_b": self._tensor(self._b, row), "name_b": self._b.names[row]}

    def content(self) -> str:
        """A hash of the names and bytes of all files, wherever the folders lie, and of how they are fitted."""
        size = self.load_size if self.any_size and self.fit != "whole" else None
        return digest(self._a.scan.content, self._b.scan.content, self.fit, size, self.labels, *self._pairing)

    def _layout(self, domain: Domain) -> Layout:
        return layout_of(self.fit, self.load_size, self.channels, labels=self.labels == domain)

    def _scan(self, endings: tuple[str, str] = ("", "")) -> None:
        """Lists the files of both folders and, unless the cache knows exactly these, reads them all.

        Args:
            endings: of the names of A and of B, before the suffix.
        """
        assert self.root is not None
        assert self.root_b is not None
        self._a = self._scanned(self.root, self._layout("a"), "data.root", endings[0])
        self._b = self._scanned(self.root_b, self._layout("b"), "data.root_b", endings[1])
        self._tell(self._a)
        self._tell(self._b)

    def _scanned(self, root: Path, layout: Layout, setting: str, ending: str = "") -> ScannedFolder:
        files = [file for file in list_images(root, setting=setting) if PurePosixPath(file[0]).stem.endswith(ending)]
        if not files:
            raise UserError(f"{setting}={root} holds no image called *{ending}.*: set data.source.endings")
        size = "whole" if self.fit == "whole" else "x".join(map(str, self.load_size))
        return ScannedFolder(
            root,
            layout,
            max_pixels=self.max_pixels,
            cache_limit_gib=self.cache_limit_gib,
            cache=self.cache_dir / "domains" / size,
            setting=setting,
            files=files,
        )

    def _tell(self, folder: ScannedFolder) -> None:
        """Logs what kinds of images there are, once for all splits of a folder."""
        scan, shapes = folder.scan, sorted(set(folder.scan.sizes) - {(0, 0)}, key=lambda size: size[0] * size[1])
        if self.split == "val" or not shapes:
            return
        (width, height), (most, highest) = shapes[0], shapes[-1]
        sizes = f"of {width}x{height}" + (f" to {most}x{highest}" if len(shapes) > 1 else "")
        text = "%s=%s: %d images %s pixels, %d of them without colour, %d bits"
        _log.info(text, folder.setting, folder.root, len(folder.names), sizes, scan.grey, scan.depth)

    def _tensor(self, folder: ScannedFolder, row: int) -> Tensor:
        pixels = as_tensor(folder.pixels(row))
        return pixels.permute(2, 0, 1) if self.fit == "whole" else pixels
