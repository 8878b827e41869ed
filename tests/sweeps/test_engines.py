import getpass
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from freqgan.errors import UserError
from freqgan.runs import RunDirectory, read_checkpoint
from freqgan.sweeps import Local, Ray, Submitit
from freqgan.sweeps.engines import needed
from freqgan.sweeps.processes import Command, Handle
from tests.forked import TINY, tensors
from tests.sweeps.running import FAULT, SHORT, arguments, last, run_of, sweep
from tests.sweeps.test_kills import SLOW, until
from tests.sweeps.test_processes import gone


def ended(handle: Handle, seconds: float = 100) -> int:
    end = time.monotonic() + seconds
    while (status := handle.poll()) is None:
        assert time.monotonic() < end
        time.sleep(0.05)
    return status


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Command]:
    """Commands that a local engine would start."""
    commands: list[Command] = []
    monkeypatch.setattr("freqgan.sweeps.engines.fork", commands.append)
    monkeypatch.setattr("freqgan.sweeps.engines.spawn", commands.append)
    return commands


# On this machine


def test_slots_share_the_cores_unless_told_otherwise(started: list[Command], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    for slots, variable, expected in ((3, None, "2"), (16, None, "1"), (1, None, None), (3, "5", None)):
        if variable is None:
            monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        else:
            monkeypatch.setenv("OMP_NUM_THREADS", variable)
        Local(slots=slots).start(Command((), ""), 0)
        assert started[-1].environment.get("OMP_NUM_THREADS") == expected


def test_each_slot_sees_one_device(started: list[Command]) -> None:
    engine = Local(slots=4, devices=[2, 3], start="fresh")
    for slot in range(4):
        engine.start(Command((), "", environment={"A": "b"}), slot)
    assert [command.environment["CUDA_VISIBLE_DEVICES"] for command in started] == ["2", "3", "2", "3"]
    assert all(command.environment["A"] == "b" for command in started)
    Local().start(Command((), ""), 0)
    assert "CUDA_VISIBLE_DEVICES" not in started[-1].environment


@pytest.mark.parametrize(("package", "extra"), [("submitit", "slurm"), ("ray", "ray"), ("optuna", "optuna")])
def test_a_package_that_is_missing_is_one_line(package: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr("freqgan.sweeps.engines.import_module", missing)
    with pytest.raises(UserError) as caught:
        needed(package, extra)
    assert caught.value.lines == (f"{package} is not installed: pip install 'freqgan[{extra}]'",)


def test_a_broken_package_is_not_called_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "broken_engine.py").write_text("from math import no_such_function\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportError, match="no_such_function"):
        needed("broken_engine", "x")


# submitit


WRONG = [{"parameters": {"no_such": 1}}, {"parameters": {"timeout_min": "x"}}, {"cluster": "nowhere"}]


@pytest.mark.parametrize("given", WRONG, ids=str)
def test_what_submitit_refuses_is_one_line(tmp_path: Path, given: dict[str, Any]) -> None:
    with pytest.raises(UserError) as caught:
        Submitit(**({"cluster": "local"} | given)).open(tmp_path)
    (line,) = caught.value.lines
    assert line.startswith("sweep.engine: submitit refuses cluster=")
    assert "\n" not in line


@pytest.fixture
def submitit(tmp_path: Path) -> Submitit:
    engine = Submitit(cluster="local", parameters={"timeout_min": 5})
    engine.open(tmp_path)
    return engine


def test_submitit_runs_commands_in_processes_of_its_own(tmp_path: Path, submitit: Submitit) -> None:
    log = tmp_path / "logs" / "job.log"
    handle = submitit.start(Command(("trian",), str(log)), 0)
    assert ended(handle) == 2
    assert log.read_text() == "freqgan: unknown verb trian: did you mean train?\n"


# Whole sweeps on other engines


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[2])
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.chdir(tmp_path)


LOCAL_CLUSTER = ["sweep/engine=slurm", "sweep.engine.cluster=local", "sweep.engine.slots=2"]
LOCAL_RAY = ["sweep/engine=ray", "sweep.engine.slots=2", "sweep.engine.cpus=0.5"]


@pytest.mark.slow
@pytest.mark.parametrize("engine", [LOCAL_CLUSTER, LOCAL_RAY], ids=["submitit", "ray"])
def test_a_sweep_on_another_engine(tmp_path: Path, engine: list[str]) -> None:
    kinds = "callbacks.fault.kind=none,error,kill,exit_3"
    assert sweep(tmp_path, *engine, FAULT, kinds) == 1
    rows = {name.rpartition("=")[2]: row for name, row in last(tmp_path).items()}
    assert {name: (row.state, row.exit_status) for name, row in rows.items()} == {
        "none": ("finished", 0),
        "error": ("failed", 1),
        "kill": ("killed", -signal.SIGKILL),
        "exit_3": ("failed", 3),
    }
    assert rows["error"].line == "unexpected RuntimeError: broken on purpose"


@pytest.mark.slow
@pytest.mark.parametrize("engine", [LOCAL_CLUSTER, LOCAL_RAY], ids=["submitit", "ray"])
def test_a_time_limit_on_another_engine(tmp_path: Path, engine: list[str]) -> None:
    assert sweep(tmp_path, *engine, FAULT, "callbacks.fault.kind=slow", "budget.images=4000", "sweep.minutes=0.5") == 1
    (row,) = last(tmp_path).values()
    assert (row.state, row.exit_status) == ("timed_out", 124)
    assert run_of(tmp_path, row).state() == "interrupted"


@pytest.fixture
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    folder = tmp_path_factory.mktemp("whole")
    assert sweep(folder, *SLOW[:-1], "seed=1") == 0
    (row,) = last(folder).values()
    return tensors(read_checkpoint(run_of(folder, row).checkpoints()[0]))


@pytest.mark.slow
def test_a_job_that_slurm_preempts_is_queued_again_and_continues(
    tmp_path: Path, submitit: Submitit, uninterrupted: dict[str, object]
) -> None:
    run = tmp_path / "tiny" / "it" / "job"
    paths = [f"paths.output_dir={tmp_path}", f"paths.cache_dir={tmp_path / 'cache'}", "name=tiny"]
    own = [f"paths.run_dir={run}", "resume=auto", "group=it"]
    log = tmp_path / "job.log"
    handle: Any = submitit.start(Command(("train", *TINY, *SHORT, *paths, *SLOW[:-1], "seed=1", *own), str(log)), 0)
    until(lambda: (run / "checkpoints" / "images_8.ckpt").exists())
    for task in _tasks(handle.job):
        os.kill(task, signal.SIGUSR2)
    assert ended(handle) == 0
    assert "interrupted by SIGTERM after a whole step" in log.read_text()
    assert "resumed at " in log.read_text()
    assert tensors(read_checkpoint(run / "checkpoints" / "last.ckpt")) == uninterrupted


def _tasks(job: Any) -> Iterator[int]:
    """Processes of a job of submitit's local cluster; SLURM sends them the signal of a preemption."""
    for status in Path("/proc").glob("[0-9]*/stat"):
        fields = status.read_text().rpartition(")")[2].split()
        if int(fields[1]) == job._process.pid:
            yield int(status.parent.name)


@pytest.mark.slow
def test_ray_ends_what_it_is_asked_to_end(tmp_path: Path) -> None:
    engine = Ray(slots=1)
    engine.open(tmp_path)
    try:
        marker = [FAULT, "callbacks.fault.kind=slow", "budget.images=4000"]
        run = tmp_path / "run"
        own = [text for text in arguments(tmp_path, *marker)[2:] if not text.startswith("sweep.")]
        command = Command(("train", *own, f"paths.run_dir={run}"), str(tmp_path / "job.log"))
        handle = engine.start(command, 0)
        until(lambda: (run / "checkpoints" / "images_8.ckpt").exists())
        handle.stop()
        handle.stop()
        assert ended(handle) == 143
        until(lambda: RunDirectory(run).state() == "interrupted")
        assert gone(int(RunDirectory(run).record["pid"]))
    finally:
        engine.close()


SLURM = {
    "sbatch": """
for last; do :; done
export SLURM_JOB_ID=$$ SLURM_NTASKS=1 SLURM_JOB_NUM_NODES=1 SLURM_NODEID=0 SLURM_PROCID=0 SLURM_LOCALID=0
export SLURM_JOB_NAME=freqgan SLURM_NODELIST=localhost
setsid bash "$last" > /dev/null 2>&1 < /dev/null &
echo "Submitted batch job $$"
""",
    "srun": """
while [[ $1 == --* ]]; do [[ $1 == --unbuffered ]] || shift; shift; done
exec "$@"
""",
    "sacct": 'echo "JobID|State|NodeList"\n',
    "scancel": 'echo "$@" >> "$(dirname "$0")/cancelled"\n',
}


@pytest.mark.slow
def test_the_commands_of_slurm_are_the_ones_that_submitit_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uninterrupted: dict[str, object]
) -> None:
    """No SLURM is there: its commands are stand-ins that run a batch script at once."""
    (tmp_path / "bin").mkdir()
    for name, script in SLURM.items():
        (tmp_path / "bin" / name).write_text(f"#!/usr/bin/env bash\n{script}")
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    queue = ["sweep/engine=slurm", "sweep.engine.parameters={slurm_partition:gpu,timeout_min:30,cpus_per_task:2}"]
    assert sweep(tmp_path, *queue, *SLOW, "sweep.engine.slots=1") == 0
    rows = last(tmp_path)
    assert {row.state for row in rows.values()} == {"finished"}
    assert tensors(read_checkpoint(run_of(tmp_path, rows["seed=1"]).checkpoints()[0])) == uninterrupted
    script = next((tmp_path / "tiny" / "it" / "submitit").glob("*_submission.sh")).read_text()
    for option in ("--partition=gpu", "--time=30", "--cpus-per-task=2", "--job-name=freqgan-", "--signal=USR2@"):
        assert f"#SBATCH {option}" in script
    # What a sweep that died has left in the queue goes first, by the name that this sweep's jobs have.
    (name,) = re.findall(r"--job-name=(\S+)", script)
    assert (tmp_path / "bin" / "cancelled").read_text().splitlines()[0] == f"--user={getpass.getuser()} --name={name}"
