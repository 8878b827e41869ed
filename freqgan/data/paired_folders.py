"""Two folders that show the same in two domains, under the same names."""

import logging
from collections.abc import Iterator
from typing import Any

from freqgan.data.decode import UnreadableImageError, UnusableImageError, printable
from freqgan.data.partners import pair_names, same_shape
from freqgan.data.scanned_domains import ScannedDomains
from freqgan.errors import UserError

_LISTED = 10
_log = logging.getLogger(__name__)


class PairedFolders(ScannedDomains):
    """Pictures of A in `root`, each with the picture of the same name in `root_b`.

    Names pair up by their path below the folder, whatever the format. A file that has no partner, one that is
    unreadable or whose partner is, or one of another shape than its partner is an error that is listed before training;
    with on_error=skip the next good pair takes its place. Pairs are on one side of the split, by a hash of the name in
    A.

    Args:
        endings: what the names of A and of B end with before the suffix, and do not share: for `x_photo.jpg` and
            `x_labels.png`, ("_photo", "_labels"). Files with other endings are not looked at, so that one folder may
            hold both domains.
        **settings: as for `ScannedDomains`; `root` and `root_b` are the folders.
    """

    reads = "the folder of domain A: set data.root=<folder>"
    reads_b = True
    paired = True

    def __init__(self, *, endings: tuple[str, str] = ("", ""), **settings: Any) -> None:
        super().__init__(**settings)
        self.endings = (endings[0], endings[1])
        self._pairing = self.endings

    def prepare(self) -> None:
        """List the folders and, unless the cache knows exactly these files, read them all.

        Raises:
            UserError: a folder is missing or empty, no pair is good, or (with on_error=raise) one is not.
        """
        self._scan(self.endings)
        partners, alone, strangers = pair_names(self._a.names, self._b.names, endings=self.endings)
        unfit = dict(self._unfit(partners))
        self._report(alone, strangers, unfit)
        self._rows_a, self.skipped = self._a.rows(
            self.split, val_fraction=self.val_fraction, on_error=self.on_error, without=alone | unfit
        )
        rows = {name: row for row, name in enumerate(self._b.names)}
        self._rows_b = [rows[partners[self._a.names[row]]] for row in self._rows_a]

    def _unfit(self, partners: dict[str, str]) -> Iterator[tuple[str, str]]:
        """Files of A whose partner cannot be used, and why."""
        sizes_b = dict(zip(self._b.names, self._b.scan.sizes, strict=True))
        squeezed = 0
        for name, size in zip(self._a.names, self._a.scan.sizes, strict=True):
            partner = partners.get(name)
            if partner is None or name in self._a.scan.unreadable:
                continue
            if partner in self._b.scan.unreadable:
                yield name, f"its partner cannot be read: {self._b.scan.unreadable[partner]}"
                continue
            (width, height), (width_b, height_b) = size, sizes_b[partner]
            sizes = f"it has {width}x{height} pixels, its partner {width_b}x{height_b}"
            if self.fit == "whole" and (width, height) != (width_b, height_b):
                yield name, f"{sizes}: set data.source.fit=resize"
            elif not same_shape(size, sizes_b[partner]):
                if self.fit != "resize":
                    yield name, f"{sizes}, which is another shape: set data.source.fit=resize"
                squeezed += 1
        if squeezed and self.fit == "resize" and self.split != "val":
            text = "data.root=%s: %d pictures have another shape than their partners, and are squeezed to one"
            _log.warning(text, self.root, squeezed)

    def _report(self, alone: dict[str, str], strangers: list[str], unfit: dict[str, str]) -> None:
        """Tells what of B belongs to nothing, or stops at all that is in no pair."""
        alone, unreadable = alone | unfit, self._a.scan.unreadable
        problems = [UnusableImageError(name, reason).lines[0] for name, reason in alone.items()]
        problems += [UnreadableImageError(name, unreadable[name]).lines[0] for name in unreadable if name not in alone]
        counts = f"{len(problems)} of {len(self._a.names)} files in data.root={self.root}"
        problems += [f"{printable(name)} of B belongs to no file of A" for name in strangers]
        if problems and self.on_error == "raise":
            total = f"{counts} and {len(strangers)} in data.root_b={self.root_b} are in no pair that can be used"
            raise UserError(*problems[:_LISTED], f"{total}: repair or rename them, or set data.on_error=skip")
        if strangers and self.split != "val":
            listed = ", ".join(map(printable, strangers[:_LISTED]))
            _log.warning("data.root_b=%s: %d files belong to no file of A: %s", self.root_b, len(strangers), listed)
