import os
import signal
import time
from functools import partial
from multiprocessing import forkserver
from pathlib import Path

import pytest

from freqgan.sweeps import processes
from freqgan.sweeps.processes import Child, Command, execute, fork, fork_server, spawn, wait

PROGRAM = """
import os, signal, subprocess, sys, time
what, *rest = sys.argv[1:]
print(what, *rest, os.environ.get("MARK"), os.getcwd(), flush=True)
if what == "exit":
    sys.exit(int(rest[0]))
if what == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if what == "parent":
    print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]).pid, flush=True)
if what == "saves":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def _program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "program_of_a_job.py").write_text(PROGRAM)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]))
    monkeypatch.setattr(processes, "PROGRAM", "program_of_a_job")
    monkeypatch.setattr(processes, "TICK", 0.02)


def command(folder: Path, *arguments: str, minutes: float | None = None) -> Command:
    return Command(arguments, str(folder / "logs" / "job.log"), minutes, {"MARK": "mark"}, str(folder))


def said(folder: Path, word: str = "ready") -> str:
    """The log, once it has a word."""
    log, end = folder / "logs" / "job.log", time.monotonic() + 20
    while not log.exists() or word not in log.read_text():
        assert time.monotonic() < end
        time.sleep(0.01)
    return log.read_text()


def gone(pid: int) -> bool:
    """Whether a process ends soon; one that its parent has yet to wait for has ended."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


def test_a_fresh_process_has_its_arguments_variables_folder_and_log(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "job.log").write_text("earlier\n")
    assert wait(spawn(command(tmp_path, "exit", "7"))) == 7
    assert (tmp_path / "logs" / "job.log").read_text() == f"earlier\nexit 7 mark {tmp_path}\n"


def test_stop_asks_once_and_kill_ends_all_that_it_started(tmp_path: Path) -> None:
    child = spawn(command(tmp_path, "saves"))
    said(tmp_path)
    child.stop()
    child.stop()
    assert wait(child) == 143
    (tmp_path / "logs" / "job.log").unlink()
    child = spawn(command(tmp_path, "parent"))
    below = int(said(tmp_path).split()[-2])
    child.kill()
    assert wait(child) == -signal.SIGKILL
    assert gone(below)


def test_what_a_job_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    child = spawn(command(tmp_path, "parent"))
    below = int(said(tmp_path).split()[-2])
    os.kill(child.pid, signal.SIGKILL)
    assert wait(child) == -signal.SIGKILL
    assert gone(below)


def test_a_job_that_hears_nothing_is_killed_after_its_grace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "GRACE", 0.3)
    child = spawn(command(tmp_path, "deaf"))
    said(tmp_path)
    begun = time.monotonic()
    child.stop()
    assert wait(child) == -signal.SIGKILL
    assert 0.3 <= time.monotonic() - begun < 10


@pytest.mark.parametrize("kind", ["saves", "deaf"])
def test_a_time_limit_is_a_status_of_its_own(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "GRACE", 0.1)
    assert wait(spawn(command(tmp_path, kind, minutes=0.5 / 60))) == processes.TIMED_OUT == 124


def test_a_job_that_ends_by_itself_has_its_own_status(tmp_path: Path) -> None:
    assert wait(spawn(command(tmp_path, "exit", "0", minutes=1))) == 0
    late = Child(2**22 - 1, iter([None, None, 0]).__next__, minutes=0.0)
    assert [late.poll(), late.poll()] == [None, 0]


def test_what_ends_execute_ends_the_job(tmp_path: Path) -> None:
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            execute(command(tmp_path, "saves"))
        except KeyboardInterrupt:
            os._exit(9)
        os._exit(1)
    said(tmp_path)
    os.kill(pid, signal.SIGINT)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9


def test_a_fresh_job_ends_when_its_sweep_is_killed(tmp_path: Path) -> None:
    sweep = os.fork()
    if sweep == 0:
        (tmp_path / "pid").write_text(str(spawn(command(tmp_path, "saves")).pid))
        time.sleep(60)
    said(tmp_path)
    job = int((tmp_path / "pid").read_text())
    os.kill(sweep, signal.SIGKILL)
    os.waitpid(sweep, 0)
    assert gone(job)


# Forks


def test_a_fork_is_the_program(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "job.log"
    assert wait(fork(Command(("--help",), str(log)))) == 0
    assert "freqgan <verb>" in log.read_text()
    log.unlink()
    assert wait(fork(Command(("trian",), str(log)))) == 2
    assert log.read_text() == "freqgan: unknown verb trian: did you mean train?\n"


@pytest.mark.slow
def test_a_fork_whose_server_dies_is_killed_and_the_next_one_has_another(tmp_path: Path) -> None:
    sleeper = fork_server().Process(target=time.sleep, args=(60,))
    sleeper.start()
    assert sleeper.pid is not None
    child = Child(sleeper.pid, partial(processes._status_of_fork, sleeper), None)
    assert child.poll() is None
    server = forkserver._forkserver._forkserver_pid
    os.kill(server, signal.SIGKILL)
    assert wait(child) == -signal.SIGKILL
    assert gone(sleeper.pid)
    assert wait(fork(Command(("trian",), str(tmp_path / "job.log")))) == 2
    assert forkserver._forkserver._forkserver_pid != server


def test_the_server_leaves_signals_to_the_sweep() -> None:
    fork_server()
    status = Path(f"/proc/{forkserver._forkserver._forkserver_pid}/status").read_text()
    (blocked,) = (int(line.split()[1], 16) for line in status.splitlines() if line.startswith("SigBlk:"))
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
        assert blocked >> (signum - 1) & 1
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()


def test_signals_to_what_has_ended_are_no_error() -> None:
    ended = Child(2**22 - 1, lambda: None, None)
    ended.stop()
    ended.kill()
