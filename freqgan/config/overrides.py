"""The command line of a verb, looked at before Hydra composes: all mistakes are named at once.

Keys that a YAML file leaves to their defaults in Python can be set like all others: `key=value` is handed to
Hydra as one that may be new, and the nets of `freqgan.config` find those that nothing knows.
"""

import os
import re
from argparse import ArgumentError
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from glob import iglob
from pathlib import Path
from typing import Any, Literal

from hydra._internal.utils import get_args_parser
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override, OverrideType, Quote, QuotedString
from hydra.errors import OverrideParseException

from freqgan.config.stored import load_run
from freqgan.errors import UserError
from freqgan.suggest import hint, nearest
from freqgan.vocabulary import SWEEPING, Vocabulary

Sweeps = Literal["never", "asked", "always"]
ANSWERED_BY_HYDRA = ("--cfg", "-c", "--info", "-i", "--hydra-help", "--shell-completion", "-sc", "--version")
STORED = "stored"  # the option that stands for what the run in run=<dir> was trained with


@dataclass(frozen=True)
class Request:
    """A command line, read.

    Args:
        verb: names the primary config.
        overrides: as typed, parsed.
        hydra: the same for Hydra, and what the run in `run=<dir>` adds.
        flags: Hydra's, the folder of `--config-dir` included.
        config_dir: that folder.
        words: groups and options there are.
        several: whether a key may have several values.
    """

    verb: str
    overrides: tuple[Override, ...]
    hydra: tuple[str, ...]
    flags: tuple[str, ...]
    config_dir: str | None
    words: Vocabulary
    several: bool


def read(verb: str, arguments: Sequence[str], *, sweeps: Sweeps, positional: str = "") -> Request:
    """Reads a command line.

    Args:
        verb: names the primary config.
        arguments: overrides and Hydra's flags.
        sweeps: whether a key may have several values: never, where the user asks for it, or always.
        positional: the list that arguments without `=`, and paths, go to; none are taken if empty.

    Raises:
        UserError: one line for each argument that cannot be meant.
    """
    parser = get_args_parser()
    parser.exit_on_error = False
    try:
        known, unknown = parser.parse_known_intermixed_args(list(arguments))
    except ArgumentError as error:
        raise UserError(str(error)) from error
    flags = [argument for argument in arguments if argument not in (*known.overrides, "-m", "--multirun")]
    names = [name for action in parser._actions for name in action.option_strings if name.startswith("--")]
    lines = [f"unknown flag {flag}: {hint(flag, names)}" for flag in unknown]
    if known.experimental_rerun:
        lines.append("--experimental-rerun unpickles its file, which can run anything: use resume=<run directory>")
    lines += [f"{a}: use -m, which starts a process for each job" for a in arguments if a.startswith("hydra.mode")]
    asked = known.multirun or any(text.startswith("sweep=") and text != "sweep=null" for text in known.overrides)
    printed = any(flag.partition("=")[0] in ANSWERED_BY_HYDRA for flag in flags)
    several = (asked or sweeps == "always") and not printed
    if asked and sweeps == "never":
        lines.append(f"{verb} takes one value for each key: only {' and '.join(SWEEPING)} take several")
    elif asked and printed:
        lines.append("one config is printed, not those of several jobs: leave -m and sweep=<file> out")
    elif not several:
        about = [text for text in known.overrides if text.startswith(("sweep.", "sweep/"))]
        lines += [f"{text}: it is about several jobs, as `freqgan train -m` runs them" for text in about]
    words = Vocabulary.here(*([Path(known.config_dir).absolute()] if known.config_dir else []))
    command = CommandLine(verb, words, several=several)
    places = [text for text in known.overrides if positional and is_place(text)]
    named = [text for text in known.overrides if text not in places]
    overrides = command.parse_all([*named, *([as_list(positional, places)] if places else [])], lines)
    hydra = [command.for_hydra(override) for override in overrides] + command.stored(overrides)
    return Request(verb, tuple(overrides), tuple(hydra), tuple(flags), known.config_dir, words, several)


def is_place(text: str) -> bool:
    """Whether an argument is no `key=value`; a file or pattern may have `=` in its name."""
    return ("=" not in text and not text.startswith("~")) or os.path.exists(text) or any(iglob(text))


def as_list(key: str, texts: Sequence[str]) -> str:
    r"""An override that Hydra and OmegaConf read back as exactly these texts.

    >>> as_list("runs", ["a b", "${c}"])
    'runs=["a b","\\${c}"]'
    """
    unresolved = (re.sub(r"(\\*)\$\{", r"\1\1\${", text) for text in texts)
    return f"{key}=[{','.join(QuotedString(text, Quote.double).with_quotes() for text in unresolved)}]"


class CommandLine:
    """Reads the overrides of a verb in the light of the groups it has.

    Args:
        verb: names the primary config.
        words: groups and options there are.
        several: whether a key may have several values.
    """

    def __init__(self, verb: str, words: Vocabulary, *, several: bool) -> None:
        self.verb, self.words, self.several = verb, words, several
        self.defaults = words.defaults(verb)

    def parse_all(self, texts: Sequence[str], lines: Sequence[str] = ()) -> list[Override]:
        """All arguments.

        Raises:
            UserError: `lines`, if there are any, and one for each argument that cannot be meant.
        """
        overrides, lines = [], list(lines)
        for text in texts:
            try:
                overrides.append(self.parse(text))
            except UserError as error:
                lines += error.lines
        if lines:
            raise UserError(*lines)
        return overrides

    def parse(self, text: str) -> Override:
        """One argument.

        Raises:
            UserError: it is no `key=value`, or chooses what there is not.
        """
        if "=" not in text and not text.startswith("~"):
            choices = [f"{group}={option}" for group in self.defaults for option in self._options(group)]
            near = next((choice for choice in choices if choice.endswith(f"={text}")), None) or nearest(text, choices)
            raise UserError(f"{text}: wanted key=value" + (f", did you mean {near}?" if near else ""))
        key, _, value = text.partition("=")
        try:
            [override] = OverridesParser.create().parse_overrides([text])
        except OverrideParseException as error:
            raise UserError(
                f"{text}: cannot be read; is the value text, quote it twice: '{key}=\"{value}\"'"
            ) from error
        if override.is_sweep_override() and not self.several:
            several = "need --multirun" if self.verb in SWEEPING else f"are for {' and '.join(SWEEPING)}"
            quoted = f"""'{key}="{value}"'"""
            raise UserError(
                f"{text}: several values {several}; a list needs brackets, '{key}=[{value}]', text {quoted}"
            )
        lines = list(self._unknown(override))
        if lines:
            raise UserError(*lines)
        return override

    def for_hydra(self, override: Override) -> str:
        """The override's text: a group that the verb has is never added twice, any other key may be new.

        A group at another place, as in model@model.blend.generator=<option>, is merged into what is there.
        """
        text = str(override.input_line)
        if override.package is not None and override.type != OverrideType.DEL:
            return "+" + text.lstrip("+")
        if override.key_or_group in self.defaults:
            return text.lstrip("+")
        if override.type == OverrideType.DEL or override.is_hydra_override() or self._is_group(override):
            return text
        return "++" + text.lstrip("+")

    def stored(self, overrides: Sequence[Override]) -> list[str]:
        """Offers the groups of the run in `run=<dir>` as option `stored`; returns the overrides this takes.

        Raises:
            UserError: there is no such run, its config is refused, or what stands in for a run is missing.
        """
        groups = [group for group, option in self.defaults.items() if option == STORED]
        given = {override.key_or_group: override.value() for override in overrides}
        if not groups:
            return []
        if given.get("run") and given.get("images"):
            raise UserError("run and images are both set: one of them is judged, leave the other out")
        if given.get("run"):
            allow = given.get("allow_targets") or []
            chosen = [group for group in groups if group not in given]
            trusted = [str(name) for name in allow] if isinstance(allow, list) else []
            config = load_run(str(given["run"]), trusted, groups=chosen, given=[*given])
            for group in groups:
                ConfigStore.instance().store(STORED, config.get(group) or {}, group=group, provider="freqgan")
            return []
        if not given.get("images"):
            folder = ", or images=<folder> data=<option>" if self.verb == "evaluate" else ""
            raise UserError(f"{self.verb} needs run=<run directory>{folder}; `freqgan runs` lists runs")
        if not Path(str(given["images"])).expanduser().is_dir():
            raise UserError(f"images={given['images']} is no folder: name one that holds images")
        if "data" not in given:
            raise UserError("images needs data=<option>, the real images to judge by")
        usual = self.words.defaults("train")
        return [f"{group}={usual[group]}" for group in groups if group not in given]

    def _unknown(self, override: Override) -> Iterator[str]:
        """Groups and options that do not exist."""
        group = override.key_or_group
        if override.is_hydra_override() or override.is_delete() or not self._is_group(override):
            return
        if group not in self.defaults:
            if not override.is_add():
                yield f"{group}: {self.verb} has no such group, {hint(group, self.defaults)}"
            return
        options = self._options(group)
        for value in _values(override):
            if value is None:
                yield f"{group}=null: to leave the group out, write '~{group}'"
            elif str(value).removesuffix(".yaml") not in options:
                near = hint(str(value), options)
                yield f"{group}={value}: there is no conf/{group}/{value or '<option>'}.yaml, {near}"

    def _is_group(self, override: Override) -> bool:
        return "/" in override.key_or_group or self.words.is_group(override.key_or_group)

    def _options(self, group: str) -> list[str]:
        own = [STORED] if self.defaults[group] == STORED else []
        return own + list(self.words.options(group))


def _values(override: Override) -> list[Any]:
    """The options that an override chooses; none where a pattern does."""
    if not override.is_sweep_override():
        value = override.value()
        return value if isinstance(value, list) else [value]
    if not override.is_choice_sweep() or isinstance(override._value, Glob):
        return []
    return [value.strip("'\"") for value in override.sweep_string_iterator()]
