"""Bounds of files that others may have written."""

from pathlib import Path

import pytest

from freqgan.errors import UserError
from freqgan.runs.plain_yaml import DEEPEST, LARGEST, read_yaml


def test_a_mapping_is_read_as_plain_data(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: [1, 2.5, null, true, ä]\nb: {c: '9'}\n", encoding="utf-8")
    assert read_yaml(tmp_path / "a.yaml") == {"a": [1, 2.5, None, True, "ä"], "b": {"c": "9"}}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("- a", "wanted a mapping"),
        ("", "wanted a mapping"),
        ("a: &a [*a]", "has aliases"),
        ("a: &a {b: 1}\nc:\n  <<: *a\n", "has aliases"),
        ("[" * DEEPEST + "]" * DEEPEST, "wanted a mapping"),
        ("[" * (DEEPEST + 1), f"is deeper than {DEEPEST}"),
        ("[" * 200_000, f"is deeper than {DEEPEST}"),
        ("\n".join(" " * n + "a:" for n in range(DEEPEST + 2)), f"is deeper than {DEEPEST}"),
        (f"a: {'9' * 5000}", "cannot be read"),
        ("a: 2026-99-99", "cannot be read"),
        ("a: !!python/object/apply:os.mkdir [exploited]", "cannot be read"),
        ("a: [", "cannot be read"),
        ("a: \0", "cannot be read"),
        ("#" * LARGEST + "#", "is larger than"),
    ],
    ids=lambda text: text[:30],
)
def test_what_is_no_plain_mapping_is_one_line(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(UserError, match=reason) as caught:
        read_yaml(tmp_path / "a.yaml")
    assert len(caught.value.lines) == 1
    assert caught.value.lines[0].startswith(str(tmp_path / "a.yaml"))


def test_other_encodings_and_missing_files_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"a: \xff")
    for name in ("a.yaml", "b.yaml"):
        with pytest.raises(UserError, match="cannot be read"):
            read_yaml(tmp_path / name)
