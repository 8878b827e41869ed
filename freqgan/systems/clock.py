"""The clock of a run: images seen, and the budget it is measured against.

Everything that happens "every so often" or "by the end" asks this object, never Lightning's `global_step`, which counts
each player's optimiser step.
"""

import time
from dataclasses import dataclass, field
from typing import Any, final

SPEED_AFTER_STEPS = 60  # or after this share of the minutes, where steps are long
SPEED_AFTER_SHARE = 0.1
WARM_UP_STEPS = 5
COUNTS = ("images_seen", "steps", "generator_updates", "seconds")
KEPT = (*COUNTS, "minutes", "measured")  # in checkpoints


@final
@dataclass
class Clock:
    """Counts of a run and its end.

    Args:
        images: budget in real samples taken from the training stream, over all ranks; None for no such limit.
        minutes: budget in training time; it is turned into images once, from the speed of the steps after a warm-up,
            and that count is kept in the checkpoint.

    Attributes:
        images_seen: samples taken so far, those of critic-only updates included.
        steps: updates of the discriminator, or of the generator where there is none or it rests.
        generator_updates: updates of the generator.
        seconds: training time, over all processes that continued this run.
        measured: images that the minutes come to; None until that is known.
        stopped: why the run ends here, before its budget; None if it does not. Whoever decides that keeps it.
    """

    images: int | None = None
    minutes: float | None = None
    images_seen: int = 0
    steps: int = 0
    generator_updates: int = 0
    seconds: float = 0.0
    measured: int | None = None
    stopped: str | None = None
    _started: float = field(default=0.0, repr=False)
    _before: tuple[int, float] = field(default=(0, 0.0), repr=False)  # steps and seconds of other processes
    _measured_from: tuple[int, float] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Time runs from now, for this process."""
        self._started = time.monotonic() - self.seconds
        self._before, self._measured_from = (self.steps, self.seconds), None

    def advance(self, images: int, *, generator: bool) -> None:
        """One whole step is done."""
        self.images_seen += images
        self.steps += 1
        self.generator_updates += generator
        self.seconds = time.monotonic() - self._started
        if self.measured is None and self.minutes is not None:
            self._measure(self.minutes)

    def _measure(self, minutes: float) -> None:
        steps, running = self.steps - self._before[0], self.seconds - self._before[1]
        if self._measured_from is None:
            if steps >= WARM_UP_STEPS:
                self._measured_from = (self.images_seen, self.seconds)
            return
        images, seconds = self._measured_from
        long_enough = steps >= SPEED_AFTER_STEPS or running >= SPEED_AFTER_SHARE * minutes * 60
        if long_enough and self.images_seen > images:
            speed = (self.images_seen - images) / max(self.seconds - seconds, 1e-9)
            self.measured = max(self.images_seen, round(minutes * 60 * speed))

    @property
    def end(self) -> int | None:
        """Images at which the run ends; None while minutes have not been turned into images."""
        if self.minutes is None or self.measured is None:
            return self.images if self.minutes is None else None
        return self.measured if self.images is None else min(self.measured, self.images)

    @property
    def started(self) -> bool:
        """Whether this process has come to its first step."""
        return self._started != 0.0

    @property
    def progress(self) -> float:
        """Share of the budget that is used, in [0, 1]; 0 while the budget is not known in images."""
        return min(self.images_seen / self.end, 1.0) if self.end else 0.0

    @property
    def finished(self) -> bool:
        """Whether the budget is used up, or the run was stopped before."""
        limit = self.images if self.end is None else self.end
        return self.stopped is not None or (limit is not None and self.images_seen >= limit)

    def crossed(self, every: int, step_images: int) -> bool:
        """Whether the last step, of `step_images`, reached or passed a multiple of `every` images."""
        return self.images_seen // every > (self.images_seen - step_images) // every

    def state_dict(self) -> dict[str, Any]:
        """Plain numbers that continue the clock."""
        return {name: getattr(self, name) for name in KEPT}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues from `state_dict`; the budget is today's, and other minutes come to as many more or fewer images.

        Raises:
            ValueError: something in it is no number.
        """
        if wrong := [name for name in KEPT if not isinstance(state.get(name), int | float | None)]:
            raise ValueError(f"clock.{wrong[0]}={state[wrong[0]]!r} is no number")
        for name in COUNTS:
            setattr(self, name, state[name])
        then, measured, self.measured = state.get("minutes"), state.get("measured"), None
        if self.minutes is not None and then and measured:
            self.measured = round(measured * self.minutes / then)
