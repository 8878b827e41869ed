"""A search by Optuna: the study lies in the sweep's folder and goes on where it was stopped.

A trial is a job. Its intermediate values are the rows that its run writes, at their images seen; a trial that the
pruner gives up is stopped with a checkpoint. Trial n is drawn by a fresh sampler whose seed depends on n, so that a
study that was stopped proposes what it would have proposed.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar, final

import numpy as np
from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, Override, QuotedString, RangeSweep

from freqgan.config.sweeping import SweepCommand, assignment, typed
from freqgan.errors import StorageError, UserError
from freqgan.limits import Count, Natural
from freqgan.runs.directory import RunDirectory
from freqgan.suggest import hint
from freqgan.sweeps.engines import needed
from freqgan.sweeps.ledger import Row
from freqgan.sweeps.search import Proposal, Search

NAME, STUDY = "freqgan", "study.db"
_Given = ParamSpec("_Given")
_Found = TypeVar("_Found")


def _of_the_study(
    method: Callable[Concatenate["Optuna", _Given], _Found],
) -> Callable[Concatenate["Optuna", _Given], _Found]:
    """The same with a StorageError where the study's file is damaged, or its disk full."""

    @wraps(method)
    def told(self: "Optuna", /, *arguments: _Given.args, **named: _Given.kwargs) -> _Found:
        from sqlalchemy.exc import SQLAlchemyError

        try:
            return method(self, *arguments, **named)
        except (SQLAlchemyError, self.optuna.exceptions.StorageInternalError) as error:
            reason = str(error.__cause__ or error).splitlines()[0]
            fix = "free some space, or set another sweep.name where it is damaged"
            raise StorageError(f"the study in {self.folder / STUDY} fails ({reason}): {fix}") from error

    return told


@final
class Optuna(Search):
    """Proposes values by an Optuna study.

    Args:
        n_trials: in all, those of earlier times included.
        metric: key of `metrics.jsonl`; a trial's result is its last value.
        direction: of better values.
        sampler: makes an Optuna sampler from `seed`.
        pruner: an Optuna pruner; None lets every trial end.
        start: values of the first trials, by key; what a trial leaves out is sampled.
        seed: of the proposals.

    Raises:
        UserError: optuna is not installed.
    """

    def __init__(
        self,
        *,
        n_trials: Count,
        metric: str,
        direction: Literal["minimize", "maximize"] = "minimize",
        sampler: Callable[..., Any],
        pruner: Any = None,
        start: Sequence[Mapping[str, Any]] = (),
        seed: Natural = 1,
    ) -> None:
        self.optuna = needed("optuna", "optuna")
        self.optuna.logging.set_verbosity(self.optuna.logging.WARNING)
        self.total, self.metric, self.direction = n_trials, metric, direction
        self.sampler, self.pruner = sampler, pruner or self.optuna.pruners.NopPruner()
        self.start, self.seed = start, seed
        self.folder = Path()
        self._trials: dict[int, Any] = {}  # by the number of the job

    @_of_the_study
    def begin(self, command: SweepCommand, folder: Path) -> None:
        """Opens the study; trials that were running when it was left are proposed first, to go on."""
        if not command.swept:
            raise UserError(
                "there is nothing to search: give a key several values, as in 'optim.lr=interval(1e-4, 1e-2)'"
            )
        self.folder = folder
        self.keys = {o.key_or_group: str(o.get_key_element()) for o in command.swept}
        self.space = {o.key_or_group: distribution(self.optuna, o) for o in command.swept}
        if lines := list(self._wrong_starts()):
            raise UserError(*lines)
        self.study = self.optuna.create_study(
            study_name=NAME,
            storage=f"sqlite:///{(folder / STUDY).absolute()}",
            direction=self.direction,
            pruner=self.pruner,
            load_if_exists=True,
        )
        trials = self._drawn()
        self._refuse_another_search(trials, folder)
        for trial in self.study.trials:
            if trial.state == self.optuna.trial.TrialState.RUNNING and self._is_half_drawn(trial):
                self.study.tell(trial.number, state=self.optuna.trial.TrialState.FAIL)
        if not trials:
            for values in self.start:
                self.study.enqueue_trial(dict(values))
        running = [trial for trial in trials if trial.state == self.optuna.trial.TrialState.RUNNING]
        self._left = [self.optuna.trial.Trial(self.study, trial._trial_id) for trial in running]

    @_of_the_study
    def plan(self) -> tuple[list[Proposal], int]:
        """The next trial stands for all: what the others are depends on results."""
        left = self.total - sum(trial.state.is_finished() for trial in self._drawn())
        proposal = self.ask(1)
        return ([proposal] if proposal else []), left

    @_of_the_study
    def ask(self, free: int) -> Proposal | None:
        """A trial for a free slot: the later it is drawn, the more results it is drawn from."""
        if free < 1:
            return None
        trial = self._left.pop(0) if self._left else self._new()
        if trial is None:
            return None
        self._trials[trial.number + 1] = trial
        return Proposal(trial.number + 1, tuple(assignment(self.keys[key], trial.params[key]) for key in self.space))

    @_of_the_study
    def goes_on(self, number: int, run: RunDirectory) -> bool:
        """Reports values that are new, and asks the pruner."""
        trial = self._trials[number]
        self._report(trial, run)
        return not trial.should_prune()

    @_of_the_study
    def tell(self, row: Row, run: RunDirectory) -> str:
        """Completes, prunes or fails the trial; a value that is not a finite number fails it."""
        trial = self._trials.pop(row.number, None)
        states = self.optuna.trial.TrialState
        if trial is None:
            return ""
        values = self._report(trial, run)
        if row.state == "pruned":
            self.study.tell(trial, state=states.PRUNED)
        elif row.state == "finished" and values and math.isfinite(values[-1]):
            self.study.tell(trial, values[-1])
        else:
            self.study.tell(trial, state=states.FAIL)
            if row.state == "finished":
                return self._complaint(values, run)
        return ""

    def verdict(self) -> str:
        """The best trial."""
        done = self.study.get_trials(deepcopy=False, states=[self.optuna.trial.TrialState.COMPLETE])
        if not done:
            return f"no trial of {len(self.study.trials)} ended with a {self.metric}"
        best = self.study.best_trial
        values = " ".join(assignment(key, value) for key, value in best.params.items())
        result = f"{self.metric} = {best.value:.4g} with {values}"
        return f"best of {len(self.study.trials)} trials is job {best.number + 1}: {result}"

    def _new(self) -> Any:
        """A new trial; None when there have been enough."""
        trials, drawn = self.study.trials, self._drawn()
        waiting = sum(trial.state == self.optuna.trial.TrialState.WAITING for trial in trials)
        if len(drawn) - waiting >= self.total:
            return None
        seed = np.random.SeedSequence((self.seed, len(trials) - waiting)).generate_state(1)[0]
        self.study.sampler = self.sampler(seed=int(seed))
        return self.study.ask(self.space)

    def _drawn(self) -> list[Any]:
        """The study's trials; those that a sweep died in drawing have some of the values and no run."""
        return [trial for trial in self.study.trials if not self._is_half_drawn(trial)]

    def _is_half_drawn(self, trial: Any) -> bool:
        states = self.optuna.trial.TrialState
        return trial.state in (states.RUNNING, states.FAIL) and trial.params.keys() < self.space.keys()

    def _report(self, trial: Any, run: RunDirectory) -> list[float]:
        """Tells the study all values of the metric that it does not know yet; returns all."""
        rows = [(row["images_seen"], float(row[self.metric])) for row in run.metrics if self.metric in row]
        known = self.study.trials[trial.number].intermediate_values
        for images, value in rows:
            if images not in known and math.isfinite(value):
                trial.report(value, images)
        return [value for _, value in rows]

    def _complaint(self, values: list[float], run: RunDirectory) -> str:
        """Why a job that finished is no result."""
        if values:
            return f"{self.metric} ended at {values[-1]}"
        names = {key for row in run.metrics for key in row if key.startswith("val/")}
        return f"it has no {self.metric}: {hint(self.metric, names) if names else 'it logged no val/ metric'}"

    def _wrong_starts(self) -> Iterator[str]:
        """What cannot be tried first."""
        for key, value in (item for values in self.start for item in values.items()):
            if key not in self.space:
                yield f"sweep.search.start: {key} is not searched, {hint(key, self.space)}"
            elif not contains(self.space[key], value):
                yield f"sweep.search.start: {key}={value} is not among the values to search"

    def _refuse_another_search(self, trials: Sequence[Any], folder: Path) -> None:
        """A study goes on with the direction, keys and choices that it began with."""
        if self.study.direction.name.lower() != self.direction:
            raise UserError(f"sweep.search.direction={self.direction}, but the study in {folder} does the opposite")
        for trial in trials:
            try:
                if trial.distributions and trial.distributions.keys() != self.space.keys():
                    raise ValueError("other keys")
                for key, old in trial.distributions.items():
                    self.optuna.distributions.check_distribution_compatibility(old, self.space[key])
            except ValueError as error:
                raise UserError(
                    f"the study in {folder} searches something else ({error}): set another sweep.name"
                ) from error


def contains(space: Any, value: Any) -> bool:
    """Whether a distribution can give a value."""
    try:
        return bool(space._contains(space.to_internal_repr(value)))
    except (TypeError, ValueError):
        return False


def distribution(optuna: Any, override: Override) -> Any:
    """Optuna's distribution for the values of an override.

    Raises:
        UserError: it has none.
    """
    value, log = override.value(), "log" in getattr(override.value(), "tags", ())
    kinds = optuna.distributions
    try:
        if isinstance(value, IntervalSweep):
            whole = all(isinstance(end, int) for end in (value.start, value.end))
            return (kinds.IntDistribution if whole else kinds.FloatDistribution)(value.start, value.end, log=log)
        if isinstance(value, RangeSweep) and (numbers := list(override.sweep_iterator())):
            kind = kinds.IntDistribution if isinstance(numbers[0], int) else kinds.FloatDistribution
            return kind(numbers[0], numbers[-1], log=log, step=value.step)
        if isinstance(value, ChoiceSweep):
            choices = [v.text if isinstance(v, QuotedString) else v for v in value.list]
            if all(isinstance(choice, str | int | float | None) for choice in choices):
                return kinds.CategoricalDistribution(choices)
    except ValueError as error:
        raise UserError(f"{typed(override)}: Optuna refuses it ({error})") from error
    kinds_of_values = "choice(a, b) of words and numbers, range(a, b) or interval(a, b)"
    raise UserError(f"{typed(override)}: Optuna cannot search it, write {kinds_of_values}")
