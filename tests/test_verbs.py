"""Every verb from its command line to its files and exit status, on the smallest model."""

import itertools
import json
import re
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from PIL import Image

from freqgan import cli, config
from freqgan.runs import RunDirectory, read_checkpoint, write_checkpoint
from tests.forked import TINY, command, only_run, paths, signal_at, tensors, train

PROTOCOL = ["metrics=generation_small", "metrics.num_images=20", "metrics.num_real=40"]
RESULT = "generation_efficientnet_lite0_n20_real40.json"
BATCH, BUDGET = 4, 220
SHORT = ["transform=identity", "budget.images=16", "checkpoint.every_images=4", "samples.every_images=1000"]


def verb(name: str, folder: Path, *arguments: str) -> tuple[int, str]:
    """A verb that reads runs, on one thread, with its cache in `folder`."""
    given = [f"paths.cache_dir={folder / 'cache'}", "hardware=cpu", "hardware.threads=1"]
    return command([name, *given, *arguments], folder)


def one_line(output: str) -> str:
    """The one line that a user's mistake is."""
    assert output.startswith("freqgan: "), output
    assert output.count("\n") == 1, output
    return output


def size(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        picture.load()
        return picture.size


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def run(folder: Path) -> RunDirectory:
    """A run of 55 steps on scenes, with every checkpoint kept."""
    evaluation = ["evaluation.at_start=none", "evaluation.every_images=112"]
    status, output = train(folder, *PROTOCOL, *evaluation, f"budget.images={BUDGET}", "checkpoint.keep=20")
    assert status == 0, output
    return RunDirectory(only_run(folder))


# train


def test_train_leaves_the_files_of_a_run(run: RunDirectory) -> None:
    files = {str(path.relative_to(run.path)) for path in run.path.rglob("*") if path.is_file()}
    expected = {".lock", "config.yaml", "run.json", "metrics.jsonl", "train.log", f"evaluation/{RESULT}"}
    numbered = [0, 24, 44, 68, 88, 112, 132, 156, 176, 200, 220]  # the steps of 4 behind every tenth of 220
    expected |= {"samples/cells.json"}
    expected |= {f"checkpoints/{name}.ckpt" for name in ["last", "best", *(f"images_{n}" for n in numbered)]}
    grids = itertools.product(("images", "LL1", "HL1", "LH1", "HH1"), numbered)
    assert files == expected | {f"samples/{name}_{n:09d}.png" for name, n in grids}
    for n in (0, BUDGET):
        width, height = size(run.path / "samples" / f"images_{n:09d}.png")
        assert width == height >= 512 - 38
        assert width % 38 == 0  # two images and three gaps of two pixels, enlarged by whole pixels
    assert "fd_efficientnet_lite0_n20_real40 = " in (run.path / "train.log").read_text()


def test_the_record_says_where_the_numbers_come_from(run: RunDirectory) -> None:
    record = run.record
    assert (record["status"], record["exit_status"], record["seed"], record["name"]) == ("finished", 0, 1, "tiny")
    assert (record["images_seen"], record["generator_updates"]) == (BUDGET, BUDGET // BATCH)
    assert record["git"].keys() == {"commit", "dirty"}
    assert record["versions"]["torch"] == torch.__version__.split("+")[0]
    assert record["versions"].keys() >= {"python", "freqgan", "torchvision", "pytorch-lightning", "numpy"}
    assert record["machine"].keys() >= {"processor", "cores", "memory_gib", "threads", "accelerators"}
    assert 0 < record["seconds"] <= record["cpu_seconds"] + 60
    assert 0.1 < record["peak_memory_gib"] < 10
    assert re.fullmatch("[0-9a-f]{16}", record["data_fingerprint"])
    assert record["started"] <= record["ended"]
    assert record["command"]


def test_the_config_is_resolved_and_plain(run: RunDirectory) -> None:
    text = (run.path / "config.yaml").read_text()
    stored = yaml.safe_load(text)
    assert "${" not in text
    assert "!!" not in text
    assert stored["model"]["image_size"] == stored["data"]["image_size"] == 16
    assert stored["metrics"]["num_images"] == 20
    assert read_checkpoint(run.path / "checkpoints" / "last.ckpt")["config"] == stored


def test_rows_come_every_fifty_steps_with_both_clocks(run: RunDirectory) -> None:
    rows = run.metrics
    assert all({"images_seen", "time/seconds"} <= row.keys() for row in rows)
    training = [row for row in rows if any(key.startswith("train/") for key in row)]
    assert [row["images_seen"] for row in training] == [200, 220]
    assert [row["images_seen"] for row in rows if "val/spectrum_distance_n20_real40" in row] == [112, 220]
    tenths = [24, 44, 68, 88, 112, 132, 156, 176, 200, 220]  # of the budget, at the end of a step
    assert [row["images_seen"] for row in rows if "val/diversity" in row] == tenths
    assert {"train/generator/LL1/adversarial", "train/discriminator/HH1/adversarial"} <= training[0].keys()
    assert {"time/images_per_second", "train/generator_updates", "train/generator/lr"} <= training[0].keys()


# evaluate


def evaluate(run: RunDirectory, folder: Path, *arguments: str) -> dict[str, Any]:
    status, output = verb("evaluate", run.path.parents[1], f"run={run.path}", f"output={folder}", *arguments)
    assert status == 0, output
    assert f"written to {folder / RESULT}" in output
    result: dict[str, Any] = json.loads((folder / RESULT).read_text())
    return result


def numbers(result: dict[str, Any]) -> dict[str, float]:
    return {name: value for name, value in result.items() if "_n20_real40" in name and name != "protocol"}


def test_evaluate_gives_what_training_logged_every_time(run: RunDirectory, tmp_path: Path) -> None:
    first = evaluate(run, tmp_path)
    text = (tmp_path / RESULT).read_bytes()
    assert evaluate(run, tmp_path) == first
    assert (tmp_path / RESULT).read_bytes() == text
    logged = {name: value for name, value in run.metrics[-1].items() if name.startswith("val/")}
    assert {f"val/{name}": value for name, value in numbers(first).items()} == logged
    about = {"split": "train", "seed": 1, "weights": "ema", "images_seen": BUDGET, "protocol": RESULT[:-5]}
    assert first.items() >= about.items()
    assert first["data_fingerprint"] == run.record["data_fingerprint"]


def test_evaluate_takes_the_weights_and_the_checkpoint_that_are_named(run: RunDirectory, tmp_path: Path) -> None:
    usual = {name.removeprefix("val/"): value for name, value in run.metrics[-1].items() if name.startswith("val/")}
    raw = evaluate(run, tmp_path, "weights=raw")
    assert raw["weights"] == "raw"
    assert numbers(raw) != usual
    early = evaluate(run, tmp_path, "checkpoint=images_44")
    assert early["images_seen"] == 44
    assert numbers(early) != usual
    distance = "val/fd_efficientnet_lite0_n20_real40"
    best = min((row for row in run.metrics if distance in row), key=lambda row: row[distance])
    assert evaluate(run, tmp_path, "checkpoint=best")["images_seen"] == best["images_seen"]


def test_a_folder_of_samples_is_judged_as_the_run_is(run: RunDirectory, tmp_path: Path) -> None:
    status, output = verb("sample", run.path.parents[1], f"run={run.path}", "n=20", f"output={tmp_path / 'drawn'}")
    assert status == 0, output
    data = ["data=scenes", "data.source.length=64", "data.image_size=16"]
    arguments = [f"images={tmp_path / 'drawn'}", *data, *PROTOCOL, f"output={tmp_path}"]
    status, output = verb("evaluate", run.path.parents[1], *arguments)
    assert status == 0, output
    judged = numbers(json.loads((tmp_path / RESULT).read_text()))
    logged = {name.removeprefix("val/"): value for name, value in run.metrics[-1].items()}
    assert judged.keys() == {name for name in logged if "_n20_real40" in name and not name.startswith("band")}
    assert judged == {name: logged[name] for name in judged}


def test_any_folder_can_be_the_reference(run: RunDirectory, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for i in range(41):
        Image.effect_noise((24, 30), 40 + i).convert("RGB").save(tmp_path / "photos" / f"{i}.png")
    reference = [f"data.root={tmp_path / 'photos'}", "data=image_folder", "split=all"]
    result = evaluate(run, tmp_path, *reference)
    assert result["data_fingerprint"] != run.record["data_fingerprint"]
    assert numbers(result)["fd_efficientnet_lite0_n20_real40"] > 0
    status, output = verb("evaluate", tmp_path, f"run={run.path}", f"data.root={tmp_path / 'photos'}", "split=all")
    assert status == 2
    assert "data=image_folder" in one_line(output)
    status, output = verb("evaluate", tmp_path, f"images={tmp_path / 'photos'}", "data=scenes", "n=42")
    assert status == 2
    assert "holds 41 pictures, the protocol needs 42: set n=41" in output
    status, output = verb("evaluate", tmp_path, f"images={tmp_path / 'photos'}", "data=scenes", "metrics=restoration")
    assert status == 2
    assert "is judged by metrics=generation or metrics=fid" in one_line(output)


def test_weights_that_are_not_finite_end_an_evaluation(run: RunDirectory, tmp_path: Path) -> None:
    content = read_checkpoint(run.path / "checkpoints" / "last.ckpt")
    name = next(name for name, value in content["ema"].items() if value.ndim == 4)
    content["ema"][name][:] = float("nan")
    write_checkpoint(tmp_path / "broken.ckpt", content)
    arguments = [f"run={run.path}", f"checkpoint={tmp_path / 'broken.ckpt'}", f"output={tmp_path}"]
    status, output = verb("evaluate", tmp_path, *arguments)
    assert status == 65
    assert output.splitlines()[-1].startswith(f"freqgan: {tmp_path / 'broken.ckpt'} holds numbers that are not finite")
    assert not (tmp_path / RESULT).exists()


# sample


def drawn(run: RunDirectory, folder: Path, *arguments: str) -> list[bytes]:
    status, output = verb("sample", run.path.parents[1], f"run={run.path}", f"output={folder}", *arguments)
    assert status == 0, output
    assert (folder.parent / f"{folder.name}.png").is_file()
    return [path.read_bytes() for path in sorted(folder.glob("[0-9]*.png"))]


def test_samples_are_a_function_of_seed_and_number(run: RunDirectory, tmp_path: Path) -> None:
    five = drawn(run, tmp_path / "a", "n=5", "seed=1")
    assert len(five) == 5
    assert len(set(five)) == 5
    assert drawn(run, tmp_path / "b", "n=5", "seed=1") == five
    assert drawn(run, tmp_path / "c", "n=9", "seed=1")[:5] == five
    assert not set(drawn(run, tmp_path / "d", "n=5", "seed=2")) & set(five)
    assert drawn(run, tmp_path / "e", "n=5", "weights=raw") != five
    assert size(tmp_path / "a" / "000000.png") == (16, 16)


def test_samples_go_into_the_run_unless_told_otherwise(run: RunDirectory, tmp_path: Path) -> None:
    mine = RunDirectory(tmp_path / "run")
    shutil.copytree(run.path, mine.path)
    status, output = verb("sample", tmp_path, f"run={mine.path}", "n=2")
    assert status == 0, output
    assert len(list((mine.path / "samples" / f"seed1_ema_images{BUDGET}").glob("*.png"))) == 2
    assert (mine.path / "samples" / f"seed1_ema_images{BUDGET}.png").is_file()


def test_a_checkpoint_that_does_not_fit_is_one_line(run: RunDirectory, tmp_path: Path) -> None:
    status, output = train(tmp_path, *SHORT)
    assert status == 0, output
    other = only_run(tmp_path) / "checkpoints" / "last.ckpt"
    status, output = verb("sample", tmp_path, f"run={run.path}", f"checkpoint={other}")
    assert status == 2
    assert f"{other} does not fit the model of {run.path}" in one_line(output)


def test_a_run_without_the_checkpoint_is_one_line(run: RunDirectory, tmp_path: Path) -> None:
    shutil.copyfile(run.path / "config.yaml", tmp_path / "config.yaml")
    status, output = verb("sample", tmp_path, f"run={tmp_path}")
    assert status == 2
    assert "there are none yet" in one_line(output)
    status, output = verb("sample", tmp_path, f"run={run.path}", "checkpoint=images_45")
    assert status == 2
    assert "there are last, images_220, " in one_line(output)
    (tmp_path / "torn.ckpt").write_bytes((run.path / "checkpoints" / "last.ckpt").read_bytes()[:-100])
    status, output = verb("sample", tmp_path, f"run={run.path}", f"checkpoint={tmp_path / 'torn.ckpt'}")
    assert status == 2
    assert "is not a whole checkpoint" in one_line(output)


# runs


def test_runs_lists_what_became_of_every_run(tmp_path: Path) -> None:
    ends = {
        "finished": ([], None, 0),
        "interrupted": ([], signal.SIGTERM, 143),
        "killed": ([], signal.SIGKILL, -signal.SIGKILL),
        "diverged": (["optim.lr=1e30"], None, 65),
    }
    for name, (extra, signum, expected) in ends.items():
        before = signal_at(2, signum) if signum else lambda: None
        status, output = train(tmp_path, *SHORT, f"paths.output_dir={tmp_path / name}", *extra, before=before)
        assert status == expected, output
    shutil.copytree(tmp_path / "killed", tmp_path / "running")
    paths = {name: only_run(tmp_path / name) for name in [*ends, "running"]}
    with RunDirectory(paths["running"]).lock():
        status, output = command(["runs", f"paths.output_dir={tmp_path}"], tmp_path)
    assert status == 0, output
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in output.splitlines() if "│" in line]
    assert {cell[0]: cell[1] for cell in cells} == {str(path): name for name, path in paths.items()}
    images = {cell[1]: cell[2] for cell in cells}
    assert (images["finished"], images["interrupted"], images["diverged"]) == ("16", "12", "0")
    status, output = command(["runs", f"paths.output_dir={tmp_path}", "name=running"], tmp_path)
    assert output.count("killed") == 1  # now that nobody holds it
    assert output.count("│") == 5 + 1


# check


def test_check_counts_what_training_builds_and_touches_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["experiment=frequency_gan/openmoji", "paths.output_dir=out", "paths.cache_dir=cache"]
    assert cli.main(["check", *arguments]) == 0
    output = capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []
    assert cli.main(["train", *arguments, "--cfg", "job", "--resolve"]) == 0
    system = config.build_model(yaml.safe_load(capsys.readouterr().out), seed=1)
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in output.splitlines() if "│" in line]
    counted = {row[0]: [int(cell.replace(",", "")) for cell in row[-2:]] for row in rows if len(row) == 5}
    built = {row["band"]: [row["generator"], row["discriminator"]] for row in system.describe()}
    built["all"] = [sum(p.numel() for p in player.parameters()) for player in system.players().values()]
    assert [sum(of_gan) for of_gan in zip(*(built[row["band"]] for row in system.describe()), strict=True)] == built[
        "all"
    ]
    assert counted == built
    assert {row[0]: row[1] for row in rows if len(row) == 5}["LL1"] == "3x16x16"


# Loggers


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, nothing that names an account, and no way to a network."""
    for name in ("WANDB_MODE", "WANDB_API_KEY", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    (tmp_path / "here").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


@pytest.mark.parametrize("mode", [None, "disabled"])
def test_wandb_needs_no_account_and_leaves_the_working_directory_alone(
    mode: str | None, tmp_path: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if mode is not None:
        monkeypatch.setenv("WANDB_MODE", mode)
    status, output = train(tmp_path, *SHORT, "logger=wandb")
    assert status == 0, output
    run = RunDirectory(only_run(tmp_path))
    assert run.record["wandb_mode"] == (mode or "offline")
    assert len(list(run.path.glob("wandb/offline-run-*/*.wandb"))) == (0 if mode else 1)
    assert list(elsewhere.iterdir()) == []
    assert "Traceback" not in output


def test_tensorboard_gets_the_rows_and_the_pictures(tmp_path: Path, elsewhere: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    status, output = train(tmp_path, *SHORT, "logger=tensorboard")
    assert status == 0, output
    run = RunDirectory(only_run(tmp_path))
    events = EventAccumulator(str(run.path / "tensorboard"))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("train/generator_updates")] == [(16, 4.0)]
    assert [event.step for event in events.Images("samples/images")] == [0, 16]
    assert list(elsewhere.iterdir()) == []


# pack


@pytest.mark.slow
def test_a_packed_folder_trains_as_the_folder_does_and_continues_exactly(tmp_path: Path) -> None:
    photos, shards = tmp_path / "photos", tmp_path / "packed"
    photos.mkdir()
    for number in range(24):
        picture = Image.linear_gradient("L").rotate(15 * number).resize((20, 16))
        picture.save(photos / f"{number:02}.png")
    status, output = command(["pack", f"root={photos}", f"output={shards}", "shard_mib=0.005"], tmp_path)
    assert status == 0, output
    assert f"shards, 0.0 MiB, in {shards}" in output
    assert f"freqgan train data=shards data.root={shards}" in output
    scenes = ("data=scenes", "data.source")
    small = [setting for setting in TINY if not setting.startswith(scenes)]
    runs: dict[str, tuple[str, list[str]]] = {
        "folder": (f"data.root={photos}", ["data=image_folder"]),
        "shards": (f"data.root={shards}", ["data=shards", "data.num_workers=0"]),
        "killed": (f"data.root={shards}/shard-*.tar", ["data=shards", "data.num_workers=2"]),
    }
    states = {}
    for name, (root, source) in runs.items():
        folder = tmp_path / name
        folder.mkdir()
        arguments = ["train", *source, root, *small, *SHORT, *paths(folder)]
        if name == "killed":
            status, _ = command(arguments, folder, before=signal_at(3))
            assert status == -signal.SIGKILL
        status, output = command([*arguments, "resume=auto"], folder)
        assert status == 0, output
        states[name] = tensors(read_checkpoint(only_run(folder) / "checkpoints" / "last.ckpt")["state_dict"])
    assert states["folder"] == states["shards"] == states["killed"]


def test_what_cannot_be_packed_is_one_line(tmp_path: Path) -> None:
    status, output = command(["pack", f"root={tmp_path}", f"output={tmp_path / 'out'}"], tmp_path)
    assert status == 2
    assert "holds no image" in one_line(output)


def test_groups_that_can_be_left_out(tmp_path: Path) -> None:
    left = [setting for setting in (*TINY, *SHORT) if setting not in ("logger=none", "metrics=none")]
    given = [*left, *(f"~{group}" for group in ("logger", "metrics", "stop", "callbacks")), *paths(tmp_path)]
    status, output = command(["train", "name=tiny", *given], tmp_path)
    assert status == 0, output
    run = only_run(tmp_path)
    assert RunDirectory(run).state() == "finished"
    assert not [*(run / "evaluation").iterdir()]
    status, output = verb("sample", tmp_path, f"run={run}", "n=2")
    assert status == 0, output
