from pathlib import Path

from freqgan.runs.rows import append_row, read_rows


def test_rows_come_back_in_order(tmp_path: Path) -> None:
    assert read_rows(tmp_path / "rows.jsonl") == []
    for number in range(3):
        append_row(tmp_path / "rows.jsonl", {"number": number, "text": "a\nb"}, sync=number == 1)
    assert read_rows(tmp_path / "rows.jsonl") == [{"number": number, "text": "a\nb"} for number in range(3)]


def test_a_torn_row_is_left_out_and_tears_no_other(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    for torn in ('{"number": 1, "te', "[1]\n", "\x00\x00\x00", '{"number": 1}\xff'):
        path.write_bytes(b'{"number": 0}\n' + torn.encode("latin-1"))
        append_row(path, {"number": 2})
        assert read_rows(path) == [{"number": 0}, {"number": 2}]
