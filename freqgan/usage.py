"""The text of `freqgan --help` and `freqgan <verb> --help`, read off the file system alone."""

import shutil
import textwrap
from collections.abc import Iterable, Mapping

from freqgan.vocabulary import SWEEPING, Vocabulary

SEVERAL = "-m, --multirun"
FLAGS = {
    SEVERAL: "one job for each combination of comma-separated values",
    "--cfg job": "print the composed config and stop; --resolve fills in its references",
    "--info defaults": "print which files the config is composed of",
    "--config-dir <folder>": "search this folder first; a conf/ in the working directory is searched last",
    "--hydra-help": "all flags",
}

STATUSES = {
    "0": "done; a training reached its budget, or what `stop` waits for",
    "1": "a failure of the program or of a job; `doctor`: something that every run needs is broken",
    "2": "a mistake in the command or its config",
    "65": "diverged: a number was not finite, or the run was beyond recovery; the last good checkpoint is kept",
    "74": "a file could not be written or read back",
    "130, 143": "stopped by Ctrl-C or a signal, after a whole step and a checkpoint",
}


def overview(verbs: Mapping[str, str], examples: Iterable[str]) -> str:
    """All verbs with their summaries, the groups of the vocabulary, examples and exit statuses."""
    words = Vocabulary.here()
    groups = [group for group in words.defaults("train") if group != "hydra" and words.options(group)]
    return "\n\n".join(
        [
            "freqgan <verb> [group=option …] [key=value …]",
            _section("Verbs", verbs),
            f"Groups\n  {' '.join(groups)}\n  `freqgan <verb> --help` lists the options of each.",
            _examples(examples),
            _section("Exit status", STATUSES),
        ]
    )


def of_verb(verb: str, summary: str, examples: Iterable[str], *, positional: str = "") -> str:
    """One verb: its groups with their options (the default is marked `*`), settings, flags and examples."""
    words = Vocabulary.here()
    places = f" <{positional} …>" if positional else ""
    groups = [
        _section(f"{group}=", {("*" if name == chosen else " ") + name: text for name, text in options.items()})
        for group, chosen in words.defaults(verb).items()
        if group != "hydra" and (options := words.options(group))
    ]
    return "\n\n".join(
        [
            f"freqgan {verb}{places} [group=option …] [key=value …]\n{summary}",
            *groups,
            "Settings\n" + textwrap.indent(words.settings(verb), "  "),
            _section("Flags", {flag: text for flag, text in FLAGS.items() if verb in SWEEPING or flag != SEVERAL}),
            _examples(examples),
        ]
    )


def _examples(lines: Iterable[str]) -> str:
    return "Examples\n" + "\n".join(f"  {line}" for line in lines)


def _section(title: str, rows: Mapping[str, str]) -> str:
    """A title and two columns, the second one wrapped to the terminal."""
    width = min(max(map(len, rows)) + 2, 34)
    columns = shutil.get_terminal_size((110, 24)).columns
    lines = [title]
    for name, text in rows.items():
        lead = f"  {name:<{width}}"
        wrapped = textwrap.wrap(text, max(columns - len(lead), 40)) or [""]
        lines += [(lead + wrapped[0]).rstrip(), *(" " * len(lead) + more for more in wrapped[1:])]
    return "\n".join(lines)
