"""Which runs can be compared at all: those on the same data, judged in the same way."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from freqgan.comparison.measures import OF_A_MODEL, measured
from freqgan.comparison.run import Run
from freqgan.errors import UserError

FREE = ("batch_size", "crops")  # settings of a protocol that do not change a number


def incomparable(runs: Sequence[Run]) -> dict[str, str]:
    """What sets runs apart from most of the others, by their places; where none are more, the first one counts."""
    reasons: dict[str, str] = {}
    for fact in (_data, _protocol, *map(_name_of, _kinds(runs))):
        said = {run.place: value for run in runs if (value := fact(run)) is not None}
        if len(set(said.values())) < 2:
            continue
        usual = Counter(said.values()).most_common(1)[0][0]
        other = next(run for run in runs if said.get(run.place) == usual)
        for run in runs:
            if said.get(run.place, usual) != usual:
                reasons.setdefault(run.place, f"{said[run.place]}, but {other.name} {usual}")
    return reasons


def refuse(runs: Sequence[Run], reasons: Mapping[str, str]) -> None:
    """Raises if there is a reason.

    Raises:
        UserError: one line that names both sides of the first reason, and the remedy.
    """
    apart = [run for run in runs if run.place in reasons]
    if not apart:
        return
    more = f" ({len(apart) - 1} more runs differ as well)" if len(apart) > 1 else ""
    raise UserError(
        f"these runs cannot be compared: {apart[0].name} {reasons[apart[0].place]}{more}: "
        "leave some out, or show them apart with incomparable=mark"
    )


def _data(run: Run) -> str | None:
    fingerprint = run.record.get("data_fingerprint")
    return f"was trained on the data {fingerprint}" if fingerprint else None


def _protocol(run: Run) -> str | None:
    """The settings of the evaluation, where anything was evaluated."""
    node = run.config.get("metrics")
    if not run.metrics or not isinstance(node, Mapping):
        return None
    kept = {key: value for key, value in node.items() if key not in FREE}
    return f"was judged by {_words(kept)}"


def _words(node: Mapping[str, Any]) -> str:
    name = str(node.get("_target_", "a protocol")).rpartition(".")[2]
    inside = ", ".join(
        f"{key}={_words(value) if isinstance(value, Mapping) else json.dumps(value, default=str)}"
        for key, value in node.items()
        if key != "_target_"
    )
    return f"{name}({inside})"


def _kinds(runs: Sequence[Run]) -> list[tuple[str, str]]:
    known = dict.fromkeys(measured(metric) for run in runs for metric in run.metrics)
    return [kind for kind in known if kind is not None and kind[0] != OF_A_MODEL]


def _name_of(kind: tuple[str, str]) -> Callable[[Run], str | None]:
    """How a run's metric of a kind is called, protocol included."""

    def name(run: Run) -> str | None:
        names = [metric for metric in run.metrics if measured(metric) == kind]
        return f"measured {' and '.join(names)}" if names else None

    return name
