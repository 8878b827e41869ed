"""Configs out of run directories and checkpoints: whoever wrote them does not choose what runs here.

A stored config is plain data without references, and without instructions to Hydra, to which verbs hand parts of it.
Every `_target_` in it is one of the exact names that the shipped `conf/` uses, or one that the user allows by hand.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import ConfigDict

from freqgan.config.places import place_problems
from freqgan.config.schema import Node, Section, Seed, root_problems
from freqgan.config.signature import node_problems
from freqgan.config.targets import PARTIAL, PARTS, TARGET, TargetError, is_node, locate
from freqgan.config.wording import join, show
from freqgan.errors import UserError
from freqgan.runs.directory import RunDirectory
from freqgan.runs.plain_yaml import parse, read_yaml
from freqgan.vocabulary import shipped_conf

MOST = 100_000  # values in a config: by YAML's aliases few bytes can be many values
NOT_STORED = "sweep"  # the group that starts jobs and is no part of theirs
GIVEN = ("data.cache_dir",)  # which verbs set from `paths`
SYSTEM = "freqgan.systems.System"  # what a model is
MOVED = {"freqgan.systems.ImageTextEncoder": dict.fromkeys(("gamma1", "gamma2", "gamma3"), "encoders")}
"""Arguments of older runs' models that are arguments of one of their parts today."""


class Stored(Section):
    """What of a training config other verbs build; the rest of it is not theirs, and may be of another version."""

    model_config = ConfigDict(extra="ignore")

    data: Node
    model: Node
    transform: Node | None = None
    loss: Node | None = None
    optim: Node | None = None
    metrics: Node | None = None
    seed: Seed


def check_stored(config: Mapping[str, Any], allow_targets: Sequence[str] = ()) -> None:
    """Refuses a config that could make this process run or read what its user did not choose.

    Args:
        config: as it was stored, nothing resolved.
        allow_targets: names of the user's own classes that it may build besides those of the shipped `conf/`.

    Raises:
        UserError: a line for each value that is not plain data, for each reference `${…}`, for each key that Hydra
            would obey, and for each `_target_` that is not an allowed name, or whose object lives in another package
            than it says.
    """
    allowed = shipped_targets() | set(allow_targets)
    lines: list[str] = []
    for count, (path, key, value) in enumerate(_walk("", None, config)):
        if count == MOST:
            raise UserError(f"a stored config has at most {MOST} values")
        if not isinstance(key, str | int | None) or "${" in str(key) or _obeyed(str(key)):
            lines.append(f"{path}: {show(key)} cannot be a key of a stored config")
        if key == TARGET:
            lines += _refused(value, path, allowed)
        elif isinstance(value, str) and "${" in value:
            lines.append(f"{path}={show(value)}: a stored config holds values, no references")
        elif not isinstance(value, str | int | float | Mapping | list | None):
            lines.append(f"{path}: a stored config is plain data, got {type(value).__name__}")
    if lines:
        raise UserError(*lines)


def load_run(
    run: str | Path,
    allow_targets: Sequence[str] = (),
    *,
    groups: Collection[str] = (),
    given: Collection[str] = (),
) -> dict[str, Any]:
    """The checked config of a run directory.

    Args:
        run: the directory.
        allow_targets: names of the user's own classes that it may build, and places that it may name.
        groups: those that are to be built: their arguments are held against their classes, and their places may be
            such as nobody else chooses, see `place_problems`.
        given: config paths that the command line sets, which may be any places.

    Raises:
        UserError: there is no such run (the nearest one is named), or something in it is not as freqgan writes it.
    """
    path = Path(run)
    file = path / "config.yaml"
    if not file.is_file():
        lack = "has no config.yaml" if path.is_dir() else "is no directory"
        raise UserError(f"run={run} {lack}: {_nearest_run(path)}")
    RunDirectory(path).refuse_links()
    config = read_yaml(file)
    check_stored(config, allow_targets)
    _bring_up_to_date(config)
    lines = list(_misfits(config, groups, allow_targets)) if groups else []
    for group in groups:
        places = place_problems(config.get(group), group, path, trusted=allow_targets, given=(*given, *GIVEN))
        lines += [path_ + text for path_, text in places]
    if lines:
        raise UserError(*(f"{file}: {line}" for line in lines))
    return config


def _bring_up_to_date(config: Mapping[str, Any]) -> None:
    """Puts settings of an older run where they belong today."""
    model = config.get("model")
    if not isinstance(model, dict):
        return
    for name, part in MOVED.get(str(model.get(TARGET)), {}).items():
        if name in model and isinstance(model.get(part), dict):
            model[part].setdefault(name, model.pop(name))


def _misfits(config: Mapping[str, Any], groups: Collection[str], trusted: Collection[str]) -> Iterator[str]:
    """One line for each key that building would stumble over."""
    problems = list(root_problems(config, Stored))
    if not problems:
        given = {"model": [name for name in PARTS if config.get(name) is not None]}
        problems += node_problems({group: config.get(group) for group in groups}, given=given)
    yield from (path + text for path, text in problems)
    if not problems and "model" in groups:
        kind = locate(config["model"][TARGET]) if is_node(config["model"]) else None
        own = kind is not None and config["model"][TARGET] in trusted  # who names a class answers for it
        if not own and not (isinstance(kind, type) and issubclass(kind, locate(SYSTEM))):
            yield f"model={show(config['model'].get(TARGET))}: wanted one of {SYSTEM}"


@lru_cache(maxsize=1)
def shipped_targets() -> frozenset[str]:
    """Every `_target_` in the YAML files of the shipped `conf/` that a run's config can hold."""
    conf = shipped_conf()
    files = (file for file in conf.rglob("*.yaml") if file.relative_to(conf).parts[0] != NOT_STORED)
    documents = (parse(file.read_text(encoding="utf-8")) for file in files)
    return frozenset(value for document in documents for _, key, value in _walk("", None, document) if key == TARGET)


def _walk(path: str, key: Any, value: Any) -> Iterator[tuple[str, Any, Any]]:
    """Path, key and value of everything in a config."""
    yield path, key, value
    inside = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for name, item in inside:
        yield from _walk(join(path, name), name, item)


def _obeyed(key: str) -> bool:
    """Whether a key is an instruction: `defaults` puts parts of a config anywhere, into Hydra's own settings too.

    `_args_` is one too: arguments without names could be places that nobody knows of.
    """
    return key == "defaults" or (key.startswith("_") and key not in (TARGET, PARTIAL))


def _refused(name: Any, path: str, allowed: Collection[str]) -> Iterator[str]:
    """Why a target may not be built. Its name is compared before anything is imported for it."""
    if not isinstance(name, str) or name not in allowed:
        yield f"{path}={show(name)} is not in the shipped conf: set 'allow_targets=[{show(name)}]' if you trust it"
        return
    try:
        home = str(locate(name).__module__)
    except TargetError as error:
        yield f"{path}={name}: {error}"
        return
    if home.partition(".")[0] != name.partition(".")[0]:
        yield f"{path}={name} is another name for something in {home}: a stored config uses its own name"


def _nearest_run(run: Path) -> str:
    """The run closest to a path that is none: in it, beside it, or in what lies beside its parent."""
    for folder in (run, run.parent, run.parent.parent):
        runs = [str(file.parent) for depth in ("*", "*/*") for file in sorted(folder.glob(f"{depth}/config.yaml"))]
        if runs:
            return f"did you mean run={get_close_matches(str(run), runs, n=1, cutoff=0.0)[0]}?"
    return "`freqgan runs` lists those there are"
