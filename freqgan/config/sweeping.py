"""A sweep's command line: Hydra's grammar reads and expands it; its launchers have no part in it."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, final

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.utils import create_config_search_path
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString

from freqgan.config import check, resolve
from freqgan.config.application import compose
from freqgan.config.overrides import CommandLine, Request
from freqgan.config.rules import folders_can_be_written
from freqgan.config.schema import SweepRoot
from freqgan.config.targets import TARGET
from freqgan.errors import UserError
from freqgan.vocabulary import Vocabulary, shipped_conf

SECTION = "sweep"
NOT_COMPARED = ("paths", "hardware", "logger", "tags", "group", "job_type")  # they name places, not experiments
SPECIAL = ("null", "true", "false", "nan", "inf")  # words that Hydra reads as something else than text
Values = tuple[str, ...]


@final
@dataclass(frozen=True)
class SweepCommand:
    """What a sweep is asked to do.

    Attributes:
        settings: the section `sweep`, as plain data.
        fixed: overrides that all jobs share.
        swept: overrides with several values.
        words: groups and options there are.
        config_dir: of `--config-dir`.
    """

    settings: dict[str, Any]
    fixed: Values
    swept: tuple[Override, ...]
    words: Vocabulary
    config_dir: str | None = None

    @classmethod
    def read(cls, request: Request) -> "SweepCommand":
        """From a command line and the sweep file that it chooses.

        Raises:
            UserError: the section `sweep` is not as it has to be, or a parameter of the file cannot be meant.
        """
        settings, others = _section(request)
        command = CommandLine(request.verb, request.words, several=True)
        filed = command.parse_all([f"{key}={text}" for key, text in _flat(settings["parameters"])])
        overrides: dict[str, Override] = {}
        for override in [*filed, *others]:
            overrides.pop(override.key_or_group, None)  # the last one wins, in its own place
            overrides[override.key_or_group] = override
        if own := overrides.keys() & {"resume", "resume_override", "paths.run_dir"}:
            raise UserError(*(f"{key} is each job's own matter: a sweep resumes by itself" for key in sorted(own)))
        texts = [command.for_hydra(override) for override in overrides.values()]
        parsed = OverridesParser.create().parse_overrides(texts)
        return cls(
            settings=settings,
            fixed=tuple(str(o.input_line) for o in parsed if not o.is_sweep_override()),
            swept=tuple(o for o in parsed if o.is_sweep_override()),
            words=request.words,
            config_dir=request.config_dir,
        )

    @cached_property
    def folder(self) -> Path:
        """Of the sweep: `<paths.output_dir>/<name>/<sweep.name>`, both of the config without what is swept.

        Raises:
            UserError: it cannot be written.
        """
        base = compose("train", self.fixed, folder=self.config_dir)
        if lines := list(folders_can_be_written(base)):
            raise UserError(*lines)
        return Path(base.paths.output_dir) / str(base.name) / (self.settings["name"] or self._hash())

    def _hash(self) -> str:
        """A name that the same sweep has every time."""
        texts = [*self.fixed, *(str(override.input_line) for override in self.swept)]
        compared = sorted(text for text in texts if _root(text) not in NOT_COMPARED)
        search = [self.settings["search"].get(key) for key in (TARGET, "also")]
        search += filter(None, [self.settings["search"].get("variants")])
        return f"sweep_{hashlib.sha256(json.dumps([compared, search]).encode()).hexdigest()[:8]}"

    def combinations(self) -> list[Values]:
        """The swept overrides of every job: all combinations, the last key changing fastest.

        Raises:
            UserError: a key has values that cannot be listed.
        """
        reason = "an interval has no values to list: write range(a, b) or choice(a, b), or set sweep/search=optuna"
        if lines := [f"{typed(o)}: {reason}" for o in self.swept if o.is_interval_sweep()]:
            raise UserError(*lines)
        path = create_config_search_path(str(shipped_conf()))
        if self.config_dir:
            path.prepend("command-line", f"file://{Path(self.config_dir).absolute()}")
        parser = OverridesParser.create(config_loader=ConfigLoaderImpl(path))  # glob(*) asks it for options
        overrides = parser.parse_overrides([str(override.input_line) for override in self.swept])
        if lines := [f"{typed(o)}: it stands for no value at all" for o in overrides if not list(o.sweep_iterator())]:
            raise UserError(*lines)
        return [tuple(job) for job in BasicSweeper.split_arguments(overrides, max_batch_size=None)[0]]

    def parsed(self, overrides: Sequence[str]) -> Values:
        """Overrides as a user writes them, for Hydra.

        Raises:
            UserError: one cannot be meant.
        """
        command = CommandLine("train", self.words, several=False)
        return tuple(command.for_hydra(command.parse(text)) for text in overrides)

    def job(self, chosen: Values, run_dir: Path, *more: str) -> tuple[str, ...]:
        """Verb, overrides and flags of one job's own command."""
        own = [assignment("paths.run_dir", str(run_dir)), "resume=auto", *more]
        return ("train", *self.fixed, *chosen, *own, *(["--config-dir", self.config_dir] if self.config_dir else []))

    def compose(self, chosen: Sequence[str]) -> dict[str, Any]:
        """One job's config, as plain data.

        Raises:
            UserError: it cannot be composed.
        """
        return resolve(compose("train", [*self.fixed, *chosen], folder=self.config_dir))


def typed(override: Override) -> str:
    """An override as its user writes it."""
    return str(override.input_line).lstrip("+")


def _section(request: Request) -> tuple[dict[str, Any], list[Override]]:
    """The section `sweep`, checked, and the overrides that are not about it."""
    mine = [_root(text) == SECTION for text in request.hydra]
    own = [text for text, is_own in zip(request.hydra, mine, strict=True) if is_own]
    chosen = next((o.value() for o in request.overrides if o.key_or_group == SECTION), None)
    if chosen is None:
        own = [f"{SECTION}=default", *(text for text in own if text != f"{SECTION}=null")]
    settings = resolve(compose(request.verb, own, folder=request.config_dir))[SECTION]
    if not {"engine", "search"} <= settings.keys():
        raise UserError(f"sweep={chosen}: conf/sweep/{chosen}.yaml has to begin with 'defaults: [default]'")
    check({SECTION: settings}, SweepRoot)
    return settings, [o for o, is_own in zip(request.overrides, mine, strict=True) if not is_own]


def _flat(parameters: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Dotted keys of a sweep file and their values as on the command line; those of a list are alternatives."""
    for key, value in parameters.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        elif value == []:
            raise UserError(f"sweep.parameters.{prefix}{key}=[]: wanted at least one value")
        else:
            values = value if isinstance(value, list) else [value]
            yield f"{prefix}{key}", ",".join(item if isinstance(item, str) else spelled(item) for item in values)


def spelled(value: Any) -> str:
    """A value in Hydra's grammar.

    >>> spelled("bce"), spelled("a, b"), spelled("null"), spelled(1e-4), spelled([None, {"a": True}])
    ('bce', "'a, b'", "'null'", '0.0001', '[null,{a:true}]')
    """
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{spelled(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(spelled, value)) + "]"
    if not isinstance(value, str):
        return json.dumps(value)
    plain = re.fullmatch(r"[A-Za-z][\w./-]*", value) and value.lower() not in SPECIAL
    return value if plain else str(QuotedString(value, Quote.single).with_quotes())


def assignment(key: str, value: Any) -> str:
    """An override that gives a key a value, whatever the value holds."""
    return f"{key}={spelled(value)}"


def _root(text: str) -> str:
    """The first word of an override's key."""
    return text.lstrip("+~").partition("=")[0].replace("/", ".").partition(".")[0]
