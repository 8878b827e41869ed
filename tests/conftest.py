"""One thread per test process, and the table of `make test-faults`: what was injected, and what survived.

A test that injects a fault says so with `@pytest.mark.fault(promise, fault)`: one fault, survived if the test passes.
One that injects many takes `tally` and says how many those were. `--faults=<promise>` prints the table.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # spinning OpenMP threads on shared cores cost 10-100x
os.environ.setdefault("WANDB_MODE", "offline")

import torch

torch.set_num_threads(1)

PROMISES = (
    *("resume", "checkpoint", "divergence", "data", "logging", "config", "foreign", "edit", "deterministic", "leaks"),
    "sweep",
)
# Faults that have to be survived at least, so that the table cannot shrink unseen.
LEAST = {
    ("resume", "kill -9 in a step"): 40,
    ("resume", "kill -9 at a random moment"): 50,
    ("resume", "kill -9 in a row, grid, judgement or save"): 16,
    ("resume", "SIGTERM, SIGINT or SIGUSR1"): 10,
    ("checkpoint", "checkpoint cut or with a flipped bit"): 405,
    ("checkpoint", "every checkpoint damaged"): 2,
    ("divergence", "NaN or infinity"): 12,
    ("divergence", "term that is not finite, every one of every model"): 356,
    ("deterministic", "the same command again, with workers that load"): 26,
    ("data", "flipped byte of a picture"): 1800,
    ("data", "damaged or hostile shard"): 320,
    ("data", "damaged file, every kind and layout"): 2487,
    ("data", "file changed while training"): 28,
    ("data", "loading process killed or stopped"): 19,
    ("data", "rights and races"): 25,
    ("config", "mistake on the command line"): 55,
    ("config", "random mistake"): 600,
    ("foreign", "hostile or damaged checkpoint"): 154,
    ("foreign", "hostile stored config"): 87,
    ("foreign", "link out of a run"): 5,
    ("logging", "server that fails"): 26,
    ("edit", "path that is not needed"): 37,
    ("edit", "request that is none"): 25,
    ("edit", "malformed question"): 12,
    ("edit", "bytes that are no request"): 100,
    ("edit", "damaged or hostile label map"): 10,
    ("edit", "page from elsewhere"): 11,
    ("edit", "connections that say nothing"): 4,
    ("leaks", "a run of many steps and judgements"): 3,
    ("sweep", "job that fails, is killed or hangs"): 8,
}
COLUMNS = ("injected", "survived", "lost", "not run")
COUNTS, SECONDS = pytest.StashKey[tuple[int, int]](), pytest.StashKey[float]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--faults", choices=("all", *PROMISES), help="print the table of a promise's faults, or of all")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("faults") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Table(config))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted = config.getoption("faults")
    for item in list(items) if wanted not in (None, "all") else ():
        mark = item.get_closest_marker("fault")
        if mark is None or mark.args[0] != wanted:
            items.remove(item)
            config.hook.pytest_deselected(items=[item])


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Callable[[int, int], None]:
    """Takes how many faults a test has injected so far, and how many of them were survived."""

    def count(injected: int, survived: int) -> None:
        request.node.stash[COUNTS] = (injected, survived)

    return count


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report: Any = yield
    seconds = item.stash[SECONDS] = item.stash.get(SECONDS, 0.0) + report.duration  # of fixtures too
    mark = item.get_closest_marker("fault")
    if mark is not None and report.when != "teardown" and (report.when == "call" or not report.passed):
        injected, survived = item.stash.get(COUNTS, (1, 1))
        if report.failed and injected == survived:
            survived -= 1  # none is told to be lost, and something was
        counts = (0, 0, 0, 1) if report.skipped else (injected, survived, injected - survived, 0)
        report.user_properties.append(("fault", (*mark.args, *counts, seconds)))
    return report  # type: ignore[no-any-return]


class Table:
    """Adds up what tests report, and holds it against the least that has to survive.

    Args:
        config: of pytest.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.lines: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0] * 5)
        whole = config.option.markexpr == "fault" and not config.option.keyword and "tests" in config.args
        wanted = config.getoption("faults")
        self.least = {line: n for line, n in LEAST.items() if whole and wanted in ("all", line[0])}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for _, (promise, fault, *counts) in [p for p in report.user_properties if p[0] == "fault"]:  # type: ignore[misc]
            if report.when != "teardown":  # which has the properties of the call too
                self.lines[promise, fault] = [a + b for a, b in zip(self.lines[promise, fault], counts, strict=True)]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if any(self.lines[line][1] < least for line, least in self.least.items()):
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        known = sorted(self.lines.items(), key=lambda row: (PROMISES.index(row[0][0]), row[0][1]))
        total = [sum(column) for column in zip(*self.lines.values(), strict=True)] or [0.0] * 5
        width = max((len(fault) for _, fault in self.lines), default=5)
        terminalreporter.section("faults")
        terminalreporter.line(f"{'promise':13}  {'fault':{width}}  {'  '.join(f'{c:>8}' for c in COLUMNS)}   seconds")
        for (promise, fault), (*counts, seconds) in [*known, (("all", ""), total)]:
            least = self.least.get((promise, fault), 0)
            lack = f"  wanted at least {least}" if counts[1] < least else ""
            told = "  ".join(f"{count:8,.0f}" for count in counts)
            terminalreporter.line(f"{promise:13}  {fault:{width}}  {told}  {seconds:8.1f}{lack}")
