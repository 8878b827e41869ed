"""The table at the end of a run."""

from rich.table import Table

from freqgan.runs.report import progress


def cells(table: Table) -> list[list[str]]:
    """The header, and every row."""
    columns = [list(column.cells) for column in table.columns]
    return [[str(column.header) for column in table.columns], *map(list, zip(*columns, strict=True))]


def test_two_evaluations_stand_beside_each_other() -> None:
    rows = [{"images_seen": 0, "fd": 200.0, "kid": 0.0}, {"images_seen": 9, "fd": 50.0, "kid": 1.0, "new": 2.0}]
    wanted = [["metric", "start", "end", "end / start"], ["fd", "200", "50", "0.250"], ["kid", "0", "1", ""]]
    assert cells(progress(rows)) == [*wanted, ["new", "", "2", ""]]
    assert cells(progress([{"images_seen": 3, "fd": 1.0}, rows[1]]))[0][1::2] == ["first", "end / first"]


def test_one_evaluation_is_compared_with_nothing() -> None:
    assert cells(progress([{"images_seen": 9, "fd": 50.0}])) == [["metric", "end"], ["fd", "50"]]
