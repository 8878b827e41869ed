"""`freqgan compare` from its command line to its files."""

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from freqgan import cli
from freqgan.comparison import Run
from tests.comparison.written import rows_of, write_ledger, write_run, write_study
from tests.forked import only_run, train

PYTHON_PATH = str(Path(__file__).parent.parent)


@pytest.fixture(autouse=True)
def _empty_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_files_and_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    write_study(Path("runs"), grid=True)
    write_ledger(
        Path("runs/sweep"), [{"key": "x", "overrides": ["a=[b]"], "state": "refused", "line": "no [bold]a[/]"}]
    )
    assert cli.main(["compare", "runs"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    lines = captured.out.splitlines()
    assert lines[-1] == "runs/compare/index.html"
    assert any(re.match(r"│ transform=wavelet_haar +│ 3 finished +│ .* better on 3 of 3 seeds", line) for line in lines)
    assert any("a=[b]" in line and "no [bold]a[/]" in line for line in lines)
    out = Path("runs/compare")
    files = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    curves = {f"curves/{name}.png" for name in ("val_fd_x_n100", "train_generator", "train_discriminator")}
    assert {"index.html", "table.csv", "results.csv", "summary.json"} | curves <= files
    with (out / "table.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 7
    with (out / "results.csv").open() as file:
        results = list(csv.DictReader(file))
    assert list(results[0])[:7] == ["variant", "transform", "model", "seed", "images_seen", "cpu_seconds", "status"]
    assert [row["status"] for row in results] == 6 * ["finished"] + ["refused"]
    assert all(float(row["fd_x_n100"]) > 0 for row in results[:6])
    summary = json.loads((out / "summary.json").read_text())
    assert summary["baseline"] == "transform=identity"
    assert cli.main(["compare", "runs"]) == 0  # what is written there is no run
    with (out / "table.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 7


def test_settings_of_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    write_study(Path("runs"))
    write_run(Path("other"), rows_of(1.0), record={"data_fingerprint": "xyz"})
    assert cli.main(["compare", "runs/*", "other"]) == 2
    assert capsys.readouterr().err == (
        "freqgan: these runs cannot be compared: other was trained on the data xyz, but runs/identity_1 was trained on "
        "the data abc: leave some out, or show them apart with incomparable=mark\n"
    )
    settings = ["metric=kid", "at_images=500", "at_seconds=3", "baseline=haar", "incomparable=mark", "output=here"]
    assert cli.main(["compare", "runs/*", "other", *settings]) == 0
    out = capsys.readouterr().out
    assert "kid ↓ at 500 images" in out
    assert "kid ↓ at 3 seconds" in out
    assert "other is shown but not counted: it was trained on the data xyz" in out
    assert out.splitlines()[-1] == "here/index.html"
    assert json.loads(Path("here/summary.json").read_text())["baseline"] == "transform=wavelet_haar"


@pytest.mark.parametrize(
    "places",
    [
        ["a b", "a,b", "[a]", "{x}", 'say "hi"', "back\\slash", "ends\\", "it's"],
        ["${oc.env:HOME}", "\\${x}", "$x", "null", "1", "true", "ünï/漢字 🎨", "a*?", "~x", "#5"],
    ],
)
def test_places_are_read_back_as_they_were_typed(places: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    kept = [place for place in places if not place.startswith("~")]
    assert cli.main(["compare", *kept, "source=wandb", "--cfg", "job", "--resolve"]) == 0
    config = yaml.safe_load(capsys.readouterr().out)
    assert config["runs"] == kept
    assert config["source"] == "wandb"


def test_a_path_or_a_pattern_may_have_an_equals_sign(capsys: pytest.CaptureFixture[str]) -> None:
    write_study(Path("runs/optim.lr=0.1"))
    assert cli.main(["compare", "runs/optim.lr=0.1"]) == 0
    assert cli.main(["compare", "runs/optim.lr=*", "samples=0"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "runs/compare/index.html"


def test_a_folder_that_cannot_be_written_is_a_failure_of_storage(capsys: pytest.CaptureFixture[str]) -> None:
    write_study(Path("runs"), seeds=1)
    assert cli.main(["compare", "runs", "output=/dev/null/x"]) == 74
    assert "could not be written" in capsys.readouterr().err


def test_wandb_is_asked_where_it_is_the_source(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run(place="me/study/a", name="study/a", state="finished", config={"seed": 1}, record={}, rows=rows_of(1.0))
    monkeypatch.setattr("freqgan.comparison.read_wandb", lambda paths: [run] if paths == ["me/study"] else [])
    assert cli.main(["compare", "me/study", "source=wandb"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "compare/index.html"


def test_nothing_heavy_is_imported() -> None:
    write_study(Path("runs"), seeds=1)
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "freqgan.cli", "compare", "runs"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": PYTHON_PATH},
    )
    assert "freqgan.comparison.page" in done.stderr
    for name in ("torch", "pytorch_lightning", "scipy", "wandb", "matplotlib.pyplot"):
        assert not re.search(rf"\| +{re.escape(name)}$", done.stderr, re.MULTILINE), name


def test_real_runs_one_of_them_diverged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    short = ["transform=identity", "budget.images=16", "log_every_steps=2"]
    assert train(tmp_path, *short, "name=a")[0] == 0
    assert train(tmp_path, *short, "name=a", "seed=2")[0] == 0
    assert train(tmp_path, *short, "name=tiny", "optim.lr=1e30")[0] == 65
    assert only_run(tmp_path).exists()
    assert cli.main(["compare", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert re.search(r"│ optim.lr=0.0002 +│ 2 finished", out)
    assert re.search(r"│ optim.lr=1e\+30 +│ 1 diverged", out)
    assert re.search(r"diverged at images_seen=\d+: ", out)
    assert "No evaluation yet: a/" in out
    page = (tmp_path / "compare" / "index.html").read_text()
    assert page.count("<figure") == 2
    assert "whole grid" not in page
    assert '<th scope="row">noise 2/3</th>' in page
