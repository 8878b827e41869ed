"""Every kind of damaged file in every layout: named, counted and replaced by index, or one line that names it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from freqgan.data.datamodule import DataModule
from freqgan.data.decode import printable
from freqgan.data.domains import TwoDomains
from freqgan.errors import FreqganError
from tests.data.damage import KINDS, NAMES, Kind
from tests.data.layout_sets import CONF, LAYOUTS, NO_FILES, STEMS, Layout, samples

PLACES = (0, 1, len(STEMS) - 1)  # the first and the last index too
CASES = [(layout, role) for layout in LAYOUTS for role in LAYOUTS[layout].roles]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", lambda descriptor: None)  # thousands of tiny caches


def _skipped(data: DataModule) -> list[str]:
    """Names of all that was left out, when it was prepared and when it was read."""
    dataset = data.dataset("train")
    skipped = [*dataset.skipped, *(dataset.skipped_b if isinstance(dataset, TwoDomains) else ())]
    return [error.name for error in skipped] + [one.name for one in data.quarantines.found]


def _read(layout: Layout, root: Path, on_error: str) -> tuple[list[bytes], list[str]]:
    """Every sample, and what was left out."""
    data = layout.data(root, root.parent / "cache", on_error)
    with samples(data, layout) as found:
        return found, _skipped(data)


def _refusal(layout: Layout, root: Path, on_error: str) -> str:
    """The lines of the error; empty if there is none."""
    try:
        _read(layout, root, on_error)
    except FreqganError as error:
        return "\n".join(getattr(error, "lines", (str(error),)))
    return ""


def _ends(layout: Layout, role: str, kind: Kind, place: int, root: Path, whole: list[bytes]) -> str:
    """What is wrong with how one case ends; empty if nothing is."""
    files = layout.write(root)
    path, image = files[role][place]
    is_map = layout.roles[role].kind == "map"
    outcome = kind.of_map if is_map else kind.outcome
    if layout.packed and kind.on_disk:
        outcome = "gone"  # such members are no pictures
    if kind.name in layout.strict and (is_map or layout.single):
        outcome = "bad"
    then = {"bad": layout.roles[role].bad, "gone": layout.roles[role].gone, "read": "", None: ""}[outcome]
    with kind.done(path, image):
        refusal = _refusal(layout, root, "raise")
        if then in ("skip", "fatal", "alone", "alone and shorter") and STEMS[place] not in refusal.replace(
            path.stem, STEMS[place]
        ):
            return f"{path.name} is not named in {refusal!r}"
        if then == "fatal":
            return "" if _refusal(layout, root, "skip") else "there is no error with on_error=skip"
        if then in ("", "shorter") and refusal:
            return f"it is refused: {refusal}"
        found, skipped = _read(layout, root, "skip")
    start = {"B": len(STEMS)}.get(role, 0) if layout.conf == "unpaired_folders" else 0
    expected, at = list(whole), start + place
    if then in ("skip", "alone"):
        expected[at] = whole[start + (place + 1) % len(STEMS)]
    elif "shorter" in then:
        del expected[at]
    elif not (kind.keeps or is_map):
        expected = found if layout.single else [*whole[:at], found[at], *whole[at + 1 :]]
    wanted = 1 if then in ("skip", "alone") else 0
    if len(skipped) != wanted or (skipped and STEMS[place] not in skipped[0]):
        return f"{skipped} are skipped"
    return "" if found == expected else f"{[whole.index(x) if x in whole else None for x in found]} are read"


@pytest.mark.filterwarnings("ignore")  # of Pillow, of files that it reads all the same
@pytest.mark.parametrize(("name", "role"), CASES)
@pytest.mark.fault("data", "damaged file, every kind and layout")
def test_each_kind_ends_as_stated(name: str, role: str, tmp_path: Path, tally: Callable[[int, int], None]) -> None:
    layout = LAYOUTS[name]
    (tmp_path / "whole").mkdir()
    layout.write(tmp_path / "whole")
    whole, _ = _read(layout, tmp_path / "whole", "raise")
    wrong, done = {}, 0
    for number, kind in enumerate(KINDS):
        if (layout.roles[role].kind == "map" and kind.of_map is None) or not _applies(kind, layout):
            continue
        place = 0 if layout.single else PLACES[number % len(PLACES)]
        root = tmp_path / str(number)
        root.mkdir()
        done += 1
        if problem := _ends(layout, role, kind, place, root, whole):
            wrong[kind.name] = problem
        tally(done, done - len(wrong))
    assert not wrong
    assert done >= 30


def _applies(kind: Kind, layout: Layout) -> bool:
    if layout.packed:  # these are the shard's
        return kind.name not in ("no rights", "failing disk", "file without an end", "changed while it is read")
    return not (layout.single and kind.scanned)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.fault("data", "damaged file, every kind and layout")
def test_each_place_is_as_good_as_another(place: int, tmp_path: Path, tally: Callable[[int, int], None]) -> None:
    layout, wrong = LAYOUTS["image_folder decoded at every access"], {}
    (tmp_path / "whole").mkdir()
    layout.write(tmp_path / "whole")
    whole, _ = _read(layout, tmp_path / "whole", "raise")
    for number, kind in enumerate(KINDS):
        (tmp_path / str(number)).mkdir()
        if problem := _ends(layout, "images", kind, place, tmp_path / str(number), whole):
            wrong[kind.name] = problem
        tally(number + 1, number + 1 - len(wrong))
    assert not wrong


@pytest.mark.parametrize("name", [name for name, layout in LAYOUTS.items() if not layout.single])
@pytest.mark.fault("data", "damaged file, every kind and layout")
def test_each_name_is_a_name(name: str, tmp_path: Path, tally: Callable[[int, int], None]) -> None:
    layout, wrong = LAYOUTS[name], {}
    (tmp_path / "whole").mkdir()
    layout.write(tmp_path / "whole")
    whole, _ = _read(layout, tmp_path / "whole", "raise")
    for number, (kind, stem) in enumerate(NAMES.items()):
        root, stems = tmp_path / str(number), (stem, *STEMS[1:])
        root.mkdir()
        files = layout.write(root, stems)
        said = _refusal(layout, root, "raise")
        if kind in layout.odd:
            wrong |= {} if layout.odd[kind] in said and "\n" not in said else {kind: said}
            continue
        if said or sorted(_read(layout, root, "raise")[0]) != sorted(whole):
            wrong[kind] = said or "other pictures are read"
            continue
        role = next(iter(layout.roles))
        files[role][0][0].write_bytes(b"x")
        said = _refusal(layout, root, "raise")
        if printable(stem) not in said or not said.replace("\n", "").isprintable():
            wrong[kind] = f"{stem!r} is not told as it is in {said!r}"
        tally(number + 1, number + 1 - len(wrong))
    assert not wrong


def test_every_layout_of_conf_is_here() -> None:
    files = {path.stem for path in (CONF / "data").glob("*.yaml")}
    assert files - NO_FILES == {layout.conf for layout in LAYOUTS.values()}
