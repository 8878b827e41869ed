"""Finding the image files of a folder, in an order that depends on their names alone."""

import os
import stat
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

from freqgan.data.decode import SUFFIXES, printable
from freqgan.errors import UserError


def list_images(root: Path, *, setting: str = "data.root") -> list[tuple[str, int, int]]:
    """Name below `root`, size and last change of every image file, in the order of the names.

    Hidden files are left out. Links to folders are followed, but no folder is entered twice.

    Args:
        root: the folder.
        setting: what the user calls it.

    Raises:
        UserError: no such folder, or no image in it.
    """
    if not root.is_dir():
        raise UserError(_no_folder(root, setting))
    try:
        files = sorted(_walk(root, "", set()))
    except PermissionError as error:
        raise UserError(
            f"{setting}: folder {printable(str(error.filename))} may not be read: change its rights"
        ) from error
    if not files:
        known = ", ".join(SUFFIXES)
        raise UserError(f"{setting}={root} holds no image, wanted files ending in {known}: set {setting}=<folder>")
    return files


def _walk(folder: Path, prefix: str, entered: set[tuple[int, int]]) -> Iterator[tuple[str, int, int]]:
    here = folder.stat()
    if (here.st_dev, here.st_ino) in entered:
        return
    entered.add((here.st_dev, here.st_ino))
    with os.scandir(folder) as entries:
        visible = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
    for entry in visible:
        try:
            status = entry.stat()
        except OSError:  # a dangling link is listed, so that reading it reports it
            status = None
        if status is not None and stat.S_ISDIR(status.st_mode):
            yield from _walk(folder / entry.name, f"{prefix}{entry.name}/", entered)
        elif entry.name.lower().endswith(SUFFIXES) and (status is None or stat.S_ISREG(status.st_mode)):
            size, changed = (status.st_size, max(status.st_mtime_ns, status.st_ctime_ns)) if status else (0, 0)
            yield prefix + entry.name, size, changed


def _no_folder(root: Path, setting: str) -> str:
    if root.exists():
        return f"{setting}={root} is a file, wanted a folder of images: set {setting}={root.parent}"
    parent = next(folder for folder in root.absolute().parents if folder.is_dir())
    wanted = root.absolute().relative_to(parent).parts[0]
    try:
        names = sorted(entry.name for entry in os.scandir(parent) if entry.is_dir())
    except PermissionError:
        names = []
    near = get_close_matches(wanted, names, n=1, cutoff=0.5)
    fix = f"did you mean {parent / near[0]}?" if near else f"{parent} exists and has no folder {wanted}"
    return f"{setting}={root} is not there, wanted a folder of images: {fix}"
