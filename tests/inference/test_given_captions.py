from pathlib import Path

import pytest

from freqgan.errors import UserError
from freqgan.inference import read_captions


def test_a_sentence_and_a_list() -> None:
    assert read_captions(" a red ring  above a star ") == ["a red ring above a star"]
    assert read_captions("a ring\n\na star") == ["a ring", "a star"]
    assert read_captions(["a ring", " "]) == ["a ring"]
    assert read_captions("a " * 400) == [" ".join("a" * 400)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("said.txt", "a ring\r\n\n a star \n"),
        ("said", "\ufeffa ring\na star"),
        ("said.yaml", "# two\n- a ring\n- a star\n"),
        ("said.json", '["a ring", "a  star"]'),
    ],
)
def test_files(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert read_captions(str(tmp_path / name)) == ["a ring", "a star"]


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("none.txt", None, "cannot be read .No such file"),
        ("latin.txt", b"W\xf6lfe", "it is not UTF-8"),
        ("empty.txt", b"\n \n", "holds no caption"),
        ("map.yaml", b"a: b", "is no list of captions"),
        ("numbers.json", b"[1, 2]", "is no list of captions"),
        ("torn.json", b'["a', "cannot be read"),
    ],
)
def test_mistakes(tmp_path: Path, name: str, content: bytes | None, line: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=line):
        read_captions(str(tmp_path / name))


def test_nothing_said() -> None:
    with pytest.raises(UserError, match="captions holds no caption"):
        read_captions("  ")
