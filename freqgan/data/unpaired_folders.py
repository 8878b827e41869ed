"""Two folders of pictures that have nothing to do with each other but their kinds."""

from typing import Any

from freqgan.data.scanned_domains import ScannedDomains


class UnpairedFolders(ScannedDomains):
    """Pictures of A in `root` and of B in `root_b`, as many as there are of each.

    Each domain has its own split by a hash of its names. There are no pairs: `domain_a` and `domain_b` alone are read.
    """

    reads = "the folder of domain A: set data.root=<folder>"
    reads_b = True
    paired = False

    def prepare(self) -> None:
        """List the folders and, unless the cache knows exactly these files, read them all.

        Raises:
            UserError: a folder is missing or empty, or (with on_error=raise) an image is unreadable.
        """
        self._scan()
        how: Any = {"val_fraction": self.val_fraction, "on_error": self.on_error}
        self._rows_a, self.skipped = self._a.rows(self.split, **how)
        self._rows_b, self.skipped_b = self._b.rows(self.split, **how)
