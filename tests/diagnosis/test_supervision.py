import os
import signal
import sys
import time
from collections.abc import Callable, Iterable

import pytest

from freqgan.diagnosis import Check, Row, examine
from freqgan.diagnosis.row import note, ok
from freqgan.diagnosis.supervision import in_one_line


def check(name: str, look: Callable[[], Iterable[Row]] | None = None, **facts: object) -> Check:
    return Check(area="tests", name=name, look=look or (lambda: [ok(name, "fine")]), **facts)  # type: ignore[arg-type]


def rows(*checks: Check) -> dict[str, tuple[str, str, str]]:
    return {row.name: (row.status, row.fact, row.remedy) for _, found in examine(checks) for row in found}


def test_rows_come_in_order_and_a_check_may_have_several() -> None:
    several = check("b", lambda: (ok(f"b{i}", "fine") for i in range(2)))
    assert list(rows(check("a"), several, check("c"))) == ["a", "b0", "b1", "c"]


@pytest.mark.parametrize("required", [True, False])
def test_an_exception_is_a_row_and_what_came_before_it_stays(required: bool) -> None:
    def raises() -> Iterable[Row]:
        yield ok("first", "fine")
        raise ValueError("no such\nthing")

    found = rows(check("second", raises, required=required, remedy="mend it"), check("third"))
    status = "broken" if required else "note"
    assert found["second"] == (status, "could not be looked at (ValueError: no such)", "mend it")
    assert found["first"][0] == found["third"][0] == "ok"


def crash() -> Iterable[Row]:
    os.write(2, b"first words\nlast words\n\n")
    os.kill(os.getpid(), signal.SIGKILL)
    return []


def leave() -> Iterable[Row]:
    os._exit(3)


@pytest.mark.parametrize(("look", "fact"), [(crash, "died of SIGKILL: last words"), (leave, "ended with status 3")])
def test_a_crash_is_a_row_and_the_others_are_done(look: Callable[[], Iterable[Row]], fact: str) -> None:
    found = rows(check("a"), check("b", look, required=True), check("c"))
    assert found["b"][:2] == ("broken", fact)
    assert found["a"][0] == found["c"][0] == "ok"


def test_a_check_that_hangs_is_given_up_in_time() -> None:
    def hang() -> Iterable[Row]:
        time.sleep(60)
        return []

    begun = time.monotonic()
    found = rows(check("a", hang, seconds=0.2), check("b"))
    assert time.monotonic() - begun < 5
    assert found["a"][:2] == ("note", "no answer within 0.2 s")
    assert found["b"][0] == "ok"


def test_what_needs_something_that_failed_is_not_done() -> None:
    torch = check("torch", lambda: [note("torch", "old", "pip")])
    found = rows(
        check("numpy"), torch, check("vision", crash, needs=("numpy", "torch")), check("more", needs=("vision",))
    )
    assert found["vision"] == ("note", "not looked at, as it needs torch", "mend torch first")
    assert found["more"][2] == "mend vision first"


def test_checks_share_what_they_have_imported_and_leave_this_process_alone() -> None:
    def load() -> Iterable[Row]:
        sys.modules["loaded_by_a_check"] = sys
        return []

    def look() -> Iterable[Row]:
        yield ok("there", str("loaded_by_a_check" in sys.modules))

    assert rows(check("a", load), check("b", look))["there"][1] == "True"
    assert "loaded_by_a_check" not in sys.modules


def test_what_a_check_prints_is_not_among_the_rows(capfd: pytest.CaptureFixture[str]) -> None:
    def talk() -> Iterable[Row]:
        os.write(1, b"noise")
        os.write(2, b"noise")
        yield ok("a", "fine")

    assert rows(check("a", talk))["a"][0] == "ok"
    assert capfd.readouterr() == ("", "")


def test_no_process_is_left_when_the_caller_loses_interest() -> None:
    before = children()
    for _ in examine([check("a"), check("b")]):
        break
    assert children() == before


def children() -> str:
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        return file.read()


def test_errors_are_one_short_line() -> None:
    assert in_one_line(KeyError()) == "KeyError"
    assert len(in_one_line(OSError("x" * 1000))) == 160
