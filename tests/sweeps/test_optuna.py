import json
import math
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import optuna
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from freqgan.config.sweeping import SweepCommand
from freqgan.errors import StorageError, UserError
from freqgan.runs import RunDirectory
from freqgan.sweeps import Optuna, Row
from freqgan.sweeps.ledger import State
from freqgan.sweeps.search import Proposal
from freqgan.vocabulary import Vocabulary
from tests.sweeps.running import driver, last, ledger, run_of, sweep

SPACE = ("++optim.lr=tag(log,interval(1e-4,1e-2))", "++model.width=range(2,10,2)", "loss=bce,hinge")
STATES = optuna.trial.TrialState
COMPLETE, FAIL, PRUNED, RUNNING = STATES.COMPLETE, STATES.FAIL, STATES.PRUNED, STATES.RUNNING


def search(folder: Path, *space: str, **given: Any) -> Optuna:
    """A search that has begun."""
    settings = {"n_trials": 4, "metric": "val/fd", "sampler": optuna.samplers.RandomSampler} | given
    found = Optuna(**settings)
    swept = OverridesParser.create().parse_overrides(list(space or SPACE))
    found.begin(SweepCommand({}, (), tuple(swept), Vocabulary(())), folder)
    return found


def ask(found: Optuna) -> Proposal:
    proposal = found.ask(1)
    assert proposal is not None
    return proposal


def run(folder: Path, number: int, *values: float, metric: str = "val/fd") -> RunDirectory:
    """A run that has logged these values."""
    path = folder / str(number)
    path.mkdir(exist_ok=True)
    rows = [{"images_seen": 10 * i, "time/seconds": 1.0} | {metric: v} for i, v in enumerate(values, 1)]
    (path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return RunDirectory(path)


def row(number: int, state: State = "finished") -> Row:
    return Row(str(number), number, (), state)


def finish(found: Optuna, folder: Path, *values: float) -> Proposal:
    """A trial that ends with the last of these values."""
    proposal = ask(found)
    assert found.tell(row(proposal.number), run(folder, proposal.number, *values)) == ""
    return proposal


def trials(found: Optuna) -> list[tuple[Any, float | None]]:
    return [(trial.state, trial.value) for trial in found.study.trials]


def test_values_lie_in_their_space(tmp_path: Path) -> None:
    found = search(tmp_path, n_trials=16)
    seen = [dict(text.split("=") for text in finish(found, tmp_path, 1.0).typed) for _ in range(16)]
    rates = [float(values["optim.lr"]) for values in seen]
    assert all(1e-4 <= rate <= 1e-2 for rate in rates)
    assert sum(rate < 1e-3 for rate in rates) > 3  # in logarithms
    assert {values["model.width"] for values in seen} == {"2", "4", "6", "8"}
    assert {values["loss"] for values in seen} == {"bce", "hinge"}
    assert found.ask(1) is None
    assert found.study.trials[0].params.keys() == {"optim.lr", "model.width", "loss"}
    assert all(proposal.startswith("++") for proposal in found.keys.values() if proposal != "loss")


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        ("x=int(interval(1,8))", optuna.distributions.IntDistribution(1, 8)),
        ("x=interval(1.0,8)", optuna.distributions.FloatDistribution(1.0, 8.0)),
        ("x=tag(log,int(interval(1,8)))", optuna.distributions.IntDistribution(1, 8, log=True)),
        ("x=range(1,8,3)", optuna.distributions.IntDistribution(1, 7, step=3)),
        ("x=range(0.0,1.0,0.25)", optuna.distributions.FloatDistribution(0.0, 0.75, step=0.25)),
        ("x='a, b',null,true,3", optuna.distributions.CategoricalDistribution(["a, b", None, True, 3])),
    ],
)
def test_each_kind_of_values_has_its_distribution(tmp_path: Path, space: str, expected: Any) -> None:
    assert search(tmp_path, space).space == {"x": expected}


@pytest.mark.parametrize(
    ("space", "line"),
    [
        ("x=interval(8,1)", "x=interval(8,1): Optuna refuses it"),
        ("x=tag(log,interval(0,1))", "x=tag(log,interval(0,1)): Optuna refuses it"),
        ("x=range(5,1)", "x=range(5,1): Optuna cannot search it, write choice(a, b) of words and numbers, range"),
        ("x=[1,2],[3]", "x=[1,2],[3]: Optuna cannot search it"),
        ("x=glob(*)", "x=glob(*): Optuna cannot search it"),
    ],
)
def test_what_cannot_be_searched_is_one_line(tmp_path: Path, space: str, line: str) -> None:
    with pytest.raises(UserError) as caught:
        search(tmp_path, space)
    (found,) = caught.value.lines
    assert found.startswith(line)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"start": [{"optim.lrr": 1.0}]}, "sweep.search.start: optim.lrr is not searched, did you mean optim.lr?"),
        ({"start": [{"optim.lr": 1.0}]}, "sweep.search.start: optim.lr=1.0 is not among the values to search"),
        ({"start": [{"loss": "lsgan"}]}, "sweep.search.start: loss=lsgan is not among the values to search"),
    ],
)
def test_settings_that_cannot_be_meant_are_one_line(tmp_path: Path, given: dict[str, Any], line: str) -> None:
    with pytest.raises(UserError) as caught:
        search(tmp_path, **given)
    assert caught.value.lines == (line,)


def test_nothing_to_search_is_one_line(tmp_path: Path) -> None:
    found = Optuna(n_trials=1, metric="val/fd", sampler=optuna.samplers.RandomSampler)
    with pytest.raises(UserError, match="there is nothing to search: give a key several values"):
        found.begin(SweepCommand({}, (), (), Vocabulary(())), tmp_path)


def test_what_became_of_a_job_is_what_became_of_its_trial(tmp_path: Path) -> None:
    found = search(tmp_path, n_trials=8)
    ends: list[tuple[State, tuple[float, ...]]] = [
        ("finished", (3.0, 2.0)),
        ("finished", (math.nan,)),
        ("finished", (1.0, math.inf)),
        ("diverged", (1.0,)),
        ("killed", ()),
        ("refused", ()),
        ("pruned", (5.0,)),
        ("timed_out", (1.0,)),
    ]
    lines = []
    for state, values in ends:
        number = ask(found).number
        lines.append(found.tell(row(number, state), run(tmp_path, number, *values)))
    assert trials(found) == [
        *((COMPLETE, 2.0), (FAIL, None), (FAIL, None), (FAIL, None)),
        *((FAIL, None), (FAIL, None), (PRUNED, 5.0), (FAIL, None)),
    ]
    assert lines[1:3] == ["val/fd ended at nan", "val/fd ended at inf"]
    assert not any(lines[:1] + lines[3:])
    assert found.study.trials[0].intermediate_values == {10: 3.0, 20: 2.0}
    assert found.verdict().startswith("best of 8 trials is job 1: val/fd = 2 with optim.lr=")
    assert found.ask(1) is None


def test_a_metric_that_is_not_there_is_named_with_the_nearest_one(tmp_path: Path) -> None:
    found = search(tmp_path)
    proposal = ask(found)
    assert found.tell(row(proposal.number), run(tmp_path, 1, 1.0, metric="val/fd_n20")) == (
        "it has no val/fd: did you mean val/fd_n20?"
    )
    proposal = ask(found)
    assert found.tell(row(2), run(tmp_path, 2, 1.0, metric="train/x")) == "it has no val/fd: it logged no val/ metric"
    assert found.verdict() == "no trial of 2 ended with a val/fd"


def test_a_trial_is_pruned_at_equal_images(tmp_path: Path) -> None:
    found = search(tmp_path, n_trials=9, pruner=optuna.pruners.MedianPruner(n_startup_trials=2, n_warmup_steps=0))
    for value in (1.0, 2.0, 3.0):
        finish(found, tmp_path, value, value)
    good, bad = ask(found), ask(found)
    assert found.goes_on(good.number, run(tmp_path, good.number))
    assert found.goes_on(good.number, run(tmp_path, good.number, 1.5))
    assert not found.goes_on(bad.number, run(tmp_path, bad.number, 9.0))
    assert found.goes_on(good.number, run(tmp_path, good.number, 1.5, math.nan))
    assert found.study.trials[good.number - 1].intermediate_values == {10: 1.5}


def test_the_direction_counts(tmp_path: Path) -> None:
    found = search(tmp_path, direction="maximize")
    for value in (1.0, 3.0, 2.0):
        finish(found, tmp_path, value)
    assert "is job 2: val/fd = 3 " in found.verdict()
    with pytest.raises(UserError, match=r"sweep\.search\.direction=minimize, but the study in .* does the opposite"):
        search(tmp_path)


@pytest.mark.parametrize("space", [("loss=bce,hinge",), (*SPACE[:2], "loss=bce,lsgan")])
def test_a_study_of_something_else_is_not_taken_up(tmp_path: Path, space: tuple[str, ...]) -> None:
    finish(search(tmp_path), tmp_path, 1.0)
    with pytest.raises(UserError, match=r"searches something else .*: set another sweep\.name"):
        search(tmp_path, *space)


@pytest.mark.parametrize("drawn", [0, 1])
def test_a_trial_that_was_being_drawn_is_given_up(tmp_path: Path, drawn: int) -> None:
    found = search(tmp_path, *SPACE[:2], n_trials=2)
    trial = found.study.ask()
    for _ in range(drawn):
        trial.suggest_float("optim.lr", 1e-4, 1e-2, log=True)
    found = search(tmp_path, *SPACE[:2], n_trials=2)
    assert found.plan()[1] == 2
    found = search(tmp_path, *SPACE[:2], n_trials=2)
    assert [ask(found).number, ask(found).number] == [2, 3]
    assert found.ask(1) is None
    assert [state for state, _ in trials(found)] == [FAIL, RUNNING, RUNNING]


def test_what_was_running_goes_on_first_and_the_total_is_kept(tmp_path: Path) -> None:
    found = search(tmp_path)
    finish(found, tmp_path, 1.0)
    left = [ask(found), ask(found)]
    found = search(tmp_path)
    assert found.plan()[1] == 3
    found = search(tmp_path)
    assert [ask(found), ask(found)] == left
    assert ask(found).number == 4
    assert found.ask(1) is None
    assert [state for state, _ in trials(found)] == [COMPLETE, RUNNING, RUNNING, RUNNING]
    assert found.tell(row(2), run(tmp_path, 2, 5.0)) == ""
    assert trials(search(tmp_path, n_trials=9))[1] == (COMPLETE, 5.0)
    assert ask(search(tmp_path, n_trials=9)).number == 3


def test_no_slot_no_trial(tmp_path: Path) -> None:
    found = search(tmp_path)
    assert found.ask(0) is None
    assert found.ask(-1) is None
    assert trials(found) == []


def test_proposals_do_not_depend_on_being_stopped(tmp_path: Path) -> None:
    sampler = partial(optuna.samplers.TPESampler, n_startup_trials=2)
    for name in ("whole", "stopped", "other seed"):
        (tmp_path / name).mkdir()
    whole = search(tmp_path / "whole", n_trials=6, sampler=sampler)
    expected = [finish(whole, tmp_path, float(n % 5)).typed for n in range(6)]
    got = []
    for n in range(6):
        found = search(tmp_path / "stopped", n_trials=6, sampler=sampler)
        ask(found)
        got.append(finish(search(tmp_path / "stopped", n_trials=6, sampler=sampler), tmp_path, float(n % 5)).typed)
    assert got == expected
    other = search(tmp_path / "other seed", n_trials=6, sampler=sampler, seed=2)
    assert finish(other, tmp_path, 0.0).typed != expected[0]


def test_start_values_are_tried_first(tmp_path: Path) -> None:
    found = search(tmp_path, start=[{"optim.lr": 2e-4, "loss": "hinge", "model.width": 4}, {"loss": "bce"}])
    assert finish(found, tmp_path, 1.0).typed == ("optim.lr=0.0002", "model.width=4", "loss=hinge")
    assert "loss=bce" in ask(search(tmp_path, start=[{"loss": "bce"}])).typed
    assert len(found.study.trials) == 2


@pytest.mark.fault("sweep", "damaged study")
@pytest.mark.parametrize("damage", [lambda whole: bytes(len(whole)), lambda whole: whole[: len(whole) // 2]])
def test_a_damaged_study_is_one_line(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    found = search(tmp_path)
    ask(found)
    study = tmp_path / "study.db"
    study.write_bytes(damage(study.read_bytes()))
    for use in (lambda: ask(found), lambda: search(tmp_path), lambda: found.tell(row(1), run(tmp_path, 1, 1.0))):
        with pytest.raises(StorageError, match=r"the study in .*study\.db fails \(.*set another sweep\.name") as caught:
            use()
        assert "\n" not in str(caught.value)


# Whole sweeps

SEARCH = ["sweep/search=optuna", "optim.lr=tag(log,interval(1e-4,1e-2))", "sweep.search.metric=train/generator/lr"]


def test_a_study_from_the_command_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert sweep(tmp_path, *SEARCH, "sweep.search.n_trials=2", "sweep.search.start=[{optim.lr:0.0002}]") == 0
    rows = last(tmp_path)
    assert [row.state for row in rows.values()] == ["finished", "finished"]
    assert next(iter(rows)) == "optim.lr=0.0002"
    captured = capfd.readouterr()
    assert "best of 2 trials is job " in captured.out
    assert "train/generator/lr = " in captured.out
    assert "Warning" not in captured.err
    before = ledger(tmp_path)
    assert sweep(tmp_path, *SEARCH, "sweep.search.n_trials=2") == 0
    assert ledger(tmp_path) == before
    assert capfd.readouterr().out.count("finished") == 2
    assert (run_of(tmp_path, before[-1]).path.parent / "study.db").is_file()


@pytest.mark.slow
def test_a_study_that_is_killed_is_completed_to_its_total(tmp_path: Path) -> None:
    process: subprocess.Popen[str] = driver(tmp_path, *SEARCH, "sweep.search.n_trials=4", "sweep.engine.slots=2")
    while sum(row.state == "finished" for row in ledger(tmp_path)) < 1:
        time.sleep(0.02)
    process.kill()
    process.communicate(timeout=60)
    assert sweep(tmp_path, *SEARCH, "sweep.search.n_trials=4", "sweep.engine.slots=2") == 0
    assert [row.state for row in last(tmp_path).values()] == ["finished"] * 4
    assert {row.number for row in ledger(tmp_path)} == {1, 2, 3, 4}
    study = optuna.load_study(study_name="freqgan", storage=f"sqlite:///{tmp_path / 'tiny' / 'it' / 'study.db'}")
    assert [trial.state for trial in study.trials] == [COMPLETE] * 4
