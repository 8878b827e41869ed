"""The game of a text-conditioned GAN's stages: what each discriminator judges, and the losses with their halves.

Reference: patent CN113781598B, claims 5–7: one task per discriminator, realism in stage 1, the match with the sentence
in stage 2 and with the mean word in stage 3, each loss with the factor ½. AttnGAN's (Xu et al. 2018, eqs. 5 and 6)
judge realism and match at once: the sum of two such losses. Mismatched pairs, real images with another image's caption,
are an option (Reed et al. 2016): they and the generated images make up half each of what does not match. Departure from
AttnGAN's code: its generator's losses have no ½, and its discriminators' negatives count a third each.
"""

from collections.abc import Mapping
from typing import NamedTuple, final

import torch
from jaxtyping import Bool, Int
from torch import Tensor, nn

from freqgan.losses import AdversarialLoss, interpolation_penalties, r1_penalties
from freqgan.ops.global_batch import gather_rows, rank
from freqgan.systems.rules import Terms
from freqgan.systems.text_tasks import Task, condition_of
from freqgan.text import Text

ByStage = Mapping[str, Tensor]
Conditions = Mapping[str, Tensor | None]


class Wrong(NamedTuple):
    """For each image of this process a caption of another one, by its row of the global batch, if there is any."""

    rows: Int[Tensor, "b"]
    found: Bool[Tensor, "b"]


@final
class TextGame:
    """What the discriminators make of generated and of real images, by stage.

    Args:
        judges: a discriminator per stage, images and conditions to logits of its tasks (b, n).
        tasks: of each.
        loss: the adversarial pair, the same for every task.
        mismatched: whether discriminators that judge a match see real images with wrong captions too.
    """

    def __init__(
        self, judges: nn.ModuleDict, tasks: Mapping[str, Task], loss: AdversarialLoss, *, mismatched: bool
    ) -> None:
        self.judges = judges
        self.tasks = dict(tasks)
        self.loss = loss
        self.mismatched = mismatched

    def conditions(self, text: Text) -> dict[str, Tensor | None]:
        """The vectors that images of each stage are to match."""
        return {stage: condition_of(text, task["condition"]) for stage, task in self.tasks.items()}

    def logits(self, images: ByStage, conditions: Conditions, wrong: Wrong | None = None) -> dict[str, Tensor]:
        """Logits of every task: realism, the match, the match with a wrong caption."""
        return {stage: self.judges[stage](image, *_given(conditions[stage], wrong)) for stage, image in images.items()}

    def generator_terms(self, real: ByStage, fake: ByStage, conditions: Conditions) -> Terms:
        """½ the adversarial loss, summed over tasks; real images are judged only where it looks at them."""
        with torch.no_grad():
            of_real = self.logits(real, conditions) if self.loss.relative else {}
        terms = {}
        for stage, logits in self.logits(fake, conditions).items():
            tasks = logits.unbind(1)
            others = of_real[stage].unbind(1) if of_real else (None,) * len(tasks)
            losses = [self.loss.generator(mine, theirs) for mine, theirs in zip(tasks, others, strict=True)]
            terms[f"{stage}/adversarial"] = torch.stack(losses).sum() / 2
        return terms

    def discriminator_terms(
        self, real: ByStage, fake: ByStage, conditions: Conditions, wrong: Wrong | None = None
    ) -> tuple[Terms, Terms]:
        """½ the adversarial loss, summed over tasks, and the accuracy of every discriminator to be noted."""
        terms, notes = Terms(), Terms()
        of_real, of_fake = self.logits(real, conditions, wrong), self.logits(fake, conditions)
        for stage in of_real:
            ours, theirs = of_real[stage].unbind(1), of_fake[stage].unbind(1)
            losses = [self.loss.discriminator(x, y) for x, y in zip(ours, theirs, strict=False)]
            if wrong is not None and conditions[stage] is not None:
                # An image without a wrong caption has its generated one for all that does not match.
                negative = torch.where(wrong.found, ours[-1], theirs[-1])
                losses[-1] = (losses[-1] + self.loss.discriminator(ours[-2], negative)) / 2
            terms[f"{stage}/adversarial"] = torch.stack(losses).sum() / 2
            notes[f"discriminator/{stage}/accuracy"] = self.loss.accuracy(
                of_real[stage][:, : len(theirs)], of_fake[stage]
            )
        return terms, notes

    def r1_terms(self, real: ByStage, conditions: Conditions) -> Terms:
        """R1 of every discriminator."""
        penalties = r1_penalties(lambda images: self.logits(images, conditions), real)
        return {f"{stage}/r1": value for stage, value in penalties.items()}

    def gradient_penalty_terms(self, real: ByStage, fake: ByStage, conditions: Conditions, mix: ByStage) -> Terms:
        """The penalty between real and generated images of every discriminator.

        Args:
            real: images.
            fake: generated images, detached.
            conditions: that both are to match.
            mix: numbers in [0, 1), (b,) by stage.
        """
        penalties = interpolation_penalties(lambda images: self.logits(images, conditions), real, fake, mix)
        return {f"{stage}/gradient_penalty": self.loss.gradient_penalty * x for stage, x in penalties.items()}


def wrong_captions(allowed: Bool[Tensor, "n n"], count: int) -> Wrong:
    """The next caption of the global batch, round and round, that says something else of another image.

    Args:
        allowed: which captions may stand against which images.
        count: rows of this process.
    """
    first, n = rank() * count, len(allowed)
    own = torch.arange(first, first + count, device=allowed.device)
    round_and_round = (own[:, None] + torch.arange(1, n + 1, device=allowed.device)) % n  # (b, n), the last one its own
    steps = allowed[own[:, None], round_and_round].int().argmax(1, keepdim=True)  # to the first that may
    return Wrong(round_and_round.gather(1, steps)[:, 0], steps[:, 0] < n - 1)


def _given(condition: Tensor | None, wrong: Wrong | None) -> list[Tensor]:
    if condition is None:
        return []
    return [condition] if wrong is None else [condition, gather_rows(condition)[wrong.rows]]
