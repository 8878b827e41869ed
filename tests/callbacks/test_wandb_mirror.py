import json
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import wandb

from freqgan.callbacks import WandbMirror
from freqgan.callbacks.journal import tell
from freqgan.callbacks.sample_grid import cells_of, save_grid
from freqgan.callbacks.wandb_mirror import default_mode, searchable
from freqgan.runs import RunDirectory
from tests.callbacks.stand_ins import CONFIG, new_run
from tests.callbacks.wandb_server import KEY, WandbServer, alone, scalars, sync, versions, wandb_server

__all__ = ["alone"]

FD, RECALL = "val/fd_of_this_test", "val/recall_of_this_test"


@pytest.fixture
def service() -> Iterator[None]:
    """Ends the process that W&B leaves running, and with it what it knows of the environment."""
    wandb.teardown()
    yield
    wandb.teardown()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, service: None) -> Iterator[WandbServer]:
    """A server with an account for this test."""
    with wandb_server() as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        yield server
        server.speaks.set()
        wandb.teardown()


def start(run: RunDirectory, config: dict[str, Any] = CONFIG, **settings: Any) -> WandbMirror:
    """A mirror of a run, started as the journal does it."""
    mirror = WandbMirror(**{"init_timeout": 5.0, "finish_timeout": 20.0} | settings)
    run.write_record(**tell([mirror], lambda m: m.start(run, config))[mirror])
    return mirror


def train_rows(mirror: WandbMirror, *positions: int) -> None:
    for images in positions:
        mirror.row({"images_seen": images, "time/seconds": 1.0, "train/generator/LL1/adversarial": images / 8}, images)


def judge_row(mirror: WandbMirror, images: int, fd: float, recall: float) -> None:
    mirror.row({"images_seen": images, "time/seconds": 1.0, FD: fd, RECALL: recall}, images)


def grids(run: RunDirectory, images_seen: int) -> dict[str, Path]:
    """The two grids of one moment, with the ids of their cells."""
    images = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(images_seen)) * 2 - 1
    cells_of(images, [f"noise 1/{i}" for i in range(4)]).write(run.path / "samples")
    paths = {f"samples/{name}": run.path / "samples" / f"{name}_{images_seen:09d}.png" for name in ("images", "LL1")}
    for path in paths.values():
        save_grid(images, path)
    return paths


def checkpoint(run: RunDirectory, images_seen: int) -> Path:
    path = run.path / "checkpoints" / f"images_{images_seen}.ckpt"
    path.write_bytes(b"weights %d" % images_seen)
    return path


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Our own words; W&B's go to its files, until something changes its loggers' level."""
    return [record.getMessage() for record in caplog.records if record.name.startswith("freqgan")]


def aliases(artifact: dict[str, Any]) -> set[str]:
    return {alias["alias"] for alias in artifact["aliases"]} - {"latest"}


@pytest.fixture(scope="module")
def offline_run(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """Rows, judgements and checkpoints of three moments, and grids of two, of a run that diverged."""
    run = new_run(tmp_path_factory.mktemp("runs") / "study")
    run.write_record(data_fingerprint="f00")
    mirror = start(run, CONFIG | {"group": "g", "data": {"image_size": 8, "cache_dir": "somewhere"}})
    for images, fd, recall in ((8, 5.0, 0.1), (16, 2.0, 0.5), (24, 3.0, 0.4)):
        train_rows(mirror, images)
        judge_row(mirror, images, fd, recall)
        mirror.checkpoint(checkpoint(run, images), images, [f"images_{images}", "last", *(["best"] * (images == 16))])
    (run.path / "evaluation" / "fd.json").write_text("{}")
    mirror.evaluation(run.path / "evaluation" / "fd.json", 24)
    for images in (8, 24):
        mirror.pictures(grids(run, images), images)
    mirror.finish(65)
    return run


@pytest.fixture(scope="module")
def synced(offline_run: RunDirectory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WandbServer]:
    """What a server has after `wandb sync` of this run."""
    with wandb_server() as server:
        sync(server, offline_run, tmp_path_factory.mktemp("sync"))
        yield server


def test_what_is_kept_offline_can_be_synced(offline_run: RunDirectory, synced: WandbServer) -> None:
    ((run_id, run),) = synced.runs.items()
    assert run_id == offline_run.record["wandb_id"]
    expected = []
    for images, fd, recall in ((8, 5.0, 0.1), (16, 2.0, 0.5), (24, 3.0, 0.4)):
        common = {"images_seen": images, "time/seconds": 1.0}
        expected += [common | {"train/generator/LL1/adversarial": images / 8}, common | {FD: fd, RECALL: recall}]
    assert scalars(run["history"]) == expected
    assert [row["_step"] for row in run["history"]] == list(range(10))
    assert run["exit_code"] == 65
    said = {name: run[name] for name in ("displayName", "groupName", "jobType", "tags")}
    name = f"study/{offline_run.path.name}"
    assert said == {"displayName": name, "groupName": "g", "jobType": "train", "tags": ["a"]}
    best = {name.replace("val", "best"): value for name, value in ((FD, 2.0), (RECALL, 0.5))}
    assert run["summary"].items() >= ({FD: 3.0, RECALL: 0.4, "images_seen": 24} | best).items()


def test_pictures_have_captions_and_samples_their_ids(offline_run: RunDirectory, synced: WandbServer) -> None:
    (run,) = synced.runs.values()
    shown = [row for row in run["history"] if "samples/images" in row]
    assert [row["images_seen"] for row in shown] == [8, 24]  # all grids of a moment are one row
    for row in shown:
        captions = {row[key]["caption"] for key in ("samples/images", "samples/LL1")}
        assert captions == {f"{row['images_seen']} images seen: noise 1/0 … noise 1/3"}
    assert [row["images_seen"] for row in run["history"] if "samples/table" in row] == [8, 24]
    waiting = [path.read_bytes() for path in offline_run.path.glob("wandb/data/artifacts/staging/*")]
    contents = [json.loads(content) for content in waiting if content.startswith(b'{"_type": "table"')]
    assert {tuple(content["columns"]) for content in contents} == {("id", "image", "images_seen")}
    rows = {(row[0], row[2]): row[1]["width"] for content in contents for row in content["data"]}
    # Two cells and three gaps are 22 pixels, enlarged to 512 and more.
    assert rows == {(f"noise 1/{i}", images): 8 * 24 for i in range(4) for images in (8, 24)}


def test_what_is_made_of_captions_has_a_column_with_them(tmp_path: Path) -> None:
    images = torch.zeros(3, 3, 8, 8)
    cells = cells_of(images, ["a/1", "b/1", "c/1"], ["a ring", "a star", "a cross"])
    save_grid(images, tmp_path / "images.png")
    table = WandbMirror(table_rows=2)._table(tmp_path / "images.png", cells, 8)
    assert table.columns == ["id", "caption", "image", "images_seen"]
    assert [(row[0], row[1], row[3]) for row in table.data] == [("a/1", "a ring", 8), ("b/1", "a star", 8)]


def test_the_lineage_from_data_to_evaluation(offline_run: RunDirectory, synced: WandbServer) -> None:
    run_id = offline_run.record["wandb_id"]
    assert synced.used == [(run_id, "data-f00")]
    (data,) = versions(synced, "dataset")
    assert json.loads(data["metadata"]) == {"fingerprint": "f00", "image_size": 8}
    assert data["runName"] is None  # the data are not of this run's making
    checkpoints = versions(synced, "model")
    assert [aliases(version) for version in checkpoints] == [
        {"images_8", "last"},
        {"images_16", "last", "best"},
        {"images_24", "last"},
    ]
    assert len({version["digest"] for version in checkpoints}) == 3
    assert {version["artifactCollectionName"] for version in checkpoints} == {
        f"checkpoint-study-{offline_run.path.name}"
    }
    facts = json.loads(checkpoints[1]["metadata"])
    assert facts.items() >= {"images_seen": 16, "fd_of_this_test": 2.0, "bytes": 10}.items()
    (judged,) = versions(synced, "evaluation")
    assert json.loads(judged["metadata"]).items() >= {"images_seen": 24, "recall_of_this_test": 0.4}.items()
    assert {version["runName"] for version in [*checkpoints, judged]} == {run_id}
    assert all(artifact["committed"] for artifact in synced.artifacts)
    assert not any("model.ckpt" in file for file in synced.files)


@pytest.mark.parametrize(
    ("option", "uploaded"), [("none", set()), ("best", {"1"}), ("all", {"0", "1", "2"}), ("reference", set())]
)
def test_which_checkpoints_are_uploaded(tmp_path: Path, server: WandbServer, option: Any, uploaded: set[str]) -> None:
    run = new_run(tmp_path / "study")
    mirror = start(run, checkpoints=option)
    for images, names in ((8, ["last"]), (16, ["last", "best"]), (24, ["last"])):
        path = checkpoint(run, images)
        mirror.checkpoint(path, images, names)
        path.unlink()  # as the run does with all but the newest: what has to be sent was kept
    mirror.finish(0)
    assert len(versions(server, "model")) == 3
    assert all(artifact["committed"] for artifact in server.artifacts)
    assert {file.split("/")[2] for file in server.files if file.endswith("/model.ckpt")} == uploaded


def test_a_run_continued_online_is_one_curve(
    tmp_path: Path, server: WandbServer, caplog: pytest.LogCaptureFixture
) -> None:
    run = new_run(tmp_path / "study")
    first = start(run)
    train_rows(first, 8, 16, 24)
    judge_row(first, 16, 5.0, 0.1)
    first.pictures(grids(run, 16), 16)
    first.finish(143)
    assert [row["exit_code"] for row in server.runs.values()] == [143]
    # The checkpoint was at 16: the rows behind it come again, and what came of 24 beside its training row does not.
    with caplog.at_level(logging.INFO):
        second = start(run)
    train_rows(second, 24, 32)
    judge_row(second, 24, 4.0, 0.2)
    second.pictures(grids(run, 16), 16)
    second.pictures(grids(run, 32), 32)
    second.finish(0)
    assert "W&B has rows up to 24 images: they are not sent again" in caplog.messages
    ((run_id, seen),) = server.runs.items()
    assert seen["exit_code"] == 0
    for key, positions in (
        ("train/generator/LL1/adversarial", [8, 16, 24, 32]),
        (FD, [16, 24]),
        ("samples/images", [16, 32]),
    ):
        assert [row["images_seen"] for row in seen["history"] if key in row] == positions
    assert [row["_step"] for row in seen["history"]] == list(range(len(seen["history"])))
    assert [part["id"] for part in run.record["wandb_fragments"]] == [run_id, run_id]


def test_a_run_continued_offline_is_another_fragment(tmp_path: Path, server: WandbServer) -> None:
    run = new_run(tmp_path / "study")
    for positions in ((8, 16), (16, 24)):
        mirror = start(run, mode="offline")
        train_rows(mirror, *positions)
        mirror.finish(0)
    fragments = run.record["wandb_fragments"]
    assert len({part["id"] for part in fragments}) == 2
    assert all((run.path / part["folder"] / f"run-{part['id']}.wandb").is_file() for part in fragments)
    sync(server, run, tmp_path)
    assert {run_id: [row["images_seen"] for row in seen["history"]] for run_id, seen in server.runs.items()} == {
        fragments[0]["id"]: [8, 16],
        fragments[1]["id"]: [16, 24],
    }


def test_the_best_value_of_a_continued_run_is_that_of_all_its_rows(tmp_path: Path, server: WandbServer) -> None:
    run = new_run(tmp_path / "study")
    (run.path / "metrics.jsonl").write_text(json.dumps({"images_seen": 8, FD: 1.0, RECALL: 0.9}) + "\n")
    mirror = start(run, mode="offline")
    judge_row(mirror, 16, 2.0, 0.8)
    judge_row(mirror, 24, 1.5, 0.95)
    mirror.finish(0)
    sync(server, run, tmp_path)
    (seen,) = server.runs.values()
    best = {name: value for name, value in seen["summary"].items() if name.startswith("best/")}
    assert best == {"best/recall_of_this_test": 0.95}


def test_an_evaluation_uses_the_checkpoint_that_the_training_made(
    offline_run: RunDirectory, synced: WandbServer, server: WandbServer, tmp_path: Path
) -> None:
    about = {"protocol": "fd", "images_seen": 16, "weights": "ema"}
    path = offline_run.path / "checkpoints" / "images_16.ckpt"
    offline_run.write_config(CONFIG | {"group": "g"})
    mirror = WandbMirror(mode="offline")
    shown = {"gallery/a_to_b": grids(offline_run, 16)["samples/LL1"]}
    tell([mirror], lambda m: m.judged(offline_run, path, {"fd_of_this_test": 2.5}, about, shown))
    assert len(offline_run.record["wandb_fragments"]) == 1  # the training run's alone
    sync(server, offline_run, tmp_path)
    run_id, run = next((run_id, run) for run_id, run in server.runs.items() if run["jobType"] == "evaluate")
    assert (run["groupName"], run["exit_code"]) == ("g", 0)
    assert scalars(run["history"]) == [{"images_seen": 16, FD: 2.5}]
    assert [row["images_seen"] for row in run["history"] if "gallery/a_to_b" in row] == [16]
    assert run["summary"][FD] == 2.5
    assert json.loads(run["config"])["judged"]["value"] == about
    (made,) = [version for version in versions(synced, "model") if "images_16" in aliases(version)]
    (used,) = [version for version in versions(server, "model") if version["runName"] is None]
    for same in ("artifactCollectionName", "digest"):
        assert made[same] == used[same]
    assert (run_id, made["artifactCollectionName"]) in server.used
    judged = [version for version in versions(server, "evaluation") if version["runName"] == run_id]
    assert [json.loads(version["metadata"])["fd_of_this_test"] for version in judged] == [2.5]


@pytest.mark.fault("logging", "server that does not answer")
def test_a_silent_server_holds_nothing_up(
    tmp_path: Path, server: WandbServer, caplog: pytest.LogCaptureFixture
) -> None:
    run = new_run(tmp_path / "study")
    mirror = start(run, finish_timeout=1.0, table_rows=0)
    server.speaks.clear()
    begun = time.monotonic()
    train_rows(mirror, *range(8, 808, 8))
    mirror.pictures(grids(run, 8), 8)
    assert time.monotonic() - begun < 2
    with caplog.at_level(logging.WARNING):
        mirror.finish(0)
    assert time.monotonic() - begun < 6
    (folder,) = (run.path / "wandb").glob("run-*")
    assert f"W&B has not taken everything in 1 s: `wandb sync {folder}`" in caplog.messages


@pytest.mark.slow
@pytest.mark.fault("logging", "server that does not answer")
def test_artifacts_that_a_silent_server_does_not_take_are_left_out(
    tmp_path: Path, server: WandbServer, caplog: pytest.LogCaptureFixture
) -> None:
    run = new_run(tmp_path / "study")
    mirror = start(run)
    server.speaks.clear()
    begun = time.monotonic()
    mirror.checkpoint(checkpoint(run, 8), 8, ["last"])
    assert time.monotonic() - begun < mirror.patience
    (warning,) = warnings(caplog)
    assert warning.startswith("W&B artifacts are left out from here on: ")
    begun = time.monotonic()
    mirror.pictures(grids(run, 8), 8)
    mirror.checkpoint(checkpoint(run, 16), 16, ["last"])
    assert time.monotonic() - begun < 2
    server.speaks.set()
    mirror.finish(0)


@pytest.mark.fault("logging", "server that does not answer")
def test_a_server_that_never_answers_leaves_the_run_offline(
    tmp_path: Path, server: WandbServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.speaks.clear()
    run, begun = new_run(tmp_path / "study"), time.monotonic()
    with caplog.at_level(logging.WARNING):
        mirror = start(run, init_timeout=1.0)
    train_rows(mirror, 8)
    mirror.finish(0)
    assert time.monotonic() - begun < mirror.patience
    assert run.record["wandb_mode"] == "offline"
    (warning,) = warnings(caplog)
    assert warning.startswith("W&B could not be reached (")
    assert warning.endswith("); the run is kept offline")


def test_numbers_go_on_without_a_lineage(
    tmp_path: Path, service: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run = new_run(tmp_path / "study")
    mirror = start(run)
    monkeypatch.setattr(wandb.Run, "log_artifact", lambda *_, **__: 1 / 0)
    with caplog.at_level(logging.WARNING):
        for images in (8, 16):
            mirror.checkpoint(checkpoint(run, images), images, ["last"])
            train_rows(mirror, images)
    mirror.finish(0)
    wandb.teardown()
    assert warnings(caplog) == ["W&B artifacts are left out from here on: division by zero"]
    (record,) = run.path.glob("wandb/offline-run-*/*.wandb")
    assert b"train/generator/LL1/adversarial" in record.read_bytes()


def test_the_job_of_a_sweep_has_the_id_that_its_agent_chose(
    tmp_path: Path, server: WandbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new_run(tmp_path / "study")
    start(run).finish(0)
    monkeypatch.setenv("WANDB_SWEEP_ID", "s1")
    monkeypatch.setenv("WANDB_RUN_ID", "r1")
    wandb.teardown()
    start(run).finish(0)
    assert run.record["wandb_id"] == "r1"
    assert server.runs["r1"]["sweep"] == "s1"


def test_nothing_is_left_in_the_home_directory(offline_run: RunDirectory) -> None:
    kept = [path for path in Path.home().rglob("*") if path.is_file()]
    assert [path for path in kept if "staging" in str(path)] == []
    assert "WANDB_DATA_DIR" not in os.environ


def test_the_config_is_searchable_and_says_nothing_of_the_machine() -> None:
    config = {
        "name": "study",
        "optim": {"lr": 0.1},
        "data": {"root": "photos", "cache_dir": "somewhere"},
        "paths": {"output_dir": "somewhere"},
        "hardware": {"threads": 1},
        "logger": {"wandb": {"project": "p"}},
        "callbacks": {},
        "resume": "auto",
        "resume_override": [],
        "group": "g",
        "job_type": "train",
        "tags": [],
        "seed": 1,
    }
    record = {"data_fingerprint": "f00", "pid": 1, "command": "freqgan train", "git": {"commit": "c"}, "name": "study"}
    assert searchable(config, record) == {
        "name": "study",
        "optim": {"lr": 0.1},
        "data": {"root": "photos"},
        "seed": 1,
        "run": {"data_fingerprint": "f00", "git": {"commit": "c"}},
    }


class Service:
    """Stands for `wandb.init` and the run that it returns."""

    id, dir = "abc", "wandb/run/files"

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.arguments: dict[str, Any] = {}
        self.defined: dict[str, dict[str, Any]] = {}
        self.summary: dict[str, Any] = {}
        monkeypatch.setattr(wandb, "init", self.init)

    def init(self, **arguments: Any) -> "Service":
        self.arguments = arguments
        self.dir = f"{arguments['dir']}/wandb/run/files"
        return self

    def define_metric(self, name: str, **settings: Any) -> None:
        assert name not in self.defined
        self.defined[name] = settings

    def log(self, values: dict[str, Any]) -> None: ...


def test_every_metric_has_images_seen_as_its_axis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service, run = Service(monkeypatch), new_run(tmp_path)
    mirror = start(run)
    train_rows(mirror, 8, 16)
    judge_row(mirror, 16, 2.0, 0.5)
    mirror.pictures(grids(run, 16), 16)
    marks = {f"{kind}/images_seen" for kind in ("train", "val", "samples", "table")}
    shown = {"time/seconds", "train/generator/LL1/adversarial", FD, RECALL}
    shown |= {"samples/images", "samples/LL1", "samples/table"}
    assert service.defined.pop("images_seen") == {}
    assert {name for name, how in service.defined.items() if how["hidden"]} == marks
    assert {name for name, how in service.defined.items() if not how["hidden"]} == shown
    assert {how["step_metric"] for how in service.defined.values()} == {"images_seen"}


@pytest.mark.parametrize(("group", "called"), [(None, "study"), ("g", "g")])
def test_runs_of_one_name_are_a_group_unless_it_has_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group: str | None, called: str
) -> None:
    service = Service(monkeypatch)
    start(new_run(tmp_path), CONFIG | {"group": group}, project="p", entity="e")
    assert service.arguments["group"] == called
    assert (service.arguments["project"], service.arguments["entity"]) == ("p", "e")


@pytest.mark.parametrize(
    ("asked", "environment", "mode"),
    [
        ("auto", {}, "offline"),
        ("auto", {"WANDB_API_KEY": "k"}, "online"),
        ("online", {}, "online"),
        ("offline", {"WANDB_API_KEY": "k"}, "offline"),
        ("online", {"WANDB_MODE": "disabled"}, "disabled"),
    ],
)
def test_modes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: Any, environment: dict[str, str], mode: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    service = Service(monkeypatch)
    start(new_run(tmp_path), mode=asked)
    assert service.arguments["mode"] == mode


@pytest.mark.parametrize(
    ("netrc", "base_url", "mode"),
    [
        ("machine api.wandb.ai login user password k", None, "online"),
        ("machine api.wandb.ai login user password k", "https://wandb.example.org/", "offline"),
        ("machine wandb.example.org login user password k", "https://wandb.example.org/", "online"),
        ("machine wandb.example.org:8080 login user password k", "http://wandb.example.org:8080", "online"),
        ("machine api.wandb.ai nonsense", None, "offline"),
    ],
)
def test_a_key_in_netrc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, netrc: str, base_url: str | None, mode: str
) -> None:
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    (tmp_path / "netrc").write_text(netrc + "\n")
    (tmp_path / "netrc").chmod(0o600)
    if base_url is not None:
        monkeypatch.setenv("WANDB_BASE_URL", base_url)
    assert default_mode() == mode
