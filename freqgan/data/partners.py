"""Which file of another folder belongs to which, told by the names."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from freqgan.data.decode import printable
from freqgan.errors import UserError

_LISTED = 10


def low_partners(
    names: Sequence[str], low_names: Sequence[str], *, scale: int, root: Path, low_root: Path
) -> list[int]:
    """Row in `low_names` of each image's version with fewer pixels.

    It has the same path below its folder, whatever the format, with or without the usual endings:
    `x4`, `_x4`, or `_LR4` or `_LR` where the image has `_HR`.

    Args:
        names: of the images.
        low_names: of the versions to choose from.
        scale: the number in the endings.
        root: folder of the images, for messages.
        low_root: folder of the versions, for messages.

    Raises:
        UserError: an image has none, or several.
    """
    rows = defaultdict(list)
    for row, name in enumerate(low_names):
        rows[_stem(name)].append(row)
    found = [[row for stem in _candidates(_stem(name), scale) for row in rows[stem]] for name in names]
    problems = []
    for name, partners in zip(names, found, strict=True):
        file = printable(str(root / name))
        if not partners:
            wanted = " or ".join(printable(str(low_root / f"{stem}.*")) for stem in _candidates(_stem(name), scale)[:2])
            problems.append(f"{file} has no partner in data.low_root: wanted {wanted}")
        elif len(partners) > 1:
            several = " and ".join(printable(str(low_root / low_names[row])) for row in partners)
            problems.append(f"{file} has {len(partners)} partners, {several}: remove all but one")
    if problems:
        total = f"data.low_root={low_root}: {len(problems)} of {len(names)} images are without exactly one partner"
        raise UserError(*problems[:_LISTED], total)
    return [row for (row,) in found]


def pair_names(
    names: Sequence[str], names_b: Sequence[str], *, endings: tuple[str, str] = ("", "")
) -> tuple[dict[str, str], dict[str, str], list[str]]:
    """Which file of B belongs to which of A: that of the same path below its folder, whatever the format.

    Args:
        names: of A.
        names_b: of B.
        endings: what the names of A and of B end with before the suffix, and do not share.

    Returns:
        The partner of each file of A that has exactly one, why others have none, and what of B belongs to nothing.

    >>> pair_names(["2_a.png", "3_a.png"], ["2.jpg", "4.jpg"], endings=("_a", ""))
    ({'2_a.png': '2.jpg'}, {'3_a.png': 'no file of B is called 3.*'}, ['4.jpg'])
    """
    files = defaultdict(list)
    for name in names_b:
        files[_stem(name).removesuffix(endings[1])].append(name)
    keys = [_stem(name).removesuffix(endings[0]) for name in names]
    pairs, alone, times = {}, {}, Counter(keys)
    for name, key in zip(names, keys, strict=True):
        found = files[key]
        if times[key] > 1:
            alone[name] = f"{times[key]} files of A are called {printable(key)}{endings[0]}.*"
        elif len(found) == 1:
            pairs[name] = found[0]
        else:
            number = f"{len(found)} files of B are" if found else "no file of B is"
            alone[name] = f"{number} called {printable(key)}{endings[1]}.*"
    return pairs, alone, [name for key, found in files.items() if key not in times for name in found]


def same_shape(size: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether one picture may be the other at another size, with sides that were rounded to whole pixels.

    >>> same_shape((150, 101), (37, 25)), same_shape((150, 101), (101, 150))
    (True, False)
    """
    return abs(size[0] * other[1] - size[1] * other[0]) <= max(*size, *other)


def _stem(name: str) -> str:
    return PurePosixPath(name).with_suffix("").as_posix()


def _candidates(stem: str, scale: int) -> list[str]:
    plain = [stem, f"{stem}x{scale}", f"{stem}_x{scale}"]
    return plain + [stem.removesuffix("_HR") + end for end in (f"_LR{scale}", "_LR") if stem.endswith("_HR")]
