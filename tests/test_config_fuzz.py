"""Random mistakes in configs: each ends in one line that names what is wrong, or in a config that is valid."""

import math
import random
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest

from freqgan import cli, config
from freqgan.config import overrides
from freqgan.config.application import compose
from tests.forked import SHORT
from tests.models import MODELS, TRAINED

BASES = {name: settings for name, settings in MODELS.items() if TRAINED not in settings}
BATCHES, OF_A_BATCH = 24, 25
VALUES = [
    *("null", "true", "off", "-1", "0", "1", "7", "0.5", "-0.0", "1e-300", "1e400", "nan", "inf", "-inf", "1e6", "2"),
    *("99999999999999999999", "abc", "''", "' '", "é", "🙂", "a.b.c", "../..", "/dev/null", "'a=b'", "'a,b'", "'{'"),
    *("[]", "[null]", "[[[]]]", "[1,2]", "[a,b]", "{}", "{a: 1}", "{_target_: torch.nn.Linear}", "{_target_: 7}"),
    *("'${nothing}'", "'${seed}'", "'${oc.env:NOT_THERE}'", "'${oops:1}'", "'${'", "'${..}'", "'${optim}'", "'???'"),
]
TARGETS = [
    *("freqgan", "freqgan.systems.Nope", "freqgan.nope.Class", "freqgan.losses.BCE", "freqgan.systems.FrequencyGAN"),
    *("torch.nn.Linear", "torch.nn", "math.pi", "builtins.dict", "builtins.print", "", "7", "a b", "..", "os.", ".os"),
    *("no_such_package.Class", "freqgan.data.Scenes", "freqgan.callbacks.Collapse", "null", "[]", "{}"),
]
LINES = ["=", "a", "a=", "=1", "a==b", "a=[", "a={", "~", "+", "++", "@", "a@b=c", "a.=1", ".a=1", "a..b=1", "'", "é=1"]


def leaves(node: Any, path: str = "") -> Iterator[str]:
    """Dotted paths of all values of a config."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from leaves(value, f"{path}.{key}" if path else str(key))
    elif path:
        yield path


@cache
def keys(base: str) -> list[str]:
    """All that can be set beside a base."""
    request = overrides.read("train", [*SHORT, *BASES[base]], sweeps="asked", positional="")
    return list(leaves(config.resolve(compose("train", request.hydra))))


def misspelt(word: str, draw: random.Random) -> str:
    """A letter is lost, doubled, exchanged or added."""
    at = draw.randrange(len(word))
    return word[:at] + draw.choice(["", 2 * word[at], "x", word[at] + "s"]) + word[at + 1 :]


def mutation(base: str, draw: random.Random) -> list[str]:
    """Overrides as a person in a hurry, or somebody who means harm, may write them."""
    key, other, value = draw.choice(keys(base)), draw.choice(keys(base)), draw.choice(VALUES)
    parent = key.rpartition(".")[0]
    groups = ["model", "loss", "data", "optim", "transform", "hardware", "metrics", "stop", "logger", "experiment"]
    kinds = [
        *4 * [[f"{key}={value}"]],
        *2 * [[f"{misspelt(key, draw)}={value}"]],
        [f"{key}=${{{other}}}"],
        [f"{key}=${{{other}}}", f"{other}=${{{key}}}"],
        [f"{key}=${{{key}}}"],
        [f"{parent or key}={value}"],
        [f"~{key}"],
        [f"+{key}={value}"],
        [f"++{parent + '.' if parent else ''}new={value}"],
        [f"{draw.choice(groups)}={draw.choice(['nothing', 'a/b', '..', '../conf', 'null', '[]', '{}', '7'])}"],
        [f"~{draw.choice(groups)}"],
        *3 * [[f"{key.split('.')[0]}._target_={draw.choice(TARGETS)}"]],
        [f"++{parent or key}._target_={draw.choice(TARGETS)}"],
        [draw.choice(LINES)],
        [f"{key}={value}", f"{other}={draw.choice(VALUES)}"],
    ]
    return draw.choice(kinds)


@pytest.mark.parametrize("batch", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, BATCHES))])
@pytest.mark.fault("config", "random mistake")
def test_a_random_mistake_is_told_or_valid(
    batch: int, capsys: pytest.CaptureFixture[str], tally: Callable[[int, int], None]
) -> None:
    survived, strange = 0, []
    for number in range(OF_A_BATCH):
        draw = random.Random(f"{batch} {number}")
        base = draw.choice(list(BASES))
        wrong = mutation(base, draw)
        status = cli.main(["check", *SHORT, *BASES[base], *wrong])
        told = capsys.readouterr().err
        lines = told.splitlines()
        good = (status, lines) == (0, []) or (status == 2 and 1 <= len(lines) <= 40 and names(wrong, told))
        survived += good
        tally(number + 1, survived)
        if not good:
            strange.append(f"{base} {' '.join(wrong)} → {status}\n{told[-1500:]}")
    assert strange == []


def names(wrong: list[str], told: str) -> bool:
    """Whether a message says where to look: every line begins with the program, and one has a key of the mistake."""
    words = [part for line in wrong for part in line.lstrip("~+").partition("=")[0].split(".")] or wrong
    return told.startswith("freqgan: ") and "Traceback" not in told and any(word in told for word in words)


def test_the_mutations_are_mistakes_for_the_most_part() -> None:
    assert BATCHES * OF_A_BATCH >= 500
    assert not math.isfinite(float(VALUES[VALUES.index("1e400")]))
