"""Whole commands with W&B as their logger: how they end, what they leave, and what a server gets of it."""

import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from freqgan.runs import RunDirectory
from freqgan.systems import System
from tests.callbacks.wandb_server import FAULTS, KEY, WandbServer, alone, scalars, sync, versions, wandb_server
from tests.forked import assert_same, command, only_run, signal_at, train

__all__ = ["alone"]

PROTOCOL = ["metrics=generation_small", "metrics.num_images=20", "metrics.num_real=40", "evaluation.at_start=none"]
SHORT = ["transform=identity", "logger=wandb", "log_every_steps=1", "samples.every_images=1000"]
SECRET = "correct horse battery staple"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[WandbServer]:
    monkeypatch.setenv("SOME_TOKEN", SECRET)
    with wandb_server() as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        yield server


def killed_a_second_after(step: int) -> Callable[[], None]:
    """A fault: `kill -9` in the middle of a step, when W&B had time to write down the rows before."""

    def before() -> None:
        signal_at(step)()
        update = System._update

        def late(self: Any, player: Any, *rest: Any) -> None:
            if self.clock.steps == step and player == "generator":
                time.sleep(1)
            update(self, player, *rest)

        System._update = late  # type: ignore[method-assign]

    return before


def positions(rows: list[dict[str, Any]]) -> list[int]:
    return [row["images_seen"] for row in scalars(rows)]


@pytest.mark.slow
@pytest.mark.fault("resume", "kill -9 in a step")
def test_a_killed_run_leaves_a_fragment_and_its_continuation_another(tmp_path: Path, server: WandbServer) -> None:
    more = [*SHORT, "logger.wandb.mode=offline", "budget.images=40", "checkpoint.every_images=16"]
    status, output = train(tmp_path, *more, before=killed_a_second_after(7))
    assert status == -signal.SIGKILL, output
    status, output = train(tmp_path, *more, "resume=auto")
    assert status == 0, output
    run = RunDirectory(only_run(tmp_path))
    first, second = run.record["wandb_fragments"]
    assert first["id"] != second["id"]
    sync(server, run, tmp_path)
    before, after = (server.runs[part["id"]] for part in (first, second))
    expected = [4 * (step + 1) for step in range(10)]
    assert positions(before["history"]) == expected[:7]
    assert before["exit_code"] != 0
    assert positions(after["history"]) == expected[4:]  # from the checkpoint at 16 on
    assert after["exit_code"] == 0
    assert [row["images_seen"] for row in run.metrics] == expected


@pytest.mark.parametrize(
    ("extra", "signum", "expected"), [(["optim.lr=1e30"], None, 65), ([], signal.SIGTERM, 143), ([], None, 0)]
)
def test_the_server_knows_how_a_run_ended_and_nothing_secret(
    tmp_path: Path, server: WandbServer, extra: list[str], signum: int | None, expected: int
) -> None:
    before = signal_at(2, signum) if signum else lambda: None
    more = [*SHORT, "budget.images=16", "tags=[a,b]", "job_type=ablation"]
    status, output = train(tmp_path, *more, *extra, before=before)
    assert status == expected, output
    ((run_id, seen),) = server.runs.items()
    run = RunDirectory(only_run(tmp_path))
    assert (run.record["wandb_id"], run.record["wandb_mode"]) == (run_id, "online")
    assert seen["exit_code"] == expected
    assert (seen["groupName"], seen["jobType"], seen["tags"]) == ("tiny", "ablation", ["a", "b"])
    assert scalars(seen["history"]) == run.metrics
    config = {key: said["value"] for key, said in json.loads(seen["config"]).items()}
    assert config["optim"]["lr"] == (1e30 if extra else 2e-4)
    assert config["run"]["data_fingerprint"] == run.record["data_fingerprint"]
    assert config.keys().isdisjoint({"paths", "logger", "hardware", "resume"})
    kept = b"".join(path.read_bytes() for path in run.path.rglob("*") if path.is_file())
    for secret in (SECRET, KEY):
        assert secret.encode() not in kept
        assert secret not in json.dumps([seen, server.artifacts])


@pytest.mark.slow
def test_an_evaluation_afterwards_uses_the_checkpoint(tmp_path: Path, server: WandbServer) -> None:
    status, output = train(tmp_path, *SHORT, *PROTOCOL, "budget.images=8", "group=g")
    assert status == 0, output
    run = RunDirectory(only_run(tmp_path))
    places = [f"paths.cache_dir={tmp_path / 'cache'}", "hardware=cpu", "hardware.threads=1"]
    status, output = command(["evaluate", f"run={run.path}", "logger=wandb", *places], tmp_path)
    assert status == 0, output
    kinds = {seen["jobType"]: (run_id, seen) for run_id, seen in server.runs.items()}
    assert kinds.keys() == {"train", "evaluate"}
    assert {seen["groupName"] for _, seen in kinds.values()} == {"g"}
    logged = {key: value for key, value in run.metrics[-1].items() if key.startswith("val/")}
    assert scalars(kinds["evaluate"][1]["history"]) == [{"images_seen": 8} | logged]
    made = next(v for v in versions(server, "model") if v["runName"] and "images_8" in str(v["aliases"]))
    used = next(v for v in versions(server, "model") if v["runName"] is None)
    assert made["digest"] == used["digest"]
    assert (kinds["evaluate"][0], made["artifactCollectionName"]) in server.used
    status, output = command(["evaluate", f"images={tmp_path}", "data=scenes", "logger=wandb", *PROTOCOL[:3]], tmp_path)
    assert status == 2
    assert "logger shows what was measured on a run" in output


@pytest.fixture(scope="module")
def unlogged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that no server hears of."""
    folder = tmp_path_factory.mktemp("unlogged")
    status, output = train(folder, *SHORT, "logger=none", "budget.images=32")
    assert status == 0, output
    return only_run(folder)


@pytest.mark.slow
@pytest.mark.parametrize("at_start", [True, False], ids=["at the start", "in the middle"])
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.fault("logging", "server that fails")
def test_no_fault_of_the_server_reaches_the_run(
    tmp_path: Path, server: WandbServer, unlogged: Path, fault: str, at_start: bool
) -> None:
    server.fault, server.at_start = FAULTS[fault], at_start
    bounds = ["logger.wandb.init_timeout=2", "logger.wandb.finish_timeout=2"]
    begun = time.monotonic()
    status, output = train(tmp_path, *SHORT, "budget.images=32", *bounds)
    assert status == 0, output
    assert time.monotonic() - begun < 40
    assert server.faults
    assert at_start or server.runs
    assert "Traceback" not in output
    assert_same(only_run(tmp_path), unlogged)
