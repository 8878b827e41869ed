"""The loop of a sweep: proposes, examines, starts and follows jobs, and writes down what became of each."""

import logging
import signal
import textwrap
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any, final

from freqgan.config.sweeping import SweepCommand
from freqgan.errors import InterruptedRunError, UserError
from freqgan.runs.directory import RunDirectory
from freqgan.runs.files import storage
from freqgan.sweeps.engines import Engine
from freqgan.sweeps.examine import Examined, Examiner, digest
from freqgan.sweeps.ledger import OPEN, STANDING, Ledger, Row, State
from freqgan.sweeps.log import reason
from freqgan.sweeps.processes import TICK, TIMED_OUT, Command, Handle
from freqgan.sweeps.search import Proposal, Search

log = logging.getLogger(__name__)

STATES: dict[int, State] = {0: "finished", 2: "refused", 65: "diverged", TIMED_OUT: "timed_out"}
STOPPED = (130, 143)
SHOWN = 160  # characters of a reason; the ledger has all
WATCHED_EVERY = 2.0  # seconds between two looks at what running jobs have written
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP)  # the last one of a closed terminal


@final
@dataclass
class Job:
    """A job that is not done.

    Attributes:
        row: its last row of the ledger.
        arguments: of its command.
        run: its run directory.
        log: where its output goes.
        handle: of its process, once it is started.
        begun: when that was.
        said: length of the log then.
        unwanted: whether the search has given it up.
    """

    row: Row
    arguments: tuple[str, ...]
    run: RunDirectory
    log: Path
    handle: Handle = field(init=False)
    begun: float = 0.0
    said: int = 0
    unwanted: bool = False


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
        self.examiner = Examiner(command)
        self.earlier: dict[tuple[str, ...], Row] = {}
        self.rows: dict[int, Row] = {}
        self.proposed: Proposal | None = None
        self.waiting: deque[Job] = deque()
        self.running: dict[int, Job] = {}  # by slot
        self._signals: list[int] = []
        self._watched = 0.0

    def run(self) -> list[Row]:
        """Runs all jobs that are missing, and returns the rows of all.

        Raises:
            UserError: another process runs this sweep, or its search or engine cannot begin.
            InterruptedRunError: a signal came; the jobs have been stopped, each with a checkpoint.
        """
        with self._alone(), self._listening(), self.examiner:
            self.earlier = self.ledger.last()
            told = {row.number: row for row in self.ledger.rows()}  # a search remembers some jobs by itself
            self.search.begin(self.command, self.folder)
            self.engine.open(self.folder)
            try:
                while self._goes_on():
                    pass
            finally:
                for job in self.running.values():  # nothing outlives an error of the sweep itself
                    job.handle.kill()
                self.engine.close()
        if self._signals:
            left = self.search.total - sum(row.state not in OPEN for row in self.rows.values())
            name = signal.Signals(self._signals[0]).name
            message = f"interrupted by {name}, {left} jobs left: the same command goes on"
            raise InterruptedRunError(self._signals[0], message)
        return [row for _, row in sorted((told | self.rows).items()) if row.number <= self.search.total]

    def _goes_on(self) -> bool:
        """One look at everything, and a short wait; False when nothing is left."""
        for slot, job in list(self.running.items()):
            status = job.handle.poll()
            if status is not None:
                del self.running[slot]
                self._ended(job, status)
        if self._signals:
            self._stop_all()
            time.sleep(TICK)
            return bool(self.running)
        self._watch()
        self._start()
        proposing = self._propose()
        if not proposing:
            time.sleep(TICK)
        return bool(proposing or self.running or self.waiting)

    def _propose(self) -> bool:
        """Has the next job examined while others run; False when there is none for now."""
        if self.proposed is None:
            self.proposed = self.search.ask(self.engine.slots - len(self.running) - len(self.waiting))
            if self.proposed is None:
                return False
            self.examiner.begin(self.proposed.chosen)
        examined = self.examiner.poll(TICK)
        if examined is not None:
            proposal, self.proposed = self.proposed, None
            self._consider(proposal, examined)
        return True

    def _consider(self, proposal: Proposal, examined: Examined) -> None:
        """Queues a job that has to run; what is done already is not done again."""
        run = RunDirectory(self.folder / examined.key)
        known = self.earlier.get(proposal.typed)
        if known is None or known.key not in (examined.key, examined.config_key):
            known = None  # it was another job: the data or a file of the config have changed
        fresh = Row(examined.key, proposal.number, proposal.typed, "waiting", attempt=known.attempt if known else 0)
        twin = next((row for row in self.rows.values() if row.key == examined.key), None)
        if twin is not None and twin.overrides != proposal.typed:
            line = f"the same run as job {twin.number}: paths, hardware, logger, tags and group make no other one"
            refused = replace(fresh, key=digest(proposal.typed), state="refused", exit_status=UserError.exit_status)
            self._settle(replace(refused, line=line), run)
        elif known is not None and self._stands(known, run):
            self._settle(replace(known, number=proposal.number), run)
        elif examined.refusal:
            state = STATES.get(examined.exit_status, "failed")
            self._settle(replace(fresh, state=state, exit_status=examined.exit_status, line=examined.refusal), run)
        elif run.state() == "finished":
            done = known if known is not None and known.state == "finished" else replace(fresh, state="finished")
            self._settle(replace(done, number=proposal.number, exit_status=0), run)
        else:
            group = [] if examined.settings["group"] else [f"group={self.folder.name}"]
            arguments = self.command.job(proposal.chosen, run.path, *group)
            self._record(fresh)
            self.waiting.append(Job(fresh, arguments, run, self.folder / "logs" / f"{examined.key}.log"))

    def _stands(self, row: Row, run: RunDirectory) -> bool:
        """Whether a row of an earlier time is a result that is not asked for again."""
        there = row.state == "refused" or run.path.exists()
        return row.state in STANDING and there and self.command.settings["retry"] != "all"

    def _start(self) -> None:
        """Fills free slots; a directory that another process still holds is left until it is free."""
        for _ in range(len(self.waiting)):
            free = [slot for slot in range(self.engine.slots) if slot not in self.running]
            if not free:
                return
            job = self.waiting.popleft()
            if job.run.held() or any(job.run == other.run for other in self.running.values()):
                self.waiting.append(job)
                continue
            job.row = replace(job.row, attempt=job.row.attempt + 1, state="running")
            job.said = job.log.stat().st_size if job.log.exists() else 0
            job.begun = time.monotonic()
            self._settle(job.row, job.run)
            command = Command(job.arguments, str(job.log), self.command.settings["minutes"])
            job.handle = self.engine.start(command, free[0])
            self.running[free[0]] = job

    def _ended(self, job: Job, status: int) -> None:
        """Writes down how a job ended."""
        state: State = STATES.get(status, "failed")
        line = reason(job.log, job.said, status)
        if job.unwanted and (status in STOPPED or status < 0):
            state = "pruned"
        elif status in STOPPED or (status < 0 and self._signals):
            state = "interrupted"
        elif status < 0:
            state, line = "killed", f"killed by {_name(-status)}"
        elif state == "timed_out":
            line = f"stopped after sweep.minutes={self.command.settings['minutes']:g}"
        line = "" if state in ("finished", "pruned") else line
        seconds = round(time.monotonic() - job.begun, 1)
        self._settle(replace(job.row, state=state, exit_status=status, line=line, seconds=seconds), job.run)

    def _settle(self, row: Row, run: RunDirectory) -> None:
        """Records a job's state, says it, and tells the search what will not go on."""
        known = self.earlier.get(row.overrides)
        if known is not None and replace(row, time=known.time) == known:
            self.rows[row.number] = known
        else:
            row = self._record(row)
            took = f" in {row.seconds:.0f} s" if row.seconds is not None else ""
            why = [f"({textwrap.shorten(row.line, SHOWN, placeholder=' …')})"] if row.line else []
            log.info("job %d %s%s: %s", row.number, row.state, took, " ".join([*row.overrides, *why]))
        if row.state not in OPEN and (line := self.search.tell(row, run)):
            self._record(replace(row, line=line))

    def _record(self, row: Row) -> Row:
        """Puts a row into the ledger, with the time."""
        row = replace(row, time=time.strftime("%Y-%m-%dT%H:%M:%S%z"))
        self.ledger.write(row)
        self.rows[row.number] = row
        return row

    def _watch(self) -> None:
        """Stops jobs that the search has given up."""
        now = time.monotonic()
        if now - self._watched < WATCHED_EVERY:
            return
        self._watched = now
        for job in self.running.values():
            if not job.unwanted and not self.search.goes_on(job.row.number, job.run):
                job.unwanted = True
                job.handle.stop()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Holds the folder."""
        with storage(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        if RunDirectory(self.folder).held():
            raise UserError(f"{self.folder} is being worked on by another sweep: wait for it, or stop it")
        with RunDirectory(self.folder).lock():
            yield

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """Signals are remembered; `_goes_on` acts on them."""
        # `nohup` has a process pass over the end of its terminal.
        heard = [signum for signum in SIGNALS if (signum, signal.getsignal(signum)) != (signal.SIGHUP, signal.SIG_IGN)]
        old: dict[Any, Any] = {signum: signal.signal(signum, self._remember) for signum in heard}
        try:
            yield
        finally:
            for signum, handler in old.items():
                signal.signal(signum, handler)

    def _remember(self, signum: int, frame: FrameType | None) -> None:
        self._signals.append(signum)

    def _stop_all(self) -> None:
        """The first signal stops the jobs, each with a checkpoint; a second one kills them."""
        for job in self.running.values():
            if len(self._signals) > 1:
                job.handle.kill()
            else:
                job.handle.stop()


def _name(signum: int) -> str:
    """Of a signal, where it has one."""
    return next((known.name for known in signal.Signals if known == signum), f"signal {signum}")
