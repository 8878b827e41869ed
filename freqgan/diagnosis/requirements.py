"""What this program asks of other packages, in the words of its own metadata."""

import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

NAME = "freqgan"
PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"  # of a checkout that was not installed


def installed(package: str) -> str | None:
    """Version of a package; None where there is none."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def python_range() -> str:
    """Versions of Python that this program runs on, as in `>=3.11`."""
    if installed(NAME) is None:
        return str(_project()["requires-python"])
    return metadata.metadata(NAME)["Requires-Python"]


def extras() -> list[str]:
    """Names of the optional parts."""
    if installed(NAME) is None:
        return list(_project()["optional-dependencies"])
    return metadata.metadata(NAME).get_all("Provides-Extra") or []


def requirements(extra: str = "") -> list[Requirement]:
    """What an optional part adds; without a name, what every installation needs."""
    if installed(NAME) is not None:
        given = [Requirement(line) for line in metadata.requires(NAME) or []]
        return [one for one in given if applies(one, extra) and (not extra or not applies(one))]
    project = _project()
    lines = project["optional-dependencies"][extra] if extra else project["dependencies"]
    return [one for one in map(Requirement, lines) if applies(one)]


def applies(requirement: Requirement, extra: str = "") -> bool:
    """Whether a requirement is meant for this machine and Python."""
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def _project() -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    return project
