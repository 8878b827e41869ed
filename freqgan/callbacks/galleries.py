"""Galleries beside the numbers of an evaluation: what became of the pictures that were judged."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from freqgan.inference import gallery_page, gallery_sheet
from freqgan.runs import RunDirectory
from freqgan.runs.files import storage, write_below, write_whole
from freqgan.systems import Exhibiting, System

PAGE = "gallery.html"


def write_galleries(
    system: System, data: Any, run: RunDirectory, folder: Path, *, images_seen: int, **how: Any
) -> Mapping[str, Path]:
    """Writes `gallery_<name>_<images seen>.png` for each gallery of a system, and all of them as `gallery.html`.

    Args:
        system: shows some, or is one of those that show none.
        data: the data module.
        run: of the system.
        folder: that they are written to.
        images_seen: by the weights.
        **how: see `Exhibiting.exhibits`.

    Returns:
        The PNG files by key of the loggers.

    Raises:
        StorageError: the disk is full or failing.
    """
    galleries = system.exhibits(data, **how) if isinstance(system, Exhibiting) else {}
    with storage(folder):
        folder.mkdir(parents=True, exist_ok=True)
    paths = {name: folder / f"gallery_{name}_{images_seen:09d}.png" for name in galleries}
    for name, exhibits in galleries.items():
        sheet = gallery_sheet(exhibits)
        write_whole(paths[name], lambda file, sheet=sheet: sheet.save(file, "PNG"))  # type: ignore[misc]
    if galleries:
        facts = {"images seen": f"{images_seen:,}", "split": how["split"], "weights": how["weights"]}
        title = "/".join(run.path.absolute().parts[-2:])
        write_below(folder / PAGE, gallery_page(title, facts, galleries).encode())
    return {f"gallery/{name}": path for name, path in paths.items()}
