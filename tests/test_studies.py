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
import yaml
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from freqgan import config
from freqgan.config import overrides
from freqgan.config.application import compose
from freqgan.config.sweeping import SweepCommand
from freqgan.sweeps.search import Proposal
from tests.comparison.written import METRICS, rows_of, write_grid, write_ledger, write_run

EXPERIMENTS = Path(__file__).parents[1] / "experiments"
STUDY = EXPERIMENTS / "frequency_vs_image"
ARMS = [
    *("identity", "block_dct", "db2", "fourier_2", "fourier_4", "haar", "haar_each", "haar_image"),
    *("haar_judged_whole", "haar_literal", "haar_one", "haar_one_image", "polyphase_one"),
]


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(EXPERIMENTS.parent)
    monkeypatch.syspath_prepend(STUDY)
    monkeypatch.syspath_prepend(EXPERIMENTS)


@pytest.fixture
def analyse() -> ModuleType:
    return importlib.import_module("analyse")


def words_of(study: str, *arguments: str, **environment: str) -> list[str]:
    """The command that a study's `run.sh` would start."""
    variables = os.environ | {"FREQGAN": "echo"} | environment
    script = [str(EXPERIMENTS / study / "run.sh"), *arguments]
    return subprocess.run(script, env=variables, capture_output=True, text=True, check=True).stdout.split()


def asked(study: str, *arguments: str, **environment: str) -> tuple[SweepCommand, list[Proposal]]:
    """The sweep that a study's `run.sh` would start, and its jobs."""
    verb, *words = words_of(study, *arguments, **environment)
    command = SweepCommand.read(overrides.read(verb, words, sweeps="asked"))
    search = config.build(command.settings["search"])
    search.begin(command, Path())
    return command, search.plan()[0]


# What would run


@pytest.mark.parametrize(
    ("part", "environment", "count", "first"),
    [
        ("main", {}, 39, "seed=1 experiment=frequency_vs_image/identity"),
        ("rates", {}, 52, "experiment=frequency_vs_image/identity optim.lr=0.001 model.terms.discriminator.r1=1.0"),
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


@pytest.mark.parametrize(("part", "count", "seeds"), [("networks", 9, 3), ("rates", 12, 1), ("gan", 6, 3)])
def test_parts_of_the_super_resolution_study(part: str, count: int, seeds: int) -> None:
    command, jobs = asked("branch_sr", part, TRAIN="photos", TEST="others")
    assert len(jobs) == seeds * count
    settings = [command.compose(job.chosen) for job in jobs if "seed=1" in job.typed or seeds == 1]
    assert len({json.dumps(config.resolve(job), sort_keys=True) for job in settings}) == count
    for job in settings:
        config.check(job)


@pytest.mark.parametrize(("part", "count"), [("streets", 10), ("crowds", 4)])
def test_parts_of_the_label_study(part: str, count: int) -> None:
    command, jobs = asked("label_to_image", part, CAMVID="streets")
    assert len(jobs) == 3 * count
    assert command.folder == Path("outputs/label_to_image") / part
    settings = [command.compose(job.chosen) for job in jobs if "seed=1" in job.typed]
    assert len({json.dumps(config.resolve(job), sort_keys=True) for job in settings}) == count
    for job in settings:
        config.check(job)


def test_the_deeper_discriminator_is_as_large_as_three() -> None:
    command, jobs = asked("label_to_image", "streets", CAMVID="streets")
    base, deeper = jobs[0], next(job for job in jobs if "model.discriminator.layers=5" in job.typed)
    sizes = []
    for job in (base, deeper):
        with torch.device("meta"):
            system = config.build_model(config.resolve(command.compose(job.chosen)), seed=1)
        sizes.append(sum(weight.numel() for weight in system.discriminator.parameters()))
    assert sizes[1] == pytest.approx(sizes[0], rel=0.02)


@pytest.mark.parametrize("part", ["judge", "long", "long_pix2pix"])
def test_single_runs_of_the_label_study(part: str) -> None:
    words = words_of("label_to_image", part, "budget.images=64", CAMVID="streets", BEST="model.features=0")
    cfg = compose("train", [word for word in words if word != "train"])
    config.check(cfg)
    assert (cfg.data.root, cfg.resume, cfg.budget.images) == ("streets", "auto", 64)
    assert (cfg.model.get("features") == 0) == (part != "judge")


@pytest.mark.parametrize(("part", "seeds"), [("scenes", 3), ("openmoji", 1)])
def test_parts_of_the_text_study(part: str, seeds: int) -> None:
    command, jobs = asked("staged_text_gan", part)
    assert len(jobs) == 8 * seeds
    assert command.folder == Path("outputs/staged_text_gan") / part
    settings = [command.compose(job.chosen) for job in jobs]
    assert len({json.dumps(config.resolve(job)["model"], sort_keys=True) for job in settings}) == 8
    for job in settings:
        config.check(job)
    for job, plain in zip(jobs, settings, strict=True):
        config.check(command.compose(job.chosen))
        assert f"_{part}_judge" in plain["metrics"]["judge_run"]


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
    assert len(costs) == 9
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


def test_real_images_are_no_variant_s_merit(analyse: ModuleType, tmp_path: Path) -> None:
    names = {
        "mean_iou_ab12cd_n9": (0.3, 0.4),
        "mean_iou_ab12cd_real_n9": (0.6, 0.6),
        "boundary_sharpness_n9": (0.5, 0.9),
    }
    for arm, luck in (("plain", 0), ("fine", 1)):
        row = {"images_seen": 9, "time/seconds": 9.0} | {f"val/{name}": v[luck] for name, v in names.items()}
        write_run(tmp_path / arm, [row], changes={"model.arm": arm})
    comparison = analyse.read([str(tmp_path)])
    header, best, worst = analyse.quality(comparison)
    assert header == ["variant", "seeds", "mean_iou ↑", "boundary_sharpness", "CPU-seconds"]
    assert (best[:4], worst[:4]) == (["model.arm=fine", "1", "0.4", "0.9"], ["model.arm=plain", "1", "0.3", "0.5"])
    assert analyse.report(comparison).endswith("Real images: mean_iou 0.6.")


def test_what_samples_are_made_of_stands_above_them(tmp_path: Path) -> None:
    plot = importlib.import_module("plot")
    write_grid(write_run(tmp_path / "run", rows_of(1.0)), seed=1, count=4, cell=8)
    assert plot.around(tmp_path / "run", 3) == {}
    strips = Image.new("RGB", (2 * 26 + 2, 2 * 10 + 2), "white")  # two columns of cells of three squares, gaps of 2
    cells = json.loads((tmp_path / "run" / "samples" / "cells.json").read_text())
    for number, left, top in ((0, 2, 2), (1, 28, 2), (2, 2, 12), (3, 28, 12)):
        for part, colour in enumerate(((100, number, 0), (1, 1, 1), (0, number, 200))):
            strips.paste(colour, (left + 8 * part, top, left + 8 * (part + 1), top + 8))
    (tmp_path / "run" / "samples" / "cells.json").write_text(json.dumps(cells | {"gap": 2}))
    strips.resize((3 * strips.width, 3 * strips.height), Image.Resampling.NEAREST).save(
        tmp_path / "run" / "samples" / "input_result_target_000001000.png"
    )
    found = plot.around(tmp_path / "run", 3)
    colours = {name: [crop.getcolors() for crop in crops] for name, crops in found.items()}
    assert colours == {
        "input": [[(64, (100, number, 0))] for number in range(3)],
        "target": [[(64, (0, number, 200))] for number in range(3)],
    }


def test_costs_are_those_of_the_stored_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(EXPERIMENTS / "label_to_image")
    costs, analyse = importlib.import_module("costs"), importlib.import_module("analyse")
    command, jobs = asked("label_to_image", "crowds")
    for job in [job for job in jobs if "seed=1" in job.typed][:2]:
        folder = write_run(tmp_path / job.typed[-1], [{"images_seen": 4, "time/seconds": 1.0}])
        (folder / "config.yaml").write_text(yaml.safe_dump(config.resolve(command.compose(job.chosen))))
    header, *lines = costs.table(analyse.read([str(tmp_path)]))
    boundary, ids = (dict(zip(header, line, strict=True)) for line in lines)
    assert boundary["variant"] == "model.inputs=boundary"
    assert boundary["generator"] == ids["generator"] == "1.44 M"
    assert (boundary["peak, GiB"], boundary["CPU-seconds"]) == ("0.5", "12.5")
    assert float(boundary["activations, MiB"]) > 30


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


def test_crops_are_of_pictures_whose_sides_the_scale_divides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(EXPERIMENTS / "branch_sr")
    crops = importlib.import_module("crops")
    name, image = next(crops.pictures(None, 3))
    assert (name, image.shape) == ("scene 0", (1, 3, 318, 318))
    part = crops.magnified(image, 5, 9)
    assert part.shape == (3, 192, 192)
    assert torch.equal(part[:, ::4, ::4], image[0, :, 5:53, 9:57])
    assert torch.equal(part[:, 3::4, 3::4], part[:, ::4, ::4])
