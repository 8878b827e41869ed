"""Files of JSON rows that are only appended to: a crash can tear the last line and nothing else."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from freqgan.opening import open_file


def read_rows(path: Path, *, holding: str = "") -> list[dict[str, Any]]:
    """The rows of a file, without those that a crash tore or that are none; nothing where there is no file.

    Args:
        path: of the file.
        holding: text that a line has to hold; parsing the others as well takes most of the time.
    """
    try:
        with open_file(path) as file:
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return []
    rows = []
    for line in lines:
        if holding not in line:
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict):
            rows.append(row)
    return rows


def append_row(path: Path, row: Mapping[str, Any], *, sync: bool = False) -> None:
    """Appends a row, on a line of its own even behind a torn one.

    Args:
        path: of the file; made if there is none.
        row: plain data.
        sync: wait until it is on the disk.
    """
    with path.open("ab") as file:
        torn = file.tell() > 0 and not _ends_a_line(path)
        file.write(("\n" * torn + json.dumps(row) + "\n").encode())
        file.flush()
        if sync:
            os.fsync(file.fileno())


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
