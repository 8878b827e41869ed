"""How settings of the optimisers depend on the player, on the budget's progress and on the phase."""

from math import cos, pi
from typing import Literal, TypedDict

from freqgan.limits import NonNegative, Share

Schedule = Literal["constant", "linear_decay", "cosine"]
SCHEDULING, PLAYERS = ("schedule", "decay_from"), ("generator", "discriminator")


class Override(TypedDict, total=False):
    """Settings of one player that differ from the shared ones."""

    lr: NonNegative
    betas: tuple[Share, Share]
    eps: NonNegative
    weight_decay: NonNegative
    momentum: NonNegative
    alpha: Share


class Course(TypedDict, total=False):
    """How settings depend on the player and on the progress p of the budget, in [0, 1].

    Keys:
        schedule: of the learning rate: `constant`; `linear_decay`, constant until `decay_from` and then linear to 0
            (CycleGAN's schedule for 0.5); `cosine`, constant until `decay_from` and then half a period to 0.
        decay_from: progress at which a decay begins, in [0, 1).
        generator: settings of the generator alone.
        discriminator: settings of the discriminator alone.
    """

    schedule: Schedule
    decay_from: Share
    generator: Override | None
    discriminator: Override | None


class PhaseOptim(Override, Course, total=False):
    """Settings that differ within a phase; a schedule given here runs over the phase, and not over the budget."""


def decay(schedule: Schedule, start: float, progress: float) -> float:
    """Learning rate relative to its start, for progress in [0, 1] and a decay that begins at `start`.

    >>> [decay(schedule, 0.5, 0.75) for schedule in ("constant", "linear_decay")]
    [1.0, 0.5]
    """
    left = min(max((1 - progress) / (1 - start), 0.0), 1.0)
    match schedule:
        case "constant":
            return 1.0
        case "linear_decay":
            return left
        case "cosine":
            return (1 - cos(pi * left)) / 2
