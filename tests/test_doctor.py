"""`freqgan doctor` from its command line to its rows and exit status."""

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from freqgan import cli, doctor
from freqgan.diagnosis import Check, Row, Status, checks
from freqgan.diagnosis.row import broken, note, ok

SECRET = "0123456789abcdef0123456789abcdef01234567"
ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _empty_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("FREQGAN_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def find(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts rows in the place of what this machine has."""

    def replace(*rows: Row) -> None:
        found = [Check(area="tests", name=row.name, look=lambda row=row: [row]) for row in rows]  # type: ignore[misc]
        monkeypatch.setattr(doctor, "checks", lambda **paths: found)

    return replace


def test_this_machine_in_full(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", SECRET)
    monkeypatch.setenv("WANDB_MODE", "offline")
    begun = time.monotonic()
    assert cli.main(["doctor"]) == 0
    assert time.monotonic() - begun < 30
    out, err = capfd.readouterr()
    assert SECRET not in out + err
    lines = out.splitlines()
    names = {check.name for check in checks(output_dir="outputs", cache_dir="cache")} - {"extras"}
    rows = [line for line in lines if line.split()[0] in get_args(Status)]
    assert {line[10:30].strip() for line in rows} >= names
    assert [line for line in rows if line.startswith("  broken")] == []
    assert all((" -> " in line) == line.startswith("  note") for line in rows)
    areas = [line for line in lines if not line.startswith(" ")]
    assert areas[:-1] == ["packages", "computing", "storage", "surroundings", "weights and data", "Weights & Biases"]
    assert areas[-1].startswith("runs work here")
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_is_broken_is_status_1_and_named(
    form: str, find: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    find(ok("python", "3.11"), broken("torch", "is not installed", "pip install torch"), note("gloo", "slow", "wait"))
    assert cli.main(["doctor", f"format={form}"]) == 1
    out, err = capsys.readouterr()
    assert err == "freqgan: 1 of 3 broken: torch\n"
    if form == "json":
        document = json.loads(out)
        assert document["ok"] is False
        row = {"name": "torch", "status": "broken", "fact": "is not installed", "remedy": "pip install torch"}
        assert document["rows"][1] == {"area": "tests", **row}
    else:
        assert " ".join(out.splitlines()[2].split()) == "broken torch is not installed -> pip install torch"
        assert "runs work here" not in out


@pytest.mark.parametrize(
    ("rows", "last"),
    [
        ([ok("a", "fine")], "runs work here"),
        ([ok("a", "fine"), note("b", "slow", "wait")], "runs work here; rows with a note: 1 of 2"),
        ([note("a", "slow", "wait"), note("b", "slow", "wait")], "runs work here; rows with a note: 2 of 2"),
    ],
)
def test_notes_are_status_0(
    rows: list[Row], last: str, find: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    find(*rows)
    assert cli.main(["doctor"]) == 0
    out, err = capsys.readouterr()
    assert (out.splitlines()[-1], err) == (last, "")


def test_json_has_a_row_for_every_check_and_no_more_words(
    find: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    find(ok("a", "[bold]fine[/bold] " + "word " * 100), note("b", "ümlaut", "pip install 'x[y]'"))
    assert cli.main(["doctor", "format=json"]) == 0
    out, err = capsys.readouterr()
    document: dict[str, Any] = json.loads(out)
    assert (document.keys(), document["ok"], err) == ({"ok", "rows"}, True, "")
    assert [list(row) for row in document["rows"]] == [["area", "name", "status", "fact", "remedy"]] * 2
    assert document["rows"][0]["fact"].startswith("[bold]fine[/bold]")
    assert document["rows"][1]["remedy"] == "pip install 'x[y]'"


def test_rows_are_one_line_each_and_taken_literally(
    find: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    find(ok("a", "word " * 100), note("extra optuna", "[bold] is not installed", "pip install 'freqgan[optuna]'"))
    assert cli.main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert lines[2].endswith("[bold] is not installed -> pip install 'freqgan[optuna]'")


@pytest.mark.parametrize("columns", [80, 120])
def test_a_terminal_folds_rows_below_themselves(columns: int) -> None:
    from rich.console import Console

    terminal = Console(file=io.StringIO(), force_terminal=True, width=columns, color_system=None)
    terminal.print(doctor.line(note("pytorch-lightning", "word " * 40, "pip install pytorch-lightning")))
    assert isinstance(terminal.file, io.StringIO)
    first, *more = terminal.file.getvalue().splitlines()
    assert first.startswith("  note    pytorch-lightning   word")
    assert all(line.startswith(" " * 30) and len(line) <= columns for line in more)


def test_a_terminal_without_utf8_shows_what_it_can(find: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    find(ok("a", "Grüße → 世界"))
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="iso8859-1")
    monkeypatch.setattr(sys, "stdout", terminal)
    assert cli.main(["doctor"]) == 0
    assert isinstance(terminal.buffer, io.BytesIO)
    assert "Grüße ? ??".encode("iso8859-1") in terminal.buffer.getvalue()


def test_nothing_heavy_is_imported_before_the_first_row() -> None:
    program = "import sys, freqgan.doctor; assert not {'torch', 'numpy', 'wandb'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, env=environment())


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("raise OSError('libtorch_cpu.so: cannot open shared object file')", "OSError: libtorch_cpu.so: cannot open"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", "died of SIGILL"),
    ],
)
def test_a_broken_torch_is_found_and_named_alone(text: str, fact: str, tmp_path: Path) -> None:
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text(text)
    command = [sys.executable, "-m", "freqgan.cli", "doctor", "format=json"]
    done = subprocess.run(command, env=environment(tmp_path), capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    rows = {row["name"]: row for row in json.loads(done.stdout)["rows"]}
    assert fact in rows["torch"]["fact"]
    assert rows["torch"]["remedy"] == "pip install --force-reinstall torch"
    for name in ("torchvision", "gloo", "precision", "W&B mode"):
        assert (rows[name]["status"], rows[name]["remedy"]) == ("note", "mend torch first")


def test_what_every_verb_needs_is_named_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "hydra").mkdir()
    (tmp_path / "hydra" / "__init__.py").write_text("raise ImportError('no antlr4')")
    command = [sys.executable, "-m", "freqgan.cli", "doctor"]
    done = subprocess.run(command, env=environment(tmp_path), capture_output=True, text=True, check=False)
    line = "freqgan: the installation is not whole (no antlr4): pip install --force-reinstall freqgan\n"
    assert (done.returncode, done.stderr) == (1, line)


def environment(*first: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (*first, ROOT)))}
