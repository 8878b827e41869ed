"""YAML files that others may have written, read within bounds."""

from pathlib import Path
from typing import Any

import yaml

from freqgan.errors import UserError
from freqgan.opening import open_file

LARGEST = 1 << 20  # bytes
DEEPEST = 64  # of lists and mappings within each other: parsers in C end the process far below
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast where PyYAML has libyaml


def read_yaml(file: Path) -> dict[str, Any]:
    """The mapping that a file holds, as plain data.

    Aliases, by which few bytes can be many values or a value part of itself, are not read.

    Raises:
        UserError: the file is not there, too large, too deep, no YAML, or holds something else.
    """
    try:
        if file.stat().st_size > LARGEST:
            raise UserError(f"{file} is larger than {LARGEST} bytes: it is not the config of a run")
        with open_file(file) as opened:
            text, depth = opened.read().decode(), 0
        for event in yaml.parse(text, _Loader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST or isinstance(event, yaml.AliasEvent):
                lack = "has aliases" if depth <= DEEPEST else f"is deeper than {DEEPEST} lists and mappings"
                raise UserError(f"{file} {lack}: it is not the config of a run")
        config = parse(text)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise UserError(f"{file} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(config, dict):
        raise UserError(f"{file} is not the config of a run: wanted a mapping of keys to values")
    return config


def parse(text: str) -> Any:
    """What a text says as plain data, as `yaml.safe_load`, in a tenth of the time; of our own files alone."""
    return _Loader(text).get_single_data()
