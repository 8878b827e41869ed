"""Variants: runs that learn under the same settings, but for their seeds; named by what sets them apart."""

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import yaml

from freqgan.comparison.run import Run
from freqgan.comparison.settings import ABSENT, Flat, differing, flatten, learned_by, leaves_below, show
from freqgan.vocabulary import Vocabulary

TARGET = "_target_"


@final
@dataclass(frozen=True)
class Variant:
    """Runs that differ in nothing but their seeds.

    Args:
        name: the settings that set it apart, as on a command line.
        runs: in the order in which they were read.
        settings: values of the keys that differ between variants.
    """

    name: str
    runs: tuple[Run, ...]
    settings: Mapping[str, str]

    @cached_property
    def seeds(self) -> list[int]:
        """Of its runs, sorted."""
        return sorted({run.seed for run in self.runs if run.seed is not None})

    @property
    def states(self) -> Counter[str]:
        """How many of its runs are in which state."""
        return Counter(run.state for run in self.runs)


def variants_of(runs: Sequence[Run]) -> list[Variant]:
    """Groups runs by their settings, in the order of each group's first run.

    A job without a config joins the runs of the same sweep overrides, or else is a variant of its own.
    """
    settings = {run.place: learned_by(run.config) for run in runs if run.config}
    groups: dict[Any, list[Run]] = {}
    swept: dict[Any, str] = {}
    for run in runs:
        if run.config:
            key = show(dict(sorted(settings[run.place].items())))
            groups.setdefault(key, []).append(run)
            swept.setdefault(_job(run), key)
    for run in runs:
        if not run.config:
            groups.setdefault(swept.get(_job(run), _job(run)), []).append(run)
    order = {run.place: position for position, run in enumerate(runs)}
    found = sorted(groups.values(), key=lambda group: min(order[run.place] for run in group))
    flats = [next((settings[run.place] for run in group if run.config), {}) for group in found]
    keys = differing([flat for flat in flats if flat])
    names = _rounded(_from_overrides(found) or _from_settings(found, flats, keys))
    return [
        Variant(name, tuple(group), {key: show(flat[key]) if key in flat else ABSENT for key in keys})
        for name, group, flat in zip(_unique(names), found, flats, strict=True)
    ]


def _job(run: Run) -> tuple[str, ...]:
    """What a job and its repetitions with other seeds have in common; a run outside of a sweep has it alone."""
    return (run.place,) if run.overrides is None else (os.path.dirname(run.place), *_without_seed(run))


def _without_seed(run: Run) -> tuple[str, ...]:
    return tuple(text for text in run.overrides or () if not text.startswith("seed="))


def _from_overrides(groups: Sequence[Sequence[Run]]) -> list[str] | None:
    """What a sweep set for each group, if that tells the groups apart and says the same within each."""
    said = [{_without_seed(run) for run in group} for group in groups]
    if any(len(texts) != 1 for texts in said) or any(run.overrides is None for group in groups for run in group):
        return None
    texts = [next(iter(one)) for one in said]
    if len(set(texts)) < len(groups):
        return None
    shared = set.intersection(*map(set, texts)) if len(groups) > 1 else set()
    names = [" ".join(text for text in one if text not in shared) for one in texts]
    return names if all(names) else None


def _from_settings(groups: Sequence[Sequence[Run]], flats: Sequence[Flat], keys: Sequence[str]) -> list[str]:
    """The values of the keys that differ; a whole group of the config is named by its option."""
    options = {
        key.removesuffix(f".{TARGET}"): _options(key.removesuffix(f".{TARGET}"))
        for key in keys
        if key.endswith(f".{TARGET}") and key.count(".") == 1
    }
    names = []
    for group, flat in zip(groups, flats, strict=True):
        if not flat:
            names.append(" ".join(_without_seed(group[0])) or group[0].name)
            continue
        words = [_chosen(name, flat, options[name], keys) for name in options]
        rest = [key for key in keys if key.partition(".")[0] not in options]
        words += [[f"{_plain(key)}={_value(flat, key)}"] for key in rest if key in flat or len(keys) == 1]
        names.append(" ".join(word for some in words for word in some) or str(group[0].config.get("name", "run")))
    return names


def _chosen(name: str, flat: Flat, options: Mapping[str, Flat], keys: Sequence[str]) -> list[str]:
    """`transform=wavelet_haar`, followed by what differs from the option and between the variants."""
    node = dict(leaves_below(flat, name))
    if not node:
        return [f"{name}=none"]
    same = {option: leaves for option, leaves in options.items() if leaves.get(TARGET) == node[TARGET]}
    if not same:
        option, leaves = str(node[TARGET]).rpartition(".")[2], {TARGET: node[TARGET]}
    else:
        option, leaves = min(same.items(), key=lambda item: len(_unlike(node, item[1])))
    unlike = [key for key in _unlike(node, leaves) if f"{name}.{key}" in keys]
    return [f"{name}={option}", *(f"{name}.{key}={show(node[key])}" for key in unlike)]


def _unlike(node: Flat, option: Flat) -> list[str]:
    """Leaves of a node that an option leaves out or sets otherwise; what the option refers to is like anything."""
    return [key for key, value in node.items() if option.get(key) != value and "${" not in str(option.get(key))]


def _options(group: str) -> dict[str, Flat]:
    """The options of a group of the vocabulary as leaves."""
    words = Vocabulary.here()
    found: dict[str, Flat] = {}
    for name in words.options(group):
        file = next(file for folder in words.folders if (file := folder / group / f"{name}.yaml").is_file())
        content: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
        if isinstance(content, dict):
            found[name] = flatten(content)
    return found


def _plain(key: str) -> str:
    return key.removesuffix(f".{TARGET}")


def _value(flat: Flat, key: str) -> str:
    if key not in flat:
        return ABSENT
    return str(flat[key]).rpartition(".")[2] if key.endswith(TARGET) else show(flat[key])


def _rounded(names: Sequence[str]) -> Sequence[str]:
    """Names with four digits of each number, as a search draws them with sixteen; as they are if some would be equal.

    >>> _rounded(["lr=0.0010664800014 loss=hinge", "lr=0.0004 loss=hinge"])
    ['lr=0.001066 loss=hinge', 'lr=0.0004 loss=hinge']
    """
    short = [re.sub(r"(?<==)-?\d+\.\d{6,}(e-?\d+)?(?= |$)", lambda m: f"{float(m[0]):.4g}", name) for name in names]
    return short if len(set(short)) == len(set(names)) else names


def _unique(names: Sequence[str]) -> list[str]:
    """Names, counted where two are equal."""
    seen: Counter[str] = Counter()
    unique = []
    for name in names:
        seen[name] += 1
        unique.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return unique
