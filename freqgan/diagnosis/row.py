"""What the doctor says: one row for each thing it looked at."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, final

Status = Literal["ok", "note", "broken"]


@final
@dataclass(frozen=True)
class Row:
    """One finding.

    Args:
        name: of what was looked at.
        status: `broken` is what no run can do without, `note` what is slower, smaller or missing a choice.
        fact: what was found, in one line.
        remedy: what to do about it; empty where all is well.
    """

    name: str
    status: Status
    fact: str
    remedy: str = ""


@final
@dataclass(frozen=True, kw_only=True)
class Check:
    """One look at the machine.

    Args:
        area: heading of its rows.
        name: of its row if it cannot be done.
        look: yields rows.
        needs: names of checks without which this one has nothing to look at.
        required: whether runs need what it looks at, so that a check that fails is `broken`.
        seconds: after which it is given up.
        remedy: if it raises, crashes or hangs.
    """

    area: str
    name: str
    look: Callable[[], Iterable[Row]]
    needs: tuple[str, ...] = ()
    required: bool = False
    seconds: float = 20.0
    remedy: str = "look for a damaged package, disk or driver"

    def failed(self, fact: str) -> Row:
        """The row of a check that could not be done."""
        return Row(self.name, "broken" if self.required else "note", fact, self.remedy)


def ok(name: str, fact: str) -> Row:
    """All is well."""
    return Row(name, "ok", fact)


def note(name: str, fact: str, remedy: str) -> Row:
    """Runs work, and could work better."""
    return Row(name, "note", fact, remedy)


def broken(name: str, fact: str, remedy: str) -> Row:
    """Runs do not work."""
    return Row(name, "broken", fact, remedy)
