"""A sweep's command line: Hydra's grammar reads and expands it; its launchers have no part in it."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import hydra
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.errors import HydraException

from freqgan.config import check, resolve
from freqgan.config.application import compose
from freqgan.config.overrides import CommandLine, Request
from freqgan.config.schema import SweepRoot
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
        own = [o.key_or_group.replace("/", ".").split(".")[0] == SECTION for o in request.overrides]
        section = [text for text, mine in zip(request.hydra, own, strict=True) if mine]
        if not any(text.startswith(f"{SECTION}=") for text in section):
            section.insert(0, f"{SECTION}=default")
        folder = request.config_dir
        settings = resolve(compose(request.verb, section, folder=folder)).get(SECTION)
        check({SECTION: settings}, SweepRoot)
        assert settings is not None
        typed = [text for text, mine in zip(request.hydra, own, strict=True) if not mine]
        given = {o.key_or_group for o, mine in zip(request.overrides, own, strict=True) if not mine}
        if wrong := given & {"resume", "paths.run_dir"}:
            raise UserError(*(f"{key} is each job's own matter: a sweep resumes by itself" for key in sorted(wrong)))
        filed = {key: value for key, value in settings["parameters"].items() if key not in given}
        command = CommandLine(request.verb, request.words, several=True)
        texts = [f"{k}={','.join(map(str, v)) if isinstance(v, list) else v}" for k, v in filed.items()]
        filed_texts = [command.for_hydra(command.parse(text)) for text in texts]
        parsed = OverridesParser.create().parse_overrides([*filed_texts, *typed])
        return cls(
            settings=settings,
            fixed=tuple(str(o.input_line) for o in parsed if not o.is_sweep_override()),
            swept=tuple(o for o in parsed if o.is_sweep_override()),
            words=request.words,
            config_dir=folder,
        )

    @property
    def folder(self) -> Path:
        """Of the sweep: `<paths.output_dir>/<name>/<sweep.name>`, both of the config without what is swept."""
        base = compose("train", self.fixed, folder=self.config_dir)
        return Path(base.paths.output_dir) / str(base.name) / (self.settings["name"] or self._hash())

    def _hash(self) -> str:
        """A name that the same sweep has every time."""
        texts = [*self.fixed, *(str(override.input_line) for override in self.swept)]
        kept = [sorted(t for t in texts if _root(t) not in NOT_COMPARED), self.settings["search"].get("also")]
        return f"sweep_{hashlib.sha256(json.dumps(kept).encode()).hexdigest()[:8]}"

    def combinations(self) -> list[Values]:
        """The swept overrides of every job: all combinations, the last key changing fastest.

        Raises:
            UserError: a key has values that cannot be listed.
        """
        with hydra.initialize_config_dir(str(shipped_conf()), version_base="1.3"):
            loader = GlobalHydra.instance().config_loader()
            texts = [str(override.input_line) for override in self.swept]
            overrides = OverridesParser.create(config_loader=loader).parse_overrides(texts)
            try:
                batches = BasicSweeper.split_arguments(overrides, max_batch_size=None)
            except HydraException as error:
                reason = "an interval has no values to list: set sweep/search=optuna, or write range(a, b)"
                raise UserError(f"{', '.join(texts)}: {reason}") from error
        return [tuple(job) for job in batches[0]]

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


def assignment(key: str, value: Any) -> str:
    """An override that gives a key a value, whatever the value holds.

    >>> assignment("loss", "bce"), assignment("name", "a, b"), assignment("tag", "null"), assignment("lr", 1e-4)
    ('loss=bce', "name='a, b'", "tag='null'", 'lr=0.0001')
    """
    if not isinstance(value, str):
        return f"{key}={json.dumps(value)}"
    plain = re.fullmatch(r"[A-Za-z][\w./-]*", value) and value.lower() not in SPECIAL
    return f"{key}={value if plain else QuotedString(value, Quote.single).with_quotes()}"


def _root(text: str) -> str:
    """The first word of an override's key."""
    return text.lstrip("+~").partition("=")[0].replace("/", ".").partition(".")[0]
