"""The studies' scripts: what they would run fits the config, and what they say of runs is right."""

import csv
import importlib
import io
import json
import os
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from freqgan import config
from freqgan.config import overrides
from freqgan.config.sweeping import SweepCommand
from freqgan.sweeps.search import Proposal
from tests.comparison.written import METRICS, rows_of, write_grid, write_ledger, write_run

EXPERIMENTS = Path(__file__).parents[1] / "experiments"
STUDY = EXPERIMENTS / "frequency_vs_image"
ARMS = ["identity", "block_dct", "db2", "fourier_2", "fourier_4", "haar", "haar_each", "haar_image", "haar_literal"]
ARMS += ["haar_one"]


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(EXPERIMENTS.parent)
    monkeypatch.syspath_prepend(STUDY)
    monkeypatch.syspath_prepend(EXPERIMENTS)


@pytest.fixture
def analyse() -> ModuleType:
    return importlib.import_module("analyse")


def asked(study: str, *arguments: str, **environment: str) -> tuple[SweepCommand, list[Proposal]]:
    """The sweep that a study's `run.sh` would start, and its jobs."""
    variables = os.environ | {"FREQGAN": "echo"} | environment
    script = [str(EXPERIMENTS / study / "run.sh"), *arguments]
    verb, *words = subprocess.run(script, env=variables, capture_output=True, text=True, check=True).stdout.split()
    command = SweepCommand.read(overrides.read(verb, words, sweeps="asked"))
    search = config.build(command.settings["search"])
    search.begin(command, Path())
    return command, search.plan()[0]


# What would run


@pytest.mark.parametrize(
    ("part", "environment", "count", "first"),
    [
        ("main", {}, 30, "seed=1 experiment=frequency_vs_image/identity"),
        ("rates", {}, 40, "experiment=frequency_vs_image/identity optim.lr=0.001 model.terms.discriminator.r1=1.0"),
        ("stability", {}, 24, "seed=1 optim.lr=0.0003 experiment=frequency_vs_image/identity"),
        ("long", {"BEST": "db2"}, 2, "experiment=frequency_vs_image/identity"),
        ("scenes", {"CAMVID": "streets"}, 6, "seed=1 experiment=frequency_vs_image/identity"),
        ("photos", {"BSDS": "photos", "BEST": "db2"}, 6, "seed=1 experiment=frequency_vs_image/identity"),
    ],
)
def test_parts_of_the_main_study(part: str, environment: dict[str, str], count: int, first: str) -> None:
    command, jobs = asked("frequency_vs_image", part, "budget.images=64", **environment)
    assert len(jobs) == count
    assert " ".join(jobs[0].typed) == first
    assert command.folder == Path("outputs/frequency_vs_image") / part
    last = command.compose(jobs[-1].chosen)
    config.check(last)
    assert last["budget"]["images"] == 64
    assert last["data"].get("root") == next((environment[k] for k in ("CAMVID", "BSDS") if k in environment), None)
    assert ("db2" in " ".join(jobs[-1].typed)) == (environment.get("BEST") == "db2")


@pytest.mark.parametrize(("part", "count"), [("networks", 8), ("gan", 4)])
def test_parts_of_the_super_resolution_study(part: str, count: int) -> None:
    command, jobs = asked("branch_sr", part, TRAIN="photos", TEST="others")
    assert len(jobs) == 3 * count
    settings = [command.compose(job.chosen) for job in jobs if "seed=1" in job.typed]
    assert len({json.dumps(config.resolve(job), sort_keys=True) for job in settings}) == count
    for job in settings:
        config.check(job)


def test_networks_of_the_super_resolution_study_cost_the_same() -> None:
    command, jobs = asked("branch_sr", "networks", TRAIN="photos", TEST="others")
    costs = []
    for job in jobs:
        if "seed=1" in job.typed:
            with torch.device("meta"):
                system = config.build_model(config.resolve(command.compose(job.chosen)), seed=1)
            with FlopCounterMode(display=False) as counter:
                system.generator.upscale(torch.empty(1, 3, 64, 64, device="meta"))
            costs.append(counter.get_total_flops())
    assert len(costs) == 8
    assert costs == pytest.approx([costs[0]] * len(costs), rel=0.06)


@pytest.mark.parametrize(("part", "missing"), [("scenes", "CAMVID"), ("photos", "BSDS"), ("other", "rates|main")])
def test_what_a_part_needs_is_said(part: str, missing: str) -> None:
    script = [str(STUDY / "run.sh"), part]
    done = subprocess.run(script, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert missing in done.stderr


def test_the_ablation_changes_one_factor_at_a_time() -> None:
    command, jobs = asked("frequency_ablation")
    assert len(jobs) == 3 * 16
    assert command.folder == Path("outputs/frequency_ablation/main")
    changed = [[text for text in job.typed if not text.startswith("seed=")] for job in jobs]
    assert all(len(texts) == 1 for texts in changed)
    assert len({texts[0] for texts in changed}) == 16
    settings = [command.compose(job.chosen) for job in jobs if "seed=1" in job.typed]
    assert len(settings) == 16
    for job in settings:
        config.check(job)
    plain = [json.dumps(config.resolve(job), sort_keys=True) for job in settings]
    assert len(set(plain)) == 16, "no variant is the base again"


def test_all_arms_have_as_many_parameters() -> None:
    folder = "frequency_vs_image"
    widths = importlib.import_module("widths")
    assert widths.arms(folder) == ARMS
    settings = {arm: widths.settings_of(folder, arm) for arm in ARMS}
    for player in widths.PLAYERS:
        counts = {arm: widths.parameters(settings[arm], player) for arm in ARMS}
        assert counts == pytest.approx(dict.fromkeys(ARMS, counts["identity"]), rel=widths.TOLERANCE)


def test_widths_are_found_and_written(tmp_path: Path) -> None:
    widths = importlib.import_module("widths")
    settings = widths.settings_of("frequency_vs_image", "identity")
    widths.set_widths(settings, "generator", (21, 162))  # instead of 168, at the deepest of four
    target = widths.parameters(settings, "generator")
    widths.set_widths(settings, "generator", (32, 512))
    assert widths.fitted(settings, "generator", target) == (21, 162)
    with pytest.raises(SystemExit, match="no widths give this generator 1 parameters"):
        widths.fitted(settings, "generator", 1)
    file = tmp_path / "arm.yaml"
    file.write_text("model:\n  generator: {channels: 1, max_channels: 2}\n  discriminator: {}\n")
    widths.written(file, "generator", (9, 13))
    assert file.read_text() == "model:\n  generator: {channels: 9, max_channels: 13}\n  discriminator: {}\n"
    with pytest.raises(SystemExit, match="no line"):
        widths.written(file, "discriminator", (9, 13))


# What is said of runs


def losses(*values: float) -> list[dict[str, float]]:
    """Rows of a run of two bands: one loses as given, the other one does not change."""
    terms = [{"train/generator/LL1/adversarial": v, "train/generator/HH1/adversarial": 1.0} for v in values]
    return [{"images_seen": 10 * (i + 1), "time/seconds": 1.0} | term for i, term in enumerate(terms)]


def write_arms(folder: Path) -> Path:
    """Two arms at two rates with two seeds: `b` is better, bears one rate, and collapses once."""
    jobs: list[dict[str, Any]] = []
    for arm, quality in (("a", 100.0), ("b", 50.0)):
        for rate in (0.001, 0.01):
            for seed in (1, 2):
                key = f"{arm}_{rate}_{seed}"
                state = "diverged" if (arm, rate) == ("b", 0.01) else "finished"
                rows = rows_of(quality * (1 + 10 * rate), seed=seed) if state == "finished" else []
                if rows:
                    start = {f"val/{name}": 120.0 for name in METRICS}
                    rows = [{"images_seen": 0, "time/seconds": 0.0} | start, *rows]
                    diversity = 0.1 if (arm, seed) == ("b", 2) else 0.8
                    rows.append({"images_seen": 1000, "time/seconds": 10.0, "val/diversity": diversity})
                changes = {"optim.lr": rate, "seed": seed, "model.arm": arm}
                write_run(folder / key, rows, changes=changes, record={"status": state})
                write_grid(folder / key, seed=seed)
                texts = [f"experiment=study/{arm}", f"optim.lr={rate}", f"seed={seed}"]
                jobs.append({"key": key, "overrides": texts, "state": state})
    write_ledger(folder, jobs)
    return folder


def test_loss_deviation_is_that_of_the_second_half_over_bands(analyse: ModuleType, tmp_path: Path) -> None:
    write_run(tmp_path / "run", losses(9.0, -9.0, 1.0, 3.0))
    (run,) = analyse.read([str(tmp_path / "run")]).runs
    assert analyse.loss_deviation(run) == pytest.approx((2**0.5 + 0) / 2)  # of 1 and 3, and of 1 and 1


def test_a_row_per_run(analyse: ModuleType, tmp_path: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(analyse.results(analyse.read([str(write_arms(tmp_path))])))))
    assert len(rows) == 8
    wanted = ["variant", "transform", "model", "seed", "images_seen", "cpu_seconds", "status", METRICS[0]]
    assert list(rows[0])[:8] == wanted
    assert {row["variant"] for row in rows} == {f"{arm} optim.lr={rate}" for arm in "ab" for rate in (0.001, 0.01)}
    for row in rows:
        fine = row["status"] == "finished"
        assert (row["start"], bool(row["loss_deviation"])) == (("120.0", True) if fine else ("", False))
        assert row["collapsed"] == str(row["variant"] == "b optim.lr=0.001" and row["seed"] == "2").lower()


def test_tables(analyse: ModuleType, tmp_path: Path) -> None:
    comparison = analyse.read([str(write_arms(tmp_path))])
    header, *lines = analyse.quality(comparison)
    assert header == ["variant", "seeds", "fd ↓", "kid ↓", "recall ↑", "spectrum_distance ↓", "CPU-seconds"]
    assert [line[:2] for line in lines] == [
        ["b optim.lr=0.001", "2"],
        ["a optim.lr=0.001", "2"],
        ["a optim.lr=0.01", "2"],
        ["b optim.lr=0.01", "0"],
    ]
    header, *lines = analyse.stability(comparison)
    said = {line[0]: dict(zip(header, line, strict=True)) for line in lines}
    assert list(said) == ["b", "a"]
    assert (said["b"]["diverged"], said["b"]["collapsed"]) == ("2 of 4", "1 of 4")
    assert (said["a"]["diverged"], said["a"]["collapsed"]) == ("0 of 4", "0 of 4")
    assert said["a"]["optim.lr"] == said["b"]["optim.lr"] == "0.001"
    text = analyse.report(comparison)
    assert "Metrics after 1,000 images." in text
    assert "| --- |" in text


def test_who_does_not_beat_the_untrained_start_is_marked(analyse: ModuleType, tmp_path: Path) -> None:
    for arm, ends in (("learns", (50.0, 60.0)), ("hardly", (50.0, 95.0))):
        for seed, end in enumerate(ends, 1):
            rows = [{"images_seen": n, "time/seconds": float(n), "val/fd_x_n9": v} for n, v in ((0, 100.0), (9, end))]
            write_run(tmp_path / f"{arm}_{seed}", rows, changes={"seed": seed, "model.arm": arm})
    (_, *lines) = analyse.quality(analyse.read([str(tmp_path)]))
    assert [line[0] for line in lines] == ["model.arm=learns", "model.arm=hardly †"]


def test_plots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = write_arms(tmp_path / "runs")
    plot = importlib.import_module("plot")
    monkeypatch.setattr("sys.argv", ["plot.py", str(runs), "--to", str(tmp_path), "--seed", "2", "--count", "3"])
    plot.main()
    for name in ("fd.png", "samples.png"):
        with Image.open(tmp_path / name) as picture:
            assert picture.convert("RGB").getextrema() != ((255, 255),) * 3
    with Image.open(tmp_path / "samples.png") as picture:
        colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 20)}
    assert {(10, 20, 0), (20, 20, 0), (30, 20, 0)} <= colours  # the cells of seed 2
    assert not {(10, 10, 0), (40, 20, 0)} & colours
    monkeypatch.setattr("sys.argv", ["plot.py", str(runs), "--to", str(tmp_path), "--seed", "7"])
    with pytest.raises(SystemExit, match="no run of seed 7 has samples"):
        plot.main()
