import logging
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from freqgan.callbacks import CheckpointStore, Equilibrium, Evaluation, Journal, Plateau
from freqgan.errors import UserError
from tests.callbacks.stand_ins import new_run, new_system, step
from tests.forked import on_ranks
from tests.systems.toy import Toy

FD, RECALL = "fd_lite_n100", "recall_lite_n100"


def after(values: list[float], *, name: str = FD, **settings: Any) -> list[str | None]:
    """What a plateau's verdict is after each of some evaluations."""
    toy, plateau = new_system(), Plateau(**settings)
    verdicts = []
    for value in values:
        plateau.judged(toy, {FD: 0.0, name: value})
        verdicts.append(plateau.verdict())
        assert toy.clock.stopped == verdicts[-1]
    return verdicts


def stops_after(values: list[float], **settings: Any) -> int | None:
    """The number of the evaluation that ends the run."""
    verdicts = after(values, **settings)
    return next((number for number, verdict in enumerate(verdicts, 1) if verdict is not None), None)


@pytest.mark.parametrize(
    ("values", "settings", "stops"),
    [
        ([9, 8, 7, 6, 5], {"patience": 1}, None),
        ([9, 8, 8, 8], {"patience": 2}, 4),
        ([9, 8, 8.5, 7, 7.5, 7.4], {"patience": 2}, 6),  # patience begins anew with every improvement
        ([100, 99.5, 99.1], {"patience": 2, "min_delta": 0.01}, 3),
        ([100, 99.5, 98.9], {"patience": 2, "min_delta": 0.01}, None),  # each against the best, not the last
        ([5, math.nan, math.inf], {"patience": 2}, 3),
        ([math.nan, 5, 4], {"patience": 2}, None),
        ([-1, -1.005, -1.02], {"patience": 2, "min_delta": 0.01}, None),  # a share of the size, whatever the sign
        ([0.5, 0.6, 0.6, 0.55], {"patience": 2, "metric": RECALL, "name": RECALL}, 4),  # higher is better
        ([0.5, 0.6, 0.7, 0.8], {"patience": 1, "metric": "recall_lite", "name": RECALL}, None),
    ],
)
def test_a_plateau_ends_the_run(values: list[float], settings: dict[str, Any], stops: int | None) -> None:
    assert stops_after(values, **settings) == stops


def test_a_plateau_says_what_it_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        *_, verdict = after([9, 8, 8], patience=1)
    assert verdict == "fd_lite_n100 did not improve on 8 in 1 evaluations"
    assert caplog.messages == [f"stopped: {verdict}"]


def test_a_continued_plateau_goes_on_counting() -> None:
    toy, before, later = new_system(), Plateau(patience=3), Plateau(patience=3)
    for value in (5.0, 6.0, 6.0):
        before.judged(toy, {FD: value})
    later.load_state_dict(before.state_dict())
    later.on_train_start(toy.trainer, toy)
    assert toy.clock.stopped is None
    later.judged(toy, {FD: 5.5})
    assert toy.clock.finished


def test_a_run_that_was_over_is_over_when_continued_unless_the_rule_is_changed() -> None:
    before = Plateau(patience=1)
    for value in (5.0, 6.0):
        before.judged(new_system(), {FD: value})
    for patience, over in ((1, True), (2, False)):
        toy, later = new_system(), Plateau(patience=patience)
        later.load_state_dict(before.state_dict())
        later.on_train_start(toy.trainer, toy)
        assert toy.clock.finished == over


def test_metrics_that_are_not_measured_are_refused() -> None:
    values = {FD: 1.0, RECALL: 0.5}
    small = {"fd_lite_n20_real20": 1.0, "recall_lite_n20_real20": 0.5}
    for known in (None, FD, "fd_lite", "recall_lite_n100"):
        Plateau(metric=known).refuse_unknown(small)
        Plateau(metric=known).judged(new_system(), values)
    with pytest.raises(UserError, match=r"stop.metric=fd_light_n100 is not measured: did you mean fd_lite\?"):
        Plateau(metric="fd_light_n100").refuse_unknown(small)
    with pytest.raises(UserError, match=r"stop.metric=fd_lite_n5000 is not measured: did you mean fd_lite_n100\?"):
        Plateau(metric="fd_lite_n5000").judged(new_system(), values)


def evaluation(folder: Path, numbers: list[float], plateau: Plateau, toy: Toy) -> tuple[Journal, Evaluation]:
    """An evaluation every 8 images that hands out numbers in turn, and its journal."""
    run = new_run(folder)
    journal = Journal(run, [], every_steps=1000)
    store = CheckpointStore(run, journal, every_images=1000, keep=100)
    protocol: Any = SimpleNamespace(name="protocol", split="train", small=lambda: "small")
    toy.measure = lambda asked, *_, **__: {FD: 0.0 if asked == "small" else numbers.pop(0)}  # type: ignore[method-assign]
    times: dict[str, Any] = {"at_start": "small", "every_images": 8, "cache_dir": folder, "seed": 5}
    return journal, Evaluation(run, journal, store, protocol, **times, plateau=plateau)


def test_a_judgement_ends_the_run_with_its_row_and_checkpoint(tmp_path: Path) -> None:
    toy, plateau = new_system(), Plateau(patience=1)
    journal, judge = evaluation(tmp_path, [5.0, 6.0], plateau, toy)
    judge.on_train_start(toy.trainer, toy)
    for images in (8, 16):
        assert not toy.clock.finished
        step(toy, journal, judge)
        assert toy.clock.images_seen == images
    assert toy.clock.finished
    assert toy.trainer.saved == ["images_8.ckpt", "images_16.ckpt"]  # type: ignore[attr-defined]
    assert [row.get(f"val/{FD}") for row in journal.run.metrics] == [5.0, 6.0, None]
    assert "train/generator/adversarial" in journal.run.metrics[-1]
    assert journal.state_dict()["counts"] == {}


def test_a_mistyped_metric_shows_before_the_first_step(tmp_path: Path) -> None:
    toy = new_system()
    _, judge = evaluation(tmp_path, [], Plateau(metric="kid"), toy)
    with pytest.raises(UserError, match=r"stop\.metric=kid is not measured: there is fd_lite"):
        judge.on_train_start(toy.trainer, toy)


def play(toy: Toy, rule: Equilibrium, accuracies: list[tuple[float, ...]]) -> int | None:
    """Steps of 8 images that tell accuracies of two bands or none; the images at which the rule stops the clock."""
    for pair in accuracies:
        bands = {f"bands/{name}/accuracy": torch.tensor(value) for name, value in zip("ab", pair, strict=False)}
        step(toy, rule, terms={"generator/a/adversarial": torch.tensor(1.0)} | bands)
        if toy.clock.finished:
            return toy.clock.images_seen
    return None


@pytest.mark.parametrize(
    ("accuracies", "settings", "stops"),
    [
        ([(0.5, 0.52)] * 30, {}, 160),
        ([(0.5, 0.8)] * 60, {}, None),  # every discriminator
        ([(0.9, 0.9)] * 10 + [(0.5, 0.5)] * 30, {}, 240),  # the whole window
        ([(0.5, 0.5)] * 18 + [(0.9, 0.5)] * 2 + [(0.5, 0.5)] * 30, {}, 320),  # a tenth out of it begins anew
        ([(0.4, 0.6), (0.6, 0.4)] * 30, {}, 160),  # averaged within a tenth of two steps
        ([(0.2,)] * 20 + [(0.8,)] * 20, {}, None),  # but not beyond
        ([(0.5, 0.5)] * 80, {"not_before": 0.5}, 400 - 16 + 160),
        ([(0.5, 0.5)] * 60, {"images": 10}, 16),  # steps longer than a tenth
        ([(math.nan, 0.5)] * 60, {}, None),
        ([(0.5, 0.5), (), (), (), ()] * 20, {}, 176),  # told now and then: a tenth without waits for the next
        ([(0.5, 0.5), (0.5,)] * 20, {}, 160),  # by some of them
    ],
)
def test_an_equilibrium_ends_the_run(
    accuracies: list[tuple[float, ...]], settings: dict[str, Any], stops: int | None
) -> None:
    rule = Equilibrium(**{"tolerance": 0.05, "images": 160, "not_before": 0.0} | settings)
    assert play(new_system(images=800), rule, accuracies) == stops


def test_an_equilibrium_says_so() -> None:
    toy, rule = new_system(images=800), Equilibrium(images=160, not_before=0.0)
    play(toy, rule, [(0.5, 0.5)] * 20)
    assert toy.clock.stopped == "every discriminator's accuracy stayed within 0.1 of 0.5 over 160 images"


def test_a_continued_equilibrium_stops_at_the_same_image() -> None:
    for cut in (5, 13, 19):
        toy, before = new_system(images=800), Equilibrium(images=160, not_before=0.0)
        assert play(toy, before, [(0.5, 0.5)] * cut) is None
        later = Equilibrium(images=160, not_before=0.0)
        later.load_state_dict(before.state_dict())
        later.on_train_start(toy.trainer, toy)
        assert play(toy, later, [(0.5, 0.5)] * 20) == 160


def test_a_system_without_accuracies_is_refused() -> None:
    with pytest.raises(UserError, match="stop=equilibrium: Toy tells no accuracy of a discriminator"):
        play(new_system(), Equilibrium(), [()])


def test_processes_decide_alike(tmp_path: Path) -> None:
    def scenario() -> Any:
        rank = torch.distributed.get_rank()
        toy, rule = new_system(images=800), Equilibrium(images=160, not_before=0.0)
        own = (0.2, 0.8) if rank else (0.8, 0.2)
        stopped = play(toy, rule, [own] * 30)
        return [stopped, toy.clock.stopped]

    alone, other = on_ranks(2, tmp_path, scenario)
    assert alone == other
    assert alone[0] == 160
