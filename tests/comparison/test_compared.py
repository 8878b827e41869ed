from pathlib import Path
from typing import Any

import pytest

from freqgan.comparison import compare, notes, read_local
from freqgan.comparison.compared import Comparison
from freqgan.errors import UserError
from tests.comparison.written import METRICS, TRANSFORMS, rows_of, write_ledger, write_run, write_study

HAAR = {"transform": TRANSFORMS["wavelet_haar"]}


def compared(folder: Path, **asked: Any) -> Comparison:
    return compare(read_local([str(folder)]), **asked)


def row(images: int, seconds: float, **metrics: float) -> dict[str, float]:
    return {"images_seen": images, "time/seconds": seconds} | {f"val/{key}": value for key, value in metrics.items()}


def mean(comparison: Comparison, clock: Any, variant: int, metric: str | None = None) -> float:
    cell = comparison.cell(clock, comparison.variants[variant], metric)
    assert cell is not None
    assert cell.spread is not None
    return cell.spread.mean


# Points


def test_runs_are_compared_where_all_have_been_evaluated(tmp_path: Path) -> None:
    write_run(tmp_path / "a", [row(100, 1, fd=9), row(200, 2, fd=8), row(300, 9, fd=7)])
    write_run(tmp_path / "b", [row(150, 1, fd=5), row(250, 4, fd=4)], changes=HAAR)
    found = compared(tmp_path)
    assert (found.points["images"].value, found.points["images"].set_by) == (250, "b")
    assert (found.points["seconds"].value, found.points["seconds"].set_by) == (4, "b")
    assert [v.name for v in found.variants] == ["transform=wavelet_haar", "transform=identity"]
    assert mean(found, "images", 1) == 8  # of image 200: the last one before 250, not one between 200 and 300
    cell = found.cell("images", found.variants[1])
    assert cell is not None
    assert cell.measured == (200, 200)


def test_what_went_wrong_does_not_shorten_the_comparison(tmp_path: Path) -> None:
    write_study(tmp_path, seeds=1)
    for state in ("diverged", "failed", "killed", "pruned"):
        record = {"status": state if state != "killed" else "running"}
        write_run(tmp_path / state, rows_of(1.0, images=400), changes={"optim.lr": float(len(state))}, record=record)
    found = compared(tmp_path)
    assert found.points["images"].value == 1000
    assert {run.state for run in found.runs} == {"finished", "diverged", "failed", "killed", "pruned"}
    cells = [cell for v in found.variants if (cell := found.cell("images", v)) and cell.spread]
    assert len(cells) == 2  # a run that ended at 400 images has no value at 1000
    early = compared(tmp_path, at_images=400)
    assert all(mean(early, "images", v) > 0 for v in range(len(early.variants)))


def test_only_failed_runs_are_compared_as_far_as_they_got(tmp_path: Path) -> None:
    write_run(tmp_path / "a", rows_of(1.0, images=400), record={"status": "diverged"})
    assert compared(tmp_path).points["images"].value == 400


def test_a_point_may_be_given(tmp_path: Path) -> None:
    write_study(tmp_path, seeds=1)
    found = compared(tmp_path, at_images=500, at_seconds=2.5)
    assert (found.points["images"].value, found.points["images"].set_by) == (500, "")
    assert found.reading(found.runs[0], "fd_x_n100", "images") == found.runs[0].series["val/fd_x_n100"].at(
        "images", 500
    )
    beyond = compared(tmp_path, at_images=5000)
    assert all((cell := beyond.cell("images", v)) and cell.spread is None for v in beyond.variants)


def test_a_run_that_lags_behind_is_told(tmp_path: Path) -> None:
    write_study(tmp_path)
    write_run(tmp_path / "late", rows_of(1.0, images=200), changes={"seed": 9}, record={"status": "interrupted"})
    found = compared(tmp_path)
    assert found.points["images"].value == 200
    assert any("late has come to 200 images only" in note and "at_images=1000" in note for note in notes(found))


def test_runs_without_numbers_are_shown(tmp_path: Path) -> None:
    write_run(tmp_path / "new", [], record={"status": "running"})
    found = compared(tmp_path)
    assert (found.main, found.points, found.baseline, len(found.variants)) == (None, {}, None, 1)
    write_run(tmp_path / "terms", [{"images_seen": 8, "train/generator/a": 1.0}])
    write_study(tmp_path, seeds=1)
    found = compared(tmp_path)
    assert found.points["images"].value == 1000
    assert any(note == "No evaluation yet: terms." for note in notes(found))


def test_what_is_measured_between_evaluations_comes_last_and_is_none(tmp_path: Path) -> None:
    between = {"images_seen": 8, "time/seconds": 1.0, "val/diversity": 0.5}
    write_run(tmp_path / "only", [between])
    assert compared(tmp_path).main is None
    write_run(tmp_path / "both", [between, *rows_of(1.0)])
    found = compared(tmp_path)
    assert (found.main, found.metrics[-1]) == ("fd_x_n100", "diversity")


def test_runs_that_ended_early_are_told(tmp_path: Path) -> None:
    write_run(tmp_path / "a", rows_of(1.0), record={"stopped": "fd did not improve"})
    write_run(tmp_path / "b", rows_of(1.0), changes={"seed": 2}, record={"stopped": None})
    assert "Ended before the budget: a (fd did not improve)." in notes(compared(tmp_path))


def test_rows_without_a_clock_are_compared_by_images_alone(tmp_path: Path) -> None:
    for name, changes in (("a", {}), ("b", HAAR)):
        write_run(tmp_path / name, [{"images_seen": 5, "val/fd": 1.0}], changes=changes, record={"seconds": None})
    assert compared(tmp_path).points.keys() == {"images"}


# Seeds


def test_means_differences_and_ranks(tmp_path: Path) -> None:
    for seed, (base, other) in enumerate([(10.0, 8.0), (20.0, 17.0), (30.0, 29.0)], 1):
        write_run(tmp_path / f"a{seed}", [row(100, 1, fd=base, precision=0.1)], changes={"seed": seed})
        write_run(tmp_path / f"b{seed}", [row(100, 1, fd=other, precision=0.4)], changes=HAAR | {"seed": seed})
    found = compared(tmp_path)
    assert found.baseline is not None
    assert found.baseline.name == "transform=identity"
    assert [v.name for v in found.variants] == ["transform=wavelet_haar", "transform=identity"]
    cell = found.cell("images", found.variants[0])
    assert cell is not None
    assert cell.spread is not None
    assert cell.difference is not None
    assert (cell.spread.mean, cell.spread.n) == (18.0, 3)
    assert (cell.difference.mean, cell.difference.low, cell.difference.high) == (-2.0, -3.0, -1.0)
    assert cell.verdict == "better on 3 of 3 seeds: too few to be sure"
    other = found.cell("images", found.variants[0], "precision")
    assert other is not None
    assert other.verdict.startswith("better on 3")
    worse = compared(tmp_path, metric="precision", baseline="haar")
    assert worse.main == "precision"
    assert [v.name for v in worse.variants] == ["transform=wavelet_haar", "transform=identity"]
    cell = worse.cell("images", worse.variants[1])
    assert cell is not None
    assert cell.verdict == "worse on 3 of 3 seeds: too few to be sure"


def test_runs_of_one_seed_count_once(tmp_path: Path) -> None:
    for name, seed, value in [("a", 1, 1.0), ("b", 1, 3.0), ("c", 2, 6.0)]:
        write_run(tmp_path / name, [row(100, 1, fd=value)], changes={"seed": seed})
    found = compared(tmp_path)
    cell = found.cell("images", found.variants[0])
    assert cell is not None
    assert cell.spread is not None
    assert (cell.spread.mean, cell.spread.n) == (4.0, 2)
    assert "Runs of one variant and seed count once, by their mean." in notes(found)


def test_values_that_are_no_numbers_are_told_and_not_averaged(tmp_path: Path) -> None:
    for seed, value in [(1, 1.0), (2, float("nan")), (3, float("inf"))]:
        write_run(tmp_path / f"{seed}", [row(50, 0.5, fd=5.0), row(100, 1, fd=value)], changes={"seed": seed})
    found = compared(tmp_path)
    cell = found.cell("images", found.variants[0])
    assert cell is not None
    assert cell.spread is not None
    assert (cell.spread.mean, cell.spread.n, cell.spread.lost) == (1.0, 1, 2)


def test_one_run(tmp_path: Path) -> None:
    write_run(tmp_path / "a", rows_of(1.0))
    found = compared(tmp_path)
    assert found.baseline is found.variants[0]
    assert any("one seed has no deviation" in note for note in notes(found))


# Choices


def test_a_metric_is_named_in_full_by_its_kind_or_not_at_all(tmp_path: Path) -> None:
    write_study(tmp_path, seeds=1)
    assert compared(tmp_path).main == METRICS[0]
    for asked in ("kid", "kid_x_n100", "val/kid_x_n100"):
        assert compared(tmp_path, metric=asked).main == "kid_x_n100"
    with pytest.raises(UserError, match=r"metric=kidd was measured in none of these runs: did you mean kid\?"):
        compared(tmp_path, metric="kidd")


def test_a_baseline_is_named_in_full_or_in_part(tmp_path: Path) -> None:
    write_study(tmp_path, seeds=1, transforms=("identity", "wavelet_haar", "wavelet_db2"))
    for asked in ("transform=wavelet_db2", "db2"):
        base = compared(tmp_path, baseline=asked).baseline
        assert base is not None
        assert base.name == "transform=wavelet_db2"
    with pytest.raises(UserError, match=r"baseline=wavelet fits more than one variant: there are .*db2; .*haar"):
        compared(tmp_path, baseline="wavelet")
    with pytest.raises(UserError, match="baseline=dct fits no variant: there are transform=identity; "):
        compared(tmp_path, baseline="dct")


def test_a_metric_nobody_knows_ranks_nothing(tmp_path: Path) -> None:
    write_run(tmp_path / "a", [row(100, 1, wonder=9.0)])
    write_run(tmp_path / "b", [row(100, 1, wonder=1.0)], changes=HAAR)
    found = compared(tmp_path)
    assert [v.name for v in found.variants] == ["transform=identity", "transform=wavelet_haar"]
    assert found.runs[0].series["val/wonder"].best(None) is None


# Comparable or not


@pytest.mark.parametrize(
    ("changes", "record", "names", "words"),
    [
        ({}, {"data_fingerprint": "xyz"}, METRICS, "was trained on the data xyz, but a_1 was trained on the data abc"),
        ({}, {}, ("fd_x_n200",), "measured fd_x_n200, but a_1 measured fd_x_n100"),
        (
            {"metrics.kid_subsets": 3},
            {},
            METRICS,
            "was judged by GenerationProtocol(num_images=100, kid_subsets=3), but a_1 was judged by "
            "GenerationProtocol(num_images=100)",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused_or_marked(
    tmp_path: Path, changes: dict[str, Any], record: dict[str, Any], names: tuple[str, ...], words: str
) -> None:
    for seed in (1, 2):
        write_run(tmp_path / f"a_{seed}", rows_of(1.0, seed=seed), changes={"seed": seed})
    write_run(tmp_path / "b", rows_of(0.1, names=names), changes=HAAR | changes, record=record)
    with pytest.raises(UserError) as error:
        compared(tmp_path)
    assert str(error.value) == (
        f"these runs cannot be compared: b {words}: leave some out, or show them apart with incomparable=mark"
    )
    found = compared(tmp_path, mark=True)
    assert len(found.runs) == 3
    assert list(found.apart) == [str(tmp_path / "b")]
    assert found.metrics == METRICS
    cell = found.cell("images", next(v for v in found.variants if "haar" in v.name))
    assert cell is not None
    assert cell.spread is None
    assert any(note.startswith("b is shown but not counted: it ") for note in notes(found))


def test_several_reasons_are_one_line(tmp_path: Path) -> None:
    for name in "abc":
        write_run(tmp_path / name, rows_of(1.0), record={"data_fingerprint": name})
    with pytest.raises(UserError, match=r"b was trained .* but a was .* \(1 more runs differ as well\)"):
        compared(tmp_path)


def test_bands_differ_between_transforms_and_are_compared_where_both_have_them(tmp_path: Path) -> None:
    write_run(tmp_path / "a", rows_of(1.0, names=("fd_x_n100", "band_distance_image_n100")))
    write_run(tmp_path / "b", rows_of(1.0, names=("fd_x_n100", "band_distance_LL1_n100")), changes=HAAR)
    found = compared(tmp_path)
    assert found.metrics == ("fd_x_n100", "band_distance_image_n100", "band_distance_LL1_n100")


def test_translation_one_way_is_compared_with_both_ways(tmp_path: Path) -> None:
    one, both = ("psnr_y_ab", "psnr_y_untranslated"), ("psnr_y_ab", "cycle_error_ab", "psnr_y_ba", "cycle_error_ba")
    write_run(tmp_path / "paired", rows_of(1.0, names=one))
    write_run(tmp_path / "unpaired", rows_of(1.0, names=(*both, "psnr_y_untranslated")), changes=HAAR)
    found = compared(tmp_path)
    assert found.metrics[0] == "psnr_y_ab"
    assert mean(found, "images", 0, "psnr_y_ab") == mean(found, "images", 1, "psnr_y_ab")
    write_run(tmp_path / "other", rows_of(1.0, names=("psnr_y_ab_n9",)), changes={"seed": 2})
    with pytest.raises(UserError, match=r"other measured psnr_y_ab_n9, but paired measured psnr_y_ab:"):
        compared(tmp_path)


def test_jobs_that_never_ran_are_comparable_with_anything(tmp_path: Path) -> None:
    write_run(tmp_path / "a", rows_of(1.0))
    write_ledger(
        tmp_path, [{"key": "a", "overrides": ["seed=1"]}, {"key": "b", "overrides": ["x=1"], "state": "refused"}]
    )
    write_run(tmp_path / "none", [], changes={"metrics": {"_target_": "freqgan.metrics.NoEvaluation"}})
    assert len(compared(tmp_path).runs) == 3
