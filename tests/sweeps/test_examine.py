import logging
import os
import signal
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from freqgan.config import overrides
from freqgan.config.sweeping import SweepCommand
from freqgan.errors import StorageError
from freqgan.sweeps import examine as examination
from freqgan.sweeps.examine import Examiner, examine
from tests.forked import TINY


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def command(tmp_path: Path) -> SweepCommand:
    arguments = [*TINY, "transform=identity", f"paths.cache_dir={tmp_path / 'cache'}"]
    return SweepCommand.read(overrides.read("train", ["-m", *arguments], sweeps="asked"))


def test_a_job_is_named_after_what_makes_its_result(command: SweepCommand) -> None:
    base = examine(command, ())
    assert base.refusal == ""
    assert base.parameters > 1000
    places = ("paths.output_dir=x", "logger=tensorboard", "hardware.threads=3", "++tags=[a]", "++data.num_workers=2")
    assert examine(command, places).key == base.key
    for text in ("seed=2", "++callbacks.progress.seconds_between_lines=3"):
        other = examine(command, (text,))
        assert (other.refusal, other.key == base.key) == ("", False)


def test_other_data_make_another_key_of_the_same_config(command: SweepCommand, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    fixed = tuple(text for text in command.fixed if "data.source" not in text and text != "data=scenes")
    command = replace(command, fixed=(*fixed, "data=image_folder", f"data.root={photos}"))
    found = []
    for number in range(9):
        Image.effect_noise((20, 20), 40 + number).convert("RGB").save(photos / f"{number}.png")
        found += [examine(command, ())] if number >= 7 else []
    assert found[0].refusal == found[1].refusal == ""
    assert found[0].key != found[1].key
    assert found[0].config_key == found[1].config_key


@pytest.mark.parametrize(
    ("chosen", "status", "start"),
    [
        (("data.image_size=3",), 2, "data.image_size=3 "),
        (("++optim.lrr=3", "++optim.lr=x"), 2, "optim.lr=x: wanted a number"),
        (("data=image_folder", "++data.root=nowhere"), 2, "data."),
    ],
    ids=str,
)
def test_what_cannot_run_has_its_line(command: SweepCommand, chosen: tuple[str, ...], status: int, start: str) -> None:
    found = examine(command, chosen)
    assert (found.exit_status, found.key) == (status, found.config_key)
    assert found.refusal.startswith(start)
    assert "\n" not in found.refusal


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (StorageError("the disk is full"), 74, "the disk is full"),
        (ValueError("ours"), 1, "unexpected ValueError: ours"),
        (MemoryError(), 1, "unexpected MemoryError: "),
    ],
    ids=repr,
)
def test_an_error_that_is_not_the_users_is_no_refusal(
    command: SweepCommand, error: Exception, status: int, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(examination.config, "check", fail)
    found = examine(command, ())
    assert (found.exit_status, found.refusal) == (status, line)


@pytest.mark.slow
def test_an_examination_that_dies_is_one_jobs_matter(command: SweepCommand) -> None:
    with Examiner(command) as examiner:
        whole = examiner(())
        assert whole == examine(command, ())
        examiner.begin(("seed=2",))
        os.kill(examiner._process.pid, signal.SIGKILL)
        died = examiner.poll(None)
        assert died is not None
        assert (died.exit_status, died.refusal) == (
            1,
            "unexpected end of the process that examined it, with status -9",
        )
        assert examiner(()) == whole
        process = examiner._process
    assert not process.is_alive()


def test_what_every_job_has_to_say_is_said_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def says(command: object, chosen: object) -> None:
        logging.getLogger("freqgan.data").info("%d label maps", 367)
        logging.getLogger("freqgan.data").warning("seed %s", chosen)

    asked = iter(["1", "2"])
    connection = SimpleNamespace(send=lambda answer: None, recv=lambda: next(asked, None) or _hang_up())
    monkeypatch.setattr(examination, "examine", says)
    examination._answer(connection, None)  # type: ignore[arg-type]
    err = capsys.readouterr().err
    assert [err.count(words) for words in ("367 label maps", "seed 1", "seed 2")] == [1, 1, 1]


def _hang_up() -> None:
    raise EOFError
