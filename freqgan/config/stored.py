"""Configs out of run directories and checkpoints: whoever wrote them does not choose what runs here.

A stored config is plain data without references, and every `_target_` in it is one of the exact names that
the shipped `conf/` uses, or one that the user allows by hand.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from freqgan.config.targets import TARGET, TargetError, locate
from freqgan.config.wording import join, show
from freqgan.errors import UserError
from freqgan.vocabulary import shipped_conf

LARGEST = 1 << 20  # bytes of a config file
MOST = 100_000  # values in a config: by YAML's aliases few bytes can be many values
NOT_STORED = "sweep"  # the group that starts jobs and is no part of theirs


def check_stored(config: Mapping[str, Any], allow: Sequence[str] = ()) -> None:
    """Refuses a config that could make this process run or read what its user did not choose.

    Args:
        config: as it was stored, nothing resolved.
        allow: names of the user's own classes that it may build besides those of the shipped `conf/`.

    Raises:
        UserError: a line for each value that is not plain data, for each reference `${…}`, and for each
            `_target_` that is not an allowed name, or whose object lives in another package than it says.
    """
    allowed = shipped_targets() | set(allow)
    lines: list[str] = []
    for count, (path, key, value) in enumerate(_walk("", None, config)):
        if count == MOST:
            raise UserError(f"a stored config has at most {MOST} values")
        if not isinstance(key, str | int | None) or "${" in str(key):
            lines.append(f"{path}: {show(key)} cannot be a key of a stored config")
        if key == TARGET:
            lines += _refused(value, path, allowed)
        elif isinstance(value, str) and "${" in value:
            lines.append(f"{path}={show(value)}: a stored config holds values, no references")
        elif not isinstance(value, str | int | float | Mapping | list | None):
            lines.append(f"{path}: a stored config is plain data, got {type(value).__name__}")
    if lines:
        raise UserError(*lines)


def load_run(run: str | Path, allow: Sequence[str] = ()) -> dict[str, Any]:
    """The checked config of a run directory.

    Raises:
        UserError: there is no such run (the nearest one is named), or `check_stored` refuses its config.
    """
    file = Path(run) / "config.yaml"
    if not file.is_file():
        lack = "has no config.yaml" if Path(run).is_dir() else "is no directory"
        raise UserError(f"run={run} {lack}: {_nearest_run(Path(run))}")
    if file.stat().st_size > LARGEST:
        raise UserError(f"{file} is larger than {LARGEST} bytes: it is not the config of a run")
    try:
        config = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{file} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(config, dict):
        raise UserError(f"{file} is not the config of a run: wanted a mapping of keys to values")
    check_stored(config, allow)
    return config


@lru_cache(maxsize=1)
def shipped_targets() -> frozenset[str]:
    """Every `_target_` in the YAML files of the shipped `conf/` that a run's config can hold."""
    conf = shipped_conf()
    files = (file for file in conf.rglob("*.yaml") if file.relative_to(conf).parts[0] != NOT_STORED)
    documents = (yaml.safe_load(file.read_text(encoding="utf-8")) for file in files)
    return frozenset(value for document in documents for _, key, value in _walk("", None, document) if key == TARGET)


def _walk(path: str, key: Any, value: Any) -> Iterator[tuple[str, Any, Any]]:
    """Path, key and value of everything in a config."""
    yield path, key, value
    inside = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for name, item in inside:
        yield from _walk(join(path, name), name, item)


def _refused(name: Any, path: str, allowed: Collection[str]) -> Iterator[str]:
    """Why a target may not be built. Its name is compared before anything is imported for it."""
    if not isinstance(name, str) or name not in allowed:
        yield f"{path}={show(name)} is not in the shipped conf: set 'allow=[{show(name)}]' if you trust it"
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
