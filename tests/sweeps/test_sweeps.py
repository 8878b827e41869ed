"""Whole sweeps with real jobs: one that fails touches no other, and what is done is not done again."""

import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from freqgan.runs import read_checkpoint
from freqgan.sweeps import processes
from tests.forked import only_run, tensors, train
from tests.sweeps import running
from tests.sweeps.running import FAULT, SHORT, last, ledger, run_of, sweep


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Jobs find the faults, and the working directory holds nothing."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2])
    monkeypatch.chdir(tmp_path)


@pytest.mark.fault("sweep", "job that fails, is killed or hangs")
def test_no_failure_touches_another_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tally: Any
) -> None:
    tally(8, 0)
    monkeypatch.setattr(processes, "GRACE", 0.5)
    kinds = "callbacks.fault.kind=hang,error,exit_3,exit_0,kill,memory,none"
    also = 'sweep.search.also=[["optim.lr=1e30"],["data.image_size=3"],["seed=2"]]'
    assert sweep(tmp_path, FAULT, kinds, also, "sweep.engine.slots=2", "sweep.minutes=0.2") == 1
    expected = {
        "callbacks.fault.kind=hang": ("timed_out", 124, "stopped after sweep.minutes=0.2"),
        "callbacks.fault.kind=error": ("failed", 1, "unexpected RuntimeError: broken on purpose"),
        "callbacks.fault.kind=exit_3": ("failed", 3, "it ended with status 3"),
        "callbacks.fault.kind=exit_0": ("failed", 1, "train gave up"),
        "callbacks.fault.kind=kill": ("killed", -signal.SIGKILL, "killed by SIGKILL"),
        "callbacks.fault.kind=memory": ("failed", 1, "unexpected MemoryError:"),
        "callbacks.fault.kind=none": ("finished", 0, ""),
        "optim.lr=1e30": ("diverged", 65, "generator diverged at images_seen=0: gradient norm nan"),
        "data.image_size=3": ("refused", 2, "data.image_size=3 "),
        "seed=2": ("finished", 0, ""),
    }
    rows = last(tmp_path)
    assert {name: (row.state, row.exit_status) for name, row in rows.items()} == {
        name: (state, status) for name, (state, status, _) in expected.items()
    }
    captured = capsys.readouterr()
    table = [[cell.strip() for cell in line.split("│")[1:-1]] for line in captured.out.splitlines() if "│" in line]
    for number, (name, (state, _, line)) in enumerate(expected.items(), 1):
        assert rows[name].line.startswith(line)
        (shown,) = (cells for cells in table if cells[0] == str(number))
        assert shown[1:3] == [name, state]
        assert shown[-1].startswith(line or str(tmp_path))
    assert "8 of 10 jobs failed: 1, 2, 3, 4, 5, 6, 8, 9; logs are in" in captured.out
    assert "sweep.retry=all runs it again" in captured.out
    assert "Traceback" not in captured.err
    assert not run_of(tmp_path, rows["data.image_size=3"]).path.exists()
    tally(8, 8)


@pytest.mark.slow
def test_the_same_sweep_runs_only_what_is_missing_or_failed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = [FAULT, "callbacks.fault.kind=none,error", 'sweep.search.also=[["optim.lr=1e30"],["data.image_size=3"]]']
    assert sweep(tmp_path, *command) == 1
    whole = read_checkpoint(run_of(tmp_path, last(tmp_path)["callbacks.fault.kind=none"]).checkpoints()[0])
    assert sweep(tmp_path, *command) == 1
    attempts = {name: (row.state, row.attempt) for name, row in last(tmp_path).items()}
    assert attempts == {
        "callbacks.fault.kind=none": ("finished", 1),
        "callbacks.fault.kind=error": ("failed", 2),
        "optim.lr=1e30": ("diverged", 1),
        "data.image_size=3": ("refused", 0),
    }
    assert "3 of 4 jobs failed: 2, 3, 4" in capsys.readouterr().out
    assert sweep(tmp_path, *command, "sweep.retry=all") == 1
    attempts = {name: (row.state, row.attempt) for name, row in last(tmp_path).items()}
    assert attempts["optim.lr=1e30"] == ("diverged", 2)
    assert attempts["callbacks.fault.kind=none"] == ("finished", 1)
    shutil.rmtree(run_of(tmp_path, last(tmp_path)["callbacks.fault.kind=none"]).path)
    assert sweep(tmp_path, FAULT, "callbacks.fault.kind=none,none") == 0
    again = last(tmp_path)["callbacks.fault.kind=none"]
    assert (again.state, again.attempt) == ("finished", 2)
    assert tensors(read_checkpoint(run_of(tmp_path, again).checkpoints()[0])) == tensors(whole)


@pytest.mark.slow
def test_a_sweep_that_is_done_does_nothing_and_a_larger_one_adds_to_it(tmp_path: Path) -> None:
    assert sweep(tmp_path, "seed=2,3") == 0
    before = ledger(tmp_path)
    assert sweep(tmp_path, "seed=2,3") == 0
    assert ledger(tmp_path) == before
    assert sweep(tmp_path, "seed=1,2,3") == 0
    added = [(row.number, row.overrides, row.state, row.attempt) for row in ledger(tmp_path)[len(before) :]]
    assert [row for row in added if row[0] == 1] == [
        (1, ("seed=1",), "waiting", 0),
        (1, ("seed=1",), "running", 1),
        (1, ("seed=1",), "finished", 1),
    ]
    assert [row for row in added if row[0] > 1] == [
        (2, ("seed=2",), "finished", 1),
        (3, ("seed=3",), "finished", 1),
    ]
    alone = tmp_path / "alone"
    alone.mkdir()
    assert train(alone, *SHORT)[0] == 0
    ours = run_of(tmp_path, last(tmp_path)["seed=1"]).checkpoints()[0]
    assert tensors(read_checkpoint(ours)) == tensors(read_checkpoint(only_run(alone) / "checkpoints" / "last.ckpt"))


@pytest.mark.slow
def test_other_data_make_another_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for i in range(8):
        Image.effect_noise((20, 20), 40 + i).convert("RGB").save(photos / f"{i}.png")
    command = ["data=image_folder", f"data.root={photos}", "seed=1,2"]
    monkeypatch.setattr(running, "TINY", [text for text in running.TINY if not text.startswith("data.source")])
    assert sweep(tmp_path, *command) == 0
    first = {name: row.key for name, row in last(tmp_path).items()}
    Image.effect_noise((20, 20), 99).convert("RGB").save(photos / "9.png")
    assert sweep(tmp_path, *command) == 0
    second = {name: row.key for name, row in last(tmp_path).items()}
    assert first.keys() == second.keys()
    assert not set(first.values()) & set(second.values())
    assert {row.attempt for row in last(tmp_path).values()} == {1}


@pytest.mark.slow
def test_each_job_is_a_run_of_its_own_in_weights_and_biases(tmp_path: Path) -> None:
    assert sweep(tmp_path, "logger=wandb", FAULT, "callbacks.fault.kind=none,error") == 1
    runs = [run_of(tmp_path, row) for row in last(tmp_path).values()]
    assert len({run.record["wandb_id"] for run in runs}) == 2
    for run in runs:
        assert run.record["wandb_mode"] == "offline"
        assert run.config["group"] == "it"
        assert len(list(run.path.glob("wandb/offline-run-*/*.wandb"))) == 1
