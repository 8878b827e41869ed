"""What there is to say of label maps before anything is trained on them: mistakes with remedies, and a histogram."""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from freqgan.data.decode import printable
from freqgan.data.id_maps import VOC, colors_of, read_palette, spelled
from freqgan.data.label_classes import LabelClasses
from freqgan.data.label_files import Kind, LabelledFiles
from freqgan.data.layouts import AnyFit
from freqgan.data.partners import same_shape
from freqgan.data.scanned_folder import ScannedFolder

_LISTED = 12
_PROBED = 20
_MOST_CLASSES_LISTED = 40
_LOSSY = (".jpg", ".jpeg")
_log = logging.getLogger(__name__)

Counts = Mapping[str, Mapping[int, int]]
"""Pixels of each id in a file, by the file's name."""


def id_problems(counts: Counts, classes: LabelClasses) -> Iterator[str]:
    """A line if label maps have ids that are no class and that somebody cares for."""
    total: Counter[int] = sum((Counter(of_file) for of_file in counts.values()), Counter())
    meant = {label: n for label, n in sorted(total.items()) if label not in classes.dont_care or label in classes.of}
    strange = [label for label in meant if label not in classes.of]
    if not strange:
        return
    pixels = total.total()
    listed = "; ".join(
        f"{label} in {sum(label in c for c in counts.values())} files, {total[label] / pixels:.2%} of all pixels, "
        f"as in {printable(next(name for name, c in counts.items() if label in c))}"
        for label in strange[:_LISTED]
    )
    more = f" and {len(strange) - _LISTED} more" if len(strange) > _LISTED else ""
    got = "null" if classes.num_classes is None else classes.num_classes
    of_jpeg = [name for name, c in counts.items() if name.lower().endswith(_LOSSY) and not c.keys().isdisjoint(strange)]
    fix = "JPEG changes ids, save label maps as PNG" if of_jpeg else _remedy(meant, strange, classes)
    yield f"data.num_classes={got}: ids that are no class: {listed}{more}: {fix}"


def _remedy(meant: Mapping[int, int], strange: Sequence[int], classes: LabelClasses) -> str:
    fixes = []
    if classes.ids is None and max(meant) < 255:
        fixes.append(f"set data.num_classes={max(meant) + 1}")
    if classes.ids is None and len(meant) < 256 and max(meant) >= 2 * len(meant):
        fixes.append(f"number them anew with data.source.ids={_option(meant)} data.num_classes={len(meant)}")
    if classes.num_classes is not None and len(strange) <= _LISTED:
        fixes.append(f"set data.source.dont_care={_option([*classes.dont_care, *strange])} if they mean nothing")
    return ", or ".join(fixes) or "wanted at most 255 classes"


def _option(values: Iterable[int]) -> str:
    """A list as it is set in a command line, where spaces would end it."""
    return f"[{','.join(map(str, values))}]"


def color_problems(root: Path, unreadable: Sequence[str]) -> Iterator[str]:
    """A line if label maps below a folder that cannot be read as ids are in colour."""
    found = colors_of(root / name for name in unreadable[:_PROBED])
    if found is None:
        fix = "label maps must be PNG, neither resized with blending nor photographs"
        yield f"data.source.palette=null: label maps have more than 256 colours, as photographs and JPEG have: {fix}"
    elif found:
        listed = ", ".join(
            f"{spelled(color)} ({count / found.total():.1%})" for color, count in found.most_common(_LISTED)
        )
        more = ", …" if len(found) > _LISTED else ""
        fix = "set data.source.palette=<file with a line for each class: three numbers and a name>"
        if {*found} <= {*read_palette(VOC, root)}:
            fix = f"they are colours of PASCAL VOC, set data.source.palette={VOC}"
        got = f"{len(unreadable)} label maps hold no ids but colours, {len(found)} of them, as a palette has"
        yield f"data.source.palette=null: {got}: {listed}{more}: {fix}"


def unfit(files: LabelledFiles, folders: Mapping[Kind, ScannedFolder], fit: AnyFit) -> dict[str, str]:
    """Images that cannot be read, or whose one label or instance map cannot be read or does not fit, and why."""
    sizes = {kind: dict(zip(folder.names, folder.scan.sizes, strict=True)) for kind, folder in folders.items()}
    reasons = dict(folders["images"].scan.unreadable)
    for key, images in files.found["images"].items():
        for kind in folders.keys() - {"images"}:
            image, maps = images[0], files.found[kind].get(key, [])
            if image in reasons or len(images) != 1 or len(maps) != 1:
                continue
            if unreadable := folders[kind].scan.unreadable.get(maps[0]):
                reasons[image] = f"its {printable(maps[0])} cannot be read: {unreadable}"
            elif misfit := _misfit(sizes["images"][image], printable(maps[0]), sizes[kind][maps[0]], fit):
                reasons[image] = misfit
    return reasons


def _misfit(size: tuple[int, int], name_of_map: str, size_of_map: tuple[int, int], fit: AnyFit) -> str:
    """Why a map does not lie over its image; empty if it does."""
    (width, height), (width_of_map, height_of_map) = size, size_of_map
    got = f"it has {width}x{height} pixels, its {name_of_map} {width_of_map}x{height_of_map}"
    if size == size_of_map or (fit != "whole" and same_shape(size, size_of_map)):
        return ""
    if size == (height_of_map, width_of_map):
        return f"{got}: turn one of them, images are read as their EXIF tag says"
    if fit == "whole":
        return f"{got}: set data.source.fit=crop"
    return "" if fit == "resize" else f"{got}, which is another shape: set data.source.fit=resize if it shows the same"


def describe(name: str, counts: Sequence[Mapping[int, int]], classes: LabelClasses) -> None:
    """Logs the share of every class, and warns of what is no mistake but seldom meant.

    Args:
        name: what the user calls the source.
        counts: pixels of each id, of every label map.
        classes: what the ids are.
    """
    total: Counter[int] = Counter()
    for of_map in counts:
        for label, pixels in of_map.items():
            total[classes.of.get(label, -1)] += pixels
    everything, ignored = total.total() or 1, total.pop(-1, 0)
    shares = [f"{classes.called(label)} {total[label] / everything:.2%}" for label in sorted(total)]
    more = [f"{len(shares) - _MOST_CLASSES_LISTED} more"] if len(shares) > _MOST_CLASSES_LISTED else []
    listed = ", ".join(shares[:_MOST_CLASSES_LISTED] + more)
    _log.info("%s: %d label maps: %s; don't care %.2f%%", name, len(counts), listed, 100 * ignored / everything)
    absent = [classes.called(label) for label in sorted({*classes.of.values()} - {*total})]
    if absent:
        text = "%s: %d of %d classes never occur: %s"
        _log.warning(text, name, len(absent), len(classes.of), ", ".join(absent[:_MOST_CLASSES_LISTED]))
    if ignored > everything / 2:
        text = "%s: %.0f%% of the pixels have no class (data.source.dont_care=%s): nothing says what to draw there"
        _log.warning(text, name, 100 * ignored / everything, list(classes.dont_care))
    if len(total) == 1 and ignored:
        fix = "for masks of 0 and 255, set data.source.ids=[0,255] data.num_classes=2"
        _log.warning("%s: everything but don't care is of one class: %s", name, fix)
