"""Captions as a user gives them: a sentence, a list of them, or a file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from freqgan.data.captions import cleaned
from freqgan.errors import UserError

_LISTS = (".yaml", ".yml", ".json")
_FILES = (*_LISTS, ".txt")


def read_captions(given: str | Sequence[str]) -> list[str]:
    """The captions, each on one line.

    Args:
        given: a caption; several; or a file, of a caption per line or, as YAML or JSON, a list of them.

    Raises:
        UserError: there is no such file, it cannot be read, or no caption in it.
    """
    if not isinstance(given, str):
        return _some(given, "captions")
    path = Path(given).expanduser()
    if "\n" in given or not (path.suffix.lower() in _FILES or _is_file(path)):
        return _some(given.splitlines(), "captions")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UserError(f"captions={given} cannot be read ({reason}): name a text file, or give a sentence") from error
    lines = _listed(text, given) if path.suffix.lower() in _LISTS else text.splitlines()
    return _some(lines, f"captions={given}")


def _listed(text: str, given: str) -> list[str]:
    try:
        found: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f"captions={given} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(found, list) or not all(isinstance(caption, str) for caption in found):
        raise UserError(f"captions={given} is no list of captions: wanted `- a red circle` on each line")
    return found


def _some(lines: Sequence[str], where: str) -> list[str]:
    captions = cleaned(lines)
    if not captions:
        raise UserError(f"{where} holds no caption: give a sentence, or a file with one on each line")
    return captions


def _is_file(path: Path) -> bool:
    """A sentence may be longer than a name can be."""
    try:
        return path.is_file()
    except OSError:
        return False
