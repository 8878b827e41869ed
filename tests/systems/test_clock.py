from typing import Any

import pytest

from freqgan.systems import Clock
from freqgan.systems import clock as module


def test_images_end_a_run() -> None:
    clock = Clock(images=20)
    clock.start()
    for _ in range(2):
        clock.advance(8, generator=True)
    assert not clock.finished
    assert clock.progress == pytest.approx(0.8)
    clock.advance(8, generator=False)
    assert clock.finished
    assert clock.progress == 1
    assert (clock.images_seen, clock.steps, clock.generator_updates) == (24, 3, 2)


@pytest.mark.parametrize("limit", [{"images": 20}, {"minutes": 1.0}])
def test_a_reason_ends_a_run_and_moves_no_budget(limit: dict[str, Any]) -> None:
    clock = Clock(**limit)
    clock.advance(8, generator=True)
    before = (clock.end, clock.progress)
    clock.stopped = "it is enough"
    assert clock.finished
    assert (clock.end, clock.progress) == before
    later = Clock(**limit)
    later.load_state_dict(clock.state_dict())  # whoever decided that decides again
    assert not later.finished


@pytest.mark.parametrize(("images", "end"), [(None, 60_000), (500, 500)])
def test_minutes_become_images_once(monkeypatch: pytest.MonkeyPatch, images: int | None, end: int) -> None:
    now = 0.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    clock = Clock(images=images, minutes=1.0)
    clock.start()
    monkeypatch.setattr(module, "SPEED_AFTER_SHARE", 1.0)
    for step in range(1, 80):
        now += 5.0 if step < module.WARM_UP_STEPS else 0.01  # slow first steps do not count
        clock.advance(10, generator=True)
        known = clock.end
        assert (known is None) == (step < module.SPEED_AFTER_STEPS)
    assert clock.end == pytest.approx(end, rel=1e-6)


def test_state_continues_a_clock() -> None:
    clock = Clock(minutes=1.0)
    clock.start()
    clock.advance(8, generator=True)
    clock.measured = 1234
    other = Clock(minutes=1.0)
    other.load_state_dict(clock.state_dict())
    assert (other.images_seen, other.end) == (8, 1234)


@pytest.mark.parametrize(
    ("before", "now", "end"),
    [
        ({"minutes": 1.0}, {"images": 99}, 99),
        ({"minutes": 1.0}, {"minutes": 3.0}, 3000),
        ({"minutes": 1.0}, {"minutes": 3.0, "images": 2000}, 2000),
        ({"minutes": 1.0, "images": 500}, {"minutes": 1.0, "images": 700}, 700),
        ({"images": 1000}, {"minutes": 1.0}, None),  # measured anew
    ],
)
def test_another_budget_counts_from_where_a_run_goes_on(
    before: dict[str, Any], now: dict[str, Any], end: int | None
) -> None:
    clock = Clock(**before)
    clock.measured = 1000 if "minutes" in before else None
    other = Clock(**now)
    other.load_state_dict(clock.state_dict())
    assert other.end == end


def test_the_speed_is_measured_over_the_steps_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    monkeypatch.setattr(module, "SPEED_AFTER_SHARE", 1.0)
    clock = Clock(minutes=1.0)
    clock.load_state_dict({"images_seen": 580, "steps": 58, "generator_updates": 58, "seconds": 0.58, "minutes": 1.0})
    clock.start()
    for step in range(1, module.SPEED_AFTER_STEPS + 1):
        assert clock.end is None
        now += 5.0 if step < module.WARM_UP_STEPS else 0.01
        clock.advance(10, generator=True)
    assert clock.end == pytest.approx(60_000, rel=1e-6)


def test_images_end_a_run_before_its_speed_is_known() -> None:
    clock = Clock(images=20, minutes=60.0)
    for _ in range(2):
        assert not clock.finished
        clock.advance(10, generator=True)
    assert clock.finished


def test_a_multiple_is_crossed_once() -> None:
    clock = Clock(images=100)
    clock.start()
    crossed = []
    for _ in range(10):
        clock.advance(8, generator=True)
        crossed.append(clock.crossed(20, 8))
    assert [i for i, c in enumerate(crossed) if c] == [2, 4, 7, 9]


def test_long_steps_are_measured_over_a_share_of_the_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    clock = Clock(minutes=10.0)
    clock.start()
    while clock.end is None:
        now += 20.0
        clock.advance(10, generator=True)
    assert clock.steps == module.WARM_UP_STEPS + 1
    assert clock.end == 300  # a step of ten images in twenty seconds
