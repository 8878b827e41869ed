"""Configs side by side: the settings that differ, those of them that make a variant, and those that do not."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from freqgan.comparison.run import Run
from freqgan.runs.resume import NOT_COMPARED, NOT_COMPARED_OF_DATA

# What says when something is written or judged, but does not change what is learned; `metrics` has its own check.
WATCHING = ("name", "evaluation", "samples", "checkpoint", "log_every_steps", "metrics")
ASIDE = frozenset((*NOT_COMPARED, *WATCHING))
ASIDE_OF_DATA = frozenset(NOT_COMPARED_OF_DATA)
FACTS = ("versions", "machine", "git")  # of a run's record
ABSENT = "–"

Flat = dict[str, Any]


def flatten(node: Mapping[str, Any], prefix: str = "") -> Flat:
    """Every leaf of a config by its dotted key; lists are leaves.

    >>> flatten({"optim": {"lr": 1, "generator": {}}, "tags": ["a"]})
    {'optim.lr': 1, 'tags': ['a']}
    """
    leaves: Flat = {}
    for key, value in node.items():
        if isinstance(value, Mapping):
            leaves |= flatten(value, f"{prefix}{key}.")
        else:
            leaves[f"{prefix}{key}"] = value
    return leaves


def learned_by(config: Mapping[str, Any]) -> Flat:
    """The settings that make a variant: all that can change what is learned, but for the seed."""
    kept = {key: value for key, value in config.items() if key not in ASIDE}
    if isinstance(kept.get("data"), Mapping):
        kept["data"] = {key: value for key, value in kept["data"].items() if key not in ASIDE_OF_DATA}
    seed = config.get("seed")
    return {key: value for key, value in flatten(kept).items() if not _is_seed(key, value, seed)}


def _is_seed(key: str, value: object, seed: object) -> bool:
    """Whether a setting is the run's seed, or refers to it."""
    return key == "seed" or (key.endswith(".seed") and value == seed)


def aside(runs: Sequence[Run]) -> dict[str, list[Any]]:
    """Settings and facts that differ and make no variant: places, machines, versions; each with all its values."""
    columns = []
    for run in runs:
        config = {key: value for key, value in run.config.items() if key in ASIDE and key != "metrics"}
        data = run.config.get("data")
        if isinstance(data, Mapping):
            config["data"] = {key: value for key, value in data.items() if key in ASIDE_OF_DATA}
        facts = {key: run.record[key] for key in FACTS if isinstance(run.record.get(key), Mapping)}
        if config or facts:
            columns.append(flatten(config | facts))
    return {key: distinct(column.get(key) for column in columns) for key in differing(columns)}


def differing(columns: Sequence[Flat]) -> list[str]:
    """Keys whose values are not the same in all columns; of keys that always go together the shortest one.

    >>> differing([{"data.size": 1, "model.size": 1, "lr": 5}, {"data.size": 2, "model.size": 2, "lr": 5}])
    ['data.size']
    """
    keys = dict.fromkeys(key for column in columns for key in column)
    found: dict[tuple[str, ...], str] = {}
    for key in keys:
        texts = [show(column[key]) if key in column else None for column in columns]
        if len(set(texts)) > 1:
            together = (key.rpartition(".")[2], *map(str, texts))
            found[together] = min(found.get(together, key), key, key=len)
    return list(found.values())


def distinct(values: Iterable[Any]) -> list[Any]:
    """Values in the order of their first appearance, each once."""
    return list({show(value): value for value in values}.values())


def show(value: object) -> str:
    """A setting as it is written on a command line.

    >>> show(None), show(True), show("a"), show([1, "b"]), show(0.0001)
    ('null', 'true', 'a', '[1,b]', '0.0001')
    """
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple):
        return f"[{','.join(map(show, value))}]"
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{key}:{show(item)}' for key, item in value.items())}}}"
    return json.dumps(value, default=str, ensure_ascii=False)


def leaves_below(flat: Flat, prefix: str) -> Iterator[tuple[str, Any]]:
    """The leaves of one node, with their keys in it."""
    start = f"{prefix}."
    return ((key.removeprefix(start), value) for key, value in flat.items() if key.startswith(start))
