"""What generators see of other bands while they train: generated bands or real ones, by a schedule."""

from collections.abc import Callable, Collection, Sequence
from typing import Literal, TypedDict, final

from torch import Tensor

from freqgan.errors import UserError
from freqgan.networks import BandDiscriminators
from freqgan.networks.band_gans import BandGAN
from freqgan.networks.band_generators import Teacher

Order = Literal["together", "low_first", "high_first"]


class RealContext(TypedDict, total=False):
    """How many samples have real bands for context, linearly over the budget.

    Keys:
        start: share at the beginning; 1 is LAPGAN's training, where no generator waits for another.
        end: share from `until` on.
        until: progress of the budget at which it is reached, in (0, 1].
    """

    start: float
    end: float
    until: float


@final
class BandSchedule:
    """Which GANs train, and which samples are taught, as functions of the budget's progress in [0, 1].

    Args:
        gans: all of them.
        real: how many samples see real bands.
        order: low bands' GANs and high bands' together, or one kind until `switch` and then the other (patent
            CN112529975A, [0098]). The kind that is yet to come is real in what the other one sees; the one that is
            done rests.
        switch: progress at which the kinds change.

    Raises:
        UserError: a number is out of range, or an order where a GAN makes both kinds of bands or there is one kind.
    """

    def __init__(self, gans: Sequence[BandGAN], real: RealContext, order: Order, switch: float) -> None:
        self.start, self.end, self.until = real.get("start", 0.0), real.get("end", 0.0), real.get("until", 1.0)
        for name, value in (("start", self.start), ("end", self.end), ("until", self.until)):
            if not 0 <= value <= 1 or (name == "until" and value == 0):
                raise UserError(f"model.cascade_real.{name}={value} must lie between 0 and 1")
        if not 0 < switch < 1:
            raise UserError(f"model.training_switch={switch} must lie between 0 and 1")
        kinds = {gan.low for gan in gans}
        if order != "together" and kinds != {True, False}:
            raise UserError(
                f"model.training_order={order} needs GANs of low and of high bands, each of one kind alone: "
                "set model.gans=band and a transform of several bands, or model.training_order=together"
            )
        self.gans = list(gans)
        self.order = order
        self.switch = switch

    def resting(self, progress: float) -> frozenset[str]:
        """Names of GANs that do not train now; the whole image's is one while a kind of bands is yet to come."""
        if self.order == "together":
            return frozenset()
        first = progress < self.switch
        low_now = first == (self.order == "low_first")
        resting = {gan.name for gan in self.gans if gan.low != low_now}
        return frozenset({*resting, BandDiscriminators.WHOLE} if first else resting)

    def real_share(self, progress: float) -> float:
        """Share of samples that see real bands."""
        return self.start + (self.end - self.start) * min(progress / self.until, 1.0)

    @property
    def teaches(self) -> bool:
        """Whether samples ever see real bands."""
        return self.start > 0 or self.end > 0

    def teacher(
        self, real: dict[str, Tensor], draw: Callable[[], Tensor], lows: Collection[str], progress: float
    ) -> Teacher | None:
        """What stands in for generated bands now; None for nothing.

        Args:
            real: every band of the real images.
            draw: makes numbers, uniform in [0, 1), one per sample.
            lows: names of the bands of lowest frequencies.
            progress: of the budget.
        """
        share = self.real_share(progress)
        to_come: Collection[str] = ()
        if self.order != "together" and progress < self.switch:
            to_come = lows if self.order == "high_first" else [name for name in real if name not in lows]
        if share == 0 and not to_come:
            return None
        rows = None if share >= 1 else draw() < share
        return Teacher(real, rows, frozenset(to_come))


def shown(bands: dict[str, Tensor], teacher: Teacher | None, *, gradient: bool) -> dict[str, Tensor]:
    """Bands as the discriminators of others see them: those of this step's image, real where generators were taught.

    Where generators saw what an earlier pass or step made, these are not the bands that they saw.
    """
    seen = bands if teacher is None else {name: teacher.shown(name, band) for name, band in bands.items()}
    return seen if gradient else {name: band.detach() for name, band in seen.items()}
