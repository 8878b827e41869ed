import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import wandb

from freqgan.callbacks import WandbMirror
from freqgan.callbacks.sample_grid import save_grid
from freqgan.callbacks.wandb_mirror import default_mode
from tests.callbacks.stand_ins import CONFIG, new_run


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No account and no settings of this machine's user."""
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def service() -> Iterator[None]:
    """Ends the process that W&B leaves running."""
    yield
    wandb.teardown()


@pytest.mark.usefixtures("service")
def test_an_unreachable_server_leaves_the_run_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    original, asked = wandb.init, []

    def init(**arguments: Any) -> Any:
        asked.append(arguments["mode"])
        if arguments["mode"] == "online":
            raise wandb.errors.CommError("timed out")
        return original(**arguments)

    monkeypatch.setattr(wandb, "init", init)
    run, mirror = new_run(tmp_path), WandbMirror(mode="online")
    with caplog.at_level(logging.WARNING):
        mirror.start(run, CONFIG)
    assert asked == ["online", "offline"]
    assert "W&B could not be reached (timed out); the run is kept offline" in caplog.messages
    save_grid(torch.zeros(1, 3, 8, 8), tmp_path / "grid.png")
    mirror.row({"images_seen": 64, "val/fd_of_this_test": 1.5}, 64)
    mirror.picture("samples/images", tmp_path / "grid.png", 64)
    mirror.finish(0)
    (folder,) = (run.path / "wandb").glob("offline-run-*")
    (record,) = folder.glob("run-*.wandb")
    content = record.read_bytes()
    assert b"val/fd_of_this_test" in content
    assert b"study" in content  # name and config
    assert len(list(folder.rglob("samples/*.png"))) == 1
    assert run.record["wandb_id"] in record.name
    assert run.record["wandb_mode"] == "offline"


class Service:
    """Stands for `wandb.init` and the run that it returns."""

    id = "abc"

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.arguments: dict[str, Any] = {}
        self.calls: list[Any] = []
        monkeypatch.setattr(wandb, "init", self.init)

    def init(self, **arguments: Any) -> "Service":
        self.arguments = arguments
        return self

    def define_metric(self, name: str, step_metric: str | None = None) -> None:
        self.calls.append(("define_metric", name, step_metric))

    def log(self, values: dict[str, Any]) -> None:
        self.calls.append(("log", values))

    def finish(self, exit_code: int) -> None:
        self.calls.append(("finish", exit_code))


def test_what_a_run_is_called_and_what_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service, run, mirror = Service(monkeypatch), new_run(tmp_path), WandbMirror(project="p", entity="e")
    mirror.start(run, CONFIG | {"group": "g"})
    mirror.row({"images_seen": 64, "val/fd": 1.5}, 64)
    mirror.finish(65)
    said = {
        name: service.arguments[name] for name in ("project", "entity", "name", "group", "job_type", "tags", "mode")
    }
    assert said == {
        "project": "p",
        "entity": "e",
        "name": f"study/{run.path.name}",
        "group": "g",
        "job_type": "train",
        "tags": ["a"],
        "mode": "offline",
    }
    assert service.arguments["dir"] == str(run.path)
    assert service.arguments["config"]["run"]["status"] == "running"
    assert service.calls == [
        ("define_metric", "images_seen", None),
        ("define_metric", "*", "images_seen"),
        ("log", {"images_seen": 64, "val/fd": 1.5}),
        ("finish", 65),
    ]


def test_a_continued_run_stays_one_run_of_the_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service, run = Service(monkeypatch), new_run(tmp_path)
    WandbMirror(mode="online").start(run, CONFIG)
    assert "id" not in service.arguments
    assert (run.record["wandb_id"], run.record["wandb_mode"]) == ("abc", "online")
    WandbMirror(mode="online").start(run, CONFIG)
    assert (service.arguments["id"], service.arguments["resume"]) == ("abc", "allow")


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
    WandbMirror(mode=asked).start(new_run(tmp_path), CONFIG)
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
    (tmp_path / "netrc").write_text(netrc + "\n")
    (tmp_path / "netrc").chmod(0o600)
    if base_url is not None:
        monkeypatch.setenv("WANDB_BASE_URL", base_url)
    assert default_mode() == mode
