"""Finding the image files of a folder, in an order that depends on their names alone."""

import os
import stat
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

from freqgan.data.decode import SUFFIXES, printable
from freqgan.errors import UserError
from freqgan.opening import stamp_of


def list_images(root: Path, *, setting: str = "data.root") -> list[tuple[str, int, int]]:
    """Name below `root`, size and last change of every image file, in the order of the names.

    Hidden files are left out. Links to folders are followed, but no folder is entered twice. What is called as an image
    and is a pipe or a link to nothing is listed, so that reading it reports it.

    Args:
        root: the folder.
        setting: what the user calls it.

    Raises:
        UserError: no such folder, or no image in it.
    """
    if not root.is_dir():
        raise UserError(_no_folder(root, setting))
    try:
        files = sorted(_walk(root))
    except OSError as error:
        fix = "change its rights" if isinstance(error, PermissionError) else "start again when nobody changes it"
        folder = printable(str(error.filename))
        raise UserError(f"{setting}: folder {folder} cannot be read ({error.strerror}): {fix}") from error
    if not files:
        known = ", ".join(SUFFIXES)
        raise UserError(f"{setting}={root} holds no image, wanted files ending in {known}: set {setting}=<folder>")
    return files


def _walk(root: Path) -> Iterator[tuple[str, int, int]]:
    entered, waiting = set[tuple[int, int]](), [(root, "")]
    while waiting:
        folder, prefix = waiting.pop()
        here = folder.stat()
        if (here.st_dev, here.st_ino) in entered:
            continue
        entered.add((here.st_dev, here.st_ino))
        with os.scandir(folder) as entries:
            visible = sorted((entry for entry in entries if entry.name[0] != "."), key=lambda entry: entry.name)
        below = []
        for entry in visible:
            try:
                status = entry.stat()
            except OSError:  # a link to nothing
                status = None
            if status is not None and stat.S_ISDIR(status.st_mode):
                below.append((folder / entry.name, f"{prefix}{entry.name}/"))
            elif entry.name.lower().endswith(SUFFIXES):
                yield prefix + entry.name, *(stamp_of(status) if status else (0, 0))
        waiting += reversed(below)  # of two ways to one folder, that of the first name is taken


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
