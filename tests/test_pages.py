"""The commands that the pages show can be read as they are printed."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from freqgan.config import overrides
from freqgan.vocabulary import SWEEPING

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "conf" / "README.md", *sorted((ROOT / "experiments").rglob("README.md"))]


def commands() -> list[list[str]]:
    """Those of code blocks that name no run and hold no placeholder."""
    blocks = [block for page in PAGES for block in re.findall(r"(?ms)^```\n(.*?)^```", page.read_text())]
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    words = [shlex.split(line, comments=True) for line in lines if line.startswith("freqgan ")]
    read = [w[1:] for w in words if not any(c in text for text in w for c in "<…") and not any("run=" in t for t in w)]
    return [w for w in read if not w[0].startswith("-")]


def test_there_are_some() -> None:
    assert len(commands()) > 15


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_a_command_can_be_read(words: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf" / "sweep").mkdir(parents=True)
    (tmp_path / "conf" / "sweep" / "mine.yaml").write_text("defaults: [default]\n")
    sweeps = "always" if words[0] == "plan" else "asked" if words[0] in SWEEPING else "never"
    overrides.read(words[0], words[1:], sweeps=sweeps)  # type: ignore[arg-type]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_settings_of_data_that_a_page_names_are_there(page: Path) -> None:
    files = [yaml.safe_load(file.read_text()) for file in (ROOT / "conf" / "data").glob("*.yaml")]
    spoken_of = " ".join(re.findall(r"`[^`]+`", re.sub(r"(?ms)^```.*?^```", "", page.read_text())))
    assert {*re.findall(r"\bdata\.(\w+)", spoken_of)} <= {key for file in files for key in file}
