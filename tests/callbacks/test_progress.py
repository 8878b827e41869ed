import io
import logging
import sys
from typing import Any

import pytest
import torch

from freqgan.callbacks import ProgressBar, progress
from freqgan.callbacks.progress import describe
from tests.callbacks.stand_ins import new_system, step

LOSS = {"generator/adversarial": torch.tensor(0.5)}


@pytest.mark.parametrize(
    ("images", "end", "speed", "terms", "words"),
    [
        (64, 6400, 50.0, LOSS, "64/6400 images · 50 images/s · 2:06 left · generator 0.50"),
        (6400, 6400, 50.0, LOSS, "6400/6400 images · 50 images/s · 0:00 left · generator 0.50"),
        (64, None, 49.6, LOSS, "64/? images · 50 images/s · measuring · generator 0.50"),
        (0, 3600, 0.5, LOSS, "0/3600 images · 0 images/s · 120:00 left · generator 0.50"),
        (
            1,
            2,
            1.0,
            {"discriminator/LL1/adversarial": 1.0, "discriminator/LL1/r1": 0.25, "generator/LL1/adversarial": -1.0},
            "1/2 images · 1 images/s · 0:01 left · discriminator 1.25 · generator -1.00",
        ),
    ],
)
def test_words(images: int, end: int | None, speed: float, terms: Any, words: str) -> None:
    assert describe(images, end, speed, terms) == words


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, to be set."""
    times = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: times[0])
    return times


def test_lines_where_there_is_no_terminal(caplog: pytest.LogCaptureFixture, now: list[float]) -> None:
    toy, bar = new_system(images=80), ProgressBar(seconds_between_lines=15.0)
    with caplog.at_level(logging.INFO):
        bar.on_train_start(toy.trainer, toy)
        for _ in range(10):
            now[0] += 4.0
            step(toy, bar, terms=LOSS)
        bar.teardown(toy.trainer, toy, "fit")
    # At the first step, then after every 15 seconds, and at the end: 8 images in 4 seconds.
    assert [message.split(" · ")[0] for message in caplog.messages] == [
        "8/80 images",
        "40/80 images",
        "72/80 images",
        "80/80 images",
    ]
    assert caplog.messages[1] == "40/80 images · 2 images/s · 0:20 left · generator 0.50"


def test_a_continued_run_counts_its_own_images(caplog: pytest.LogCaptureFixture, now: list[float]) -> None:
    toy, bar = new_system(images=80), ProgressBar()
    toy.clock.images_seen = 48
    with caplog.at_level(logging.INFO):
        bar.on_train_start(toy.trainer, toy)
        now[0] += 4.0
        step(toy, bar, terms=LOSS)
    assert caplog.messages == ["56/80 images · 2 images/s · 0:12 left · generator 0.50"]


def test_other_processes_say_nothing(caplog: pytest.LogCaptureFixture) -> None:
    toy, bar = new_system(zero=False), ProgressBar()
    with caplog.at_level(logging.INFO):
        bar.on_train_start(toy.trainer, toy)
        step(toy, bar)
    assert caplog.messages == []


def test_a_bar_in_a_terminal(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, now: list[float]
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    toy, bar = new_system(images=16), ProgressBar()
    with caplog.at_level(logging.INFO):
        bar.on_train_start(toy.trainer, toy)
        for _ in range(2):
            now[0] += 4.0
            step(toy, bar, terms=LOSS)
        bar.teardown(toy.trainer, toy, "fit")
        bar.teardown(toy.trainer, toy, "fit")
    assert "16/16 images" in terminal.getvalue()
    assert "generator 0.50" in terminal.getvalue()
    assert caplog.messages == []
