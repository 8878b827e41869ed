"""The loop of a sweep: proposes, examines, starts and follows jobs, and writes down what became of each."""

import logging
import signal
import textwrap
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any, final

from freqgan.config.sweeping import SweepCommand
from freqgan.errors import InterruptedRunError, UserError
from freqgan.runs.directory import RunDirectory
from freqgan.sweeps.engines import Engine
from freqgan.sweeps.examine import Examined, Examiner
from freqgan.sweeps.ledger import RESULTS, Ledger, Row, State
from freqgan.sweeps.log import last_line
from freqgan.sweeps.processes import TICK, TIMED_OUT, Command, Handle
from freqgan.sweeps.search import Proposal, Search

log = logging.getLogger(__name__)

STATES: dict[int, State] = {0: "finished", 2: "refused", 65: "diverged", TIMED_OUT: "timed_out"}
STOPPED = (130, 143)
SHOWN = 160  # characters of a reason; the ledger has all
WATCHED_EVERY = 2.0  # seconds between two looks at what running jobs have written
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


@final
@dataclass
class Job:
    """A job that is not done.

    Attributes:
        row: its last row of the ledger.
        proposal: where it comes from.
        examined: what it is.
        run: its run directory.
        log: where its output goes.
        handle: of its process, once it is started.
        begun: when that was.
        said: length of the log then.
        unwanted: whether the search has given it up.
    """

    row: Row
    proposal: Proposal
    examined: Examined
    run: RunDirectory
    log: Path
    handle: Handle | None = None
    begun: float = 0.0
    said: int = 0
    unwanted: bool = field(default=False)


@final
class Driver:
    """Runs a sweep.

    Args:
        command: what is swept, over what.
        engine: runs jobs.
        search: proposes them.
    """

    def __init__(self, command: SweepCommand, engine: Engine, search: Search) -> None:
        self.command, self.engine, self.search = command, engine, search
        self.folder = command.folder
        self.ledger = Ledger(self.folder / "ledger.jsonl")
        self.rows: dict[int, Row] = {}
        self.waiting: deque[Job] = deque()
        self.running: dict[int, Job] = {}
        self._signal: int | None = None
        self._watched = 0.0

    def run(self) -> list[Row]:
        """Runs all jobs that are missing, and returns the rows of all.

        Raises:
            UserError: another process runs this sweep, or its search or engine cannot begin.
            InterruptedRunError: a signal came; the jobs have been stopped, each with a checkpoint.
        """
        with self._alone(), self._signals(), Examiner(self.command) as examine:
            self.before = self.ledger.rows()
            self.search.begin(self.command, self.folder)
            self.engine.open(self.folder)
            try:
                while self._goes_on(examine):
                    time.sleep(TICK)
            finally:
                self._kill_all()
                self.engine.close()
        if self._signal is not None:
            left = sum(row.state in ("waiting", "interrupted") for row in self.rows.values())
            name = signal.Signals(self._signal).name
            raise InterruptedRunError(
                self._signal, f"interrupted by {name}, {left} jobs left: the same command goes on"
            )
        for row in self.before.values():
            if row.number <= self.search.total:
                self.rows.setdefault(row.number, row)  # of a search that did not have to propose it again
        return [row for _, row in sorted(self.rows.items())]

    def _goes_on(self, examine: Examiner) -> bool:
        """One look at everything; False when nothing is left."""
        for slot, job in list(self.running.items()):
            assert job.handle is not None
            status = job.handle.poll()
            if status is not None:
                del self.running[slot]
                self._ended(job, status)
        self._watch()
        if self._signal is not None:
            return bool(self.running)
        proposals = self.search.ask(self.engine.slots - len(self.running) - len(self.waiting))
        for proposal in proposals:
            self._consider(proposal, examine)
        self._start()
        return bool(proposals or self.running or self.waiting)

    def _consider(self, proposal: Proposal, examine: Examiner) -> None:
        """Queues a job that has to run; what is done already is not done again."""
        before = self.before.get(proposal.typed)
        again = self.command.settings["retry"] == "all"
        if before is not None and before.state == "refused" and not again:
            self._keep(proposal, before)
            return
        examined = examine(proposal.chosen)
        run = RunDirectory(self.folder / examined.key)
        row = Row(examined.key, proposal.number, proposal.typed, "waiting", attempt=before.attempt if before else 0)
        twin = next((row for row in self.rows.values() if row.key == examined.key), None)
        if examined.refusal:
            self._write(replace(row, state="refused", exit_status=2, line=examined.refusal), run)
        elif twin is not None and twin.overrides != proposal.typed:
            self._write(replace(row, state="refused", exit_status=2, line=f"the same as job {twin.number}"), run)
        elif run.state() == "finished":
            self._keep(proposal, replace(row, state="finished", exit_status=0))
        elif before is not None and before.key == examined.key and before.state in RESULTS[1:] and not again:
            self._keep(proposal, before)
        else:
            self._write(row, run)
            self.waiting.append(Job(row, proposal, examined, run, self.folder / "logs" / f"{examined.key}.log"))

    def _keep(self, proposal: Proposal, row: Row) -> None:
        """Takes over a result of an earlier time."""
        run = RunDirectory(self.folder / row.key)
        known = self.before.get(proposal.typed)
        row = replace(known if known is not None and known.state == row.state else row, number=proposal.number)
        if row == known:
            self.rows[row.number] = row
            self.search.tell(row, run)
        else:
            self._write(row, run)

    def _start(self) -> None:
        """Fills free slots; a directory that a job of an earlier time still holds is left until it is free."""
        for _ in range(len(self.waiting)):
            free = [slot for slot in range(self.engine.slots) if slot not in self.running]
            if not free:
                return
            job = self.waiting.popleft()
            if job.run.held():
                self.waiting.append(job)
                continue
            job.row = replace(job.row, attempt=job.row.attempt + 1, state="running", exit_status=None, line="")
            job.said = job.log.stat().st_size if job.log.exists() else 0
            job.begun = time.monotonic()
            group = [] if job.examined.settings["group"] else [f"group={self.folder.name}"]
            arguments = self.command.job(job.proposal.chosen, job.run.path, *group)
            job.handle = self.engine.start(Command(arguments, str(job.log), self.command.settings["minutes"]), free[0])
            self.running[free[0]] = job
            self._write(job.row, job.run)

    def _ended(self, job: Job, status: int) -> None:
        """Writes down how a job ended."""
        state: State = STATES.get(status, "failed")
        if status in STOPPED:
            state = "pruned" if job.unwanted else "interrupted"
        elif status < 0 or status > 128:
            state = "pruned" if job.unwanted else "killed" if self._signal is None else "interrupted"
        line = "" if state in ("finished", "pruned") else last_line(job.log, job.said)
        if state == "killed":
            line = f"killed by {signal.Signals(-status).name if status < 0 else f'signal {status - 128}'}"
        elif state == "timed_out":
            line = f"stopped after sweep.minutes={self.command.settings['minutes']:g}"
        seconds = round(time.monotonic() - job.begun, 1)
        self._write(replace(job.row, state=state, exit_status=status, line=line, seconds=seconds), job.run)

    def _write(self, row: Row, run: RunDirectory) -> None:
        """Puts a job's state into the ledger, and tells the search what will not go on."""
        if row.state not in ("waiting", "running", "interrupted"):
            row = replace(row, line=self.search.tell(row, run) or row.line)
        row = replace(row, time=time.strftime("%Y-%m-%dT%H:%M:%S%z"))
        self.ledger.write(row)
        self.rows[row.number] = row
        if row.state != "waiting":
            took = f" in {row.seconds:.0f} s" if row.seconds is not None else ""
            reason = textwrap.shorten(row.line, SHOWN, placeholder=" …")
            said = [*row.overrides, *([f"({reason})"] if reason else [])]
            log.info("job %d %s%s: %s", row.number, row.state, took, " ".join(said))

    def _watch(self) -> None:
        """Stops jobs that the search has given up."""
        now = time.monotonic()
        if now - self._watched < WATCHED_EVERY:
            return
        self._watched = now
        for job in self.running.values():
            if not job.unwanted and not self.search.goes_on(job.row.number, job.run):
                job.unwanted = True
                assert job.handle is not None
                job.handle.stop()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Holds the folder."""
        with ExitStack() as stack:
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                stack.enter_context(RunDirectory(self.folder).lock())
            except UserError as error:
                raise UserError(
                    f"{self.folder} is being worked on by another sweep: wait for it, or stop it"
                ) from error
            yield

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """The first signal stops the jobs, each with a checkpoint; a second one kills them."""
        old: dict[Any, Any] = {signum: signal.signal(signum, self._interrupt) for signum in SIGNALS}
        try:
            yield
        finally:
            for signum, handler in old.items():
                signal.signal(signum, handler)

    def _interrupt(self, signum: int, frame: FrameType | None) -> None:
        first, self._signal = self._signal is None, signum
        for job in self.running.values():
            assert job.handle is not None
            if first:
                job.handle.stop()
            else:
                job.handle.kill()

    def _kill_all(self) -> None:
        """Nothing outlives an error of the sweep itself."""
        for job in self.running.values():
            assert job.handle is not None
            job.handle.kill()
