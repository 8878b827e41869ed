"""The game of a text-conditioned GAN's stages: what each discriminator judges, and the losses with their halves.

Reference: patent CN113781598B, claims 5–7: one task per discriminator, realism in stage 1, the match with the sentence
in stage 2 and with the mean word in stage 3, each loss with the factor ½; the Wasserstein game's penalty has it too, so
that λ keeps its meaning. AttnGAN's (Xu et al. 2018, eqs. 5 and 6) judge realism and match at once: the sum of two such
losses. Mismatched pairs, real images with another image's caption, are an option (Reed et al. 2016), or with
an altered one: they and the generated images make up half each of what does not match. Departure from AttnGAN's code:
its generator's losses have no ½, and its discriminators' negatives count a third each.
"""

from collections.abc import Mapping
from functools import partial
from typing import Literal, NamedTuple, final

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from freqgan.errors import UserError
from freqgan.losses import AdversarialLoss, interpolation_penalties, r1_penalties
from freqgan.ops.global_batch import gather_rows, rank
from freqgan.systems.rules import Terms
from freqgan.systems.text_tasks import Task, condition_of
from freqgan.text import Said, Text

ByStage = Mapping[str, Tensor]
Conditions = Mapping[str, Tensor | None]
Mismatched = Literal["none", "others", "altered"]


class Wrong(NamedTuple):
    """Vectors of a wrong caption for each image of this process, by stage, and whether there is one."""

    conditions: Conditions
    found: Bool[Tensor, "b"]


@final
class TextGame:
    """What the discriminators make of generated and of real images, by stage.

    Args:
        judges: a discriminator per stage, images and conditions to logits of its tasks (b, n).
        tasks: of each.
        loss: the adversarial pair, the same for every task.
        mismatched: wrong captions that discriminators who judge a match see real images with: those of other images,
            or altered ones.
        altered: how many wrong captions are made of each one.

    Raises:
        UserError: none are made, but discriminators are to see some.
    """

    def __init__(
        self,
        judges: nn.ModuleDict,
        tasks: Mapping[str, Task],
        loss: AdversarialLoss,
        *,
        mismatched: Mismatched = "none",
        altered: int = 0,
    ) -> None:
        if mismatched == "altered" and not altered:
            raise UserError("model.mismatched=altered needs captions that are altered: set model.altered=1")
        self.judges = judges
        self.tasks = dict(tasks)
        self.loss = loss
        self.mismatched = mismatched

    def conditions(self, text: Text) -> dict[str, Tensor | None]:
        """The vectors that images of each stage are to match."""
        return {stage: condition_of(text, task["condition"]) for stage, task in self.tasks.items()}

    def wrong(self, said: Said, conditions: Conditions) -> Wrong | None:
        """What real images are seen not to match, if they are shown anything such."""
        if self.mismatched == "none":
            return None
        if self.mismatched == "others":
            return of_others(conditions, said.allowed, len(said.text))
        assert said.altered is not None
        return Wrong(self.conditions(said.altered.first), said.altered.known[:, 0])

    def logits(self, images: ByStage, *conditions: Conditions) -> dict[str, Tensor]:
        """Logits of every task: realism, the match, the match with a wrong caption where one is given."""
        given = {stage: [of[stage] for of in conditions if of[stage] is not None] for stage in images}
        return {stage: self.judges[stage](image, *given[stage]) for stage, image in images.items()}

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
        """½ the adversarial loss, summed over tasks, and every discriminator's mean accuracy in them to be noted."""
        terms, notes = Terms(), Terms()
        shown = (conditions,) if wrong is None else (conditions, wrong.conditions)
        of_real, of_fake = self.logits(real, *shown), self.logits(fake, conditions)
        for stage in of_real:
            ours, theirs = of_real[stage].unbind(1), of_fake[stage].unbind(1)
            losses = [self.loss.discriminator(x, y) for x, y in zip(ours, theirs, strict=False)]
            if wrong is not None and conditions[stage] is not None:
                # An image without a wrong caption has its generated one for all that does not match.
                negative = torch.where(wrong.found, ours[-1], theirs[-1])
                losses[-1] = (losses[-1] + self.loss.discriminator(ours[-2], negative)) / 2
            terms[f"{stage}/adversarial"] = torch.stack(losses).sum() / 2
            accuracies = [self.loss.accuracy(x, y) for x, y in zip(ours, theirs, strict=False)]
            notes[f"discriminator/{stage}/accuracy"] = torch.stack(accuracies).mean()
        return terms, notes

    def r1_terms(self, real: ByStage, conditions: Conditions) -> Terms:
        """R1 of every discriminator, summed over tasks: gradients of two tasks may be opposite, and cancel."""
        return _summed("r1", r1_penalties(partial(self._by_task, conditions), self._for_tasks(real)))

    def gradient_penalty_terms(self, real: ByStage, fake: ByStage, conditions: Conditions, mix: ByStage) -> Terms:
        """½ the penalty between real and generated images of every discriminator, summed over tasks.

        Args:
            real: images.
            fake: generated images, detached.
            conditions: that both are to match.
            mix: numbers in [0, 1), (b,) by stage.
        """
        inputs = [self._for_tasks(values) for values in (real, fake, mix)]
        penalties = _summed("gradient_penalty", interpolation_penalties(partial(self._by_task, conditions), *inputs))
        return {name: self.loss.gradient_penalty * value / 2 for name, value in penalties.items()}

    def _for_tasks(self, values: ByStage) -> dict[str, Tensor]:
        """The values of a stage for each of its discriminator's tasks, by `stage/number`."""
        counts = {stage: task["realism"] + (task["condition"] != "none") for stage, task in self.tasks.items()}
        return {f"{stage}/{number}": value for stage, value in values.items() for number in range(counts[stage])}

    def _by_task(self, conditions: Conditions, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Logits of one task for each of the images, which are named as by `_for_tasks`."""
        found = {}
        for name, image in images.items():
            stage, number = name.split("/")
            found[name] = self.logits({stage: image}, conditions)[stage][:, int(number)]
        return found


def _summed(term: str, penalties: Mapping[str, Tensor]) -> Terms:
    """Of all tasks of a stage, as a term of it."""
    terms = Terms()
    for name, value in penalties.items():
        of_stage = f"{name.split('/')[0]}/{term}"
        terms[of_stage] = terms[of_stage] + value if of_stage in terms else value
    return terms


def of_others(conditions: Conditions, allowed: Bool[Tensor, "n n"], count: int) -> Wrong:
    """The next caption of the global batch, round and round, that says something else of another image.

    Args:
        conditions: vectors of this process's captions by stage.
        allowed: which captions may stand against which images.
        count: rows of this process.
    """
    first, n = rank() * count, len(allowed)
    own = torch.arange(first, first + count, device=allowed.device)
    round_and_round = (own[:, None] + torch.arange(1, n + 1, device=allowed.device)) % n  # (b, n), the last one its own
    steps = allowed[own[:, None], round_and_round].int().argmax(1, keepdim=True)  # to the first that may
    rows = round_and_round.gather(1, steps)[:, 0]
    others = {stage: None if of is None else gather_rows(of)[rows] for stage, of in conditions.items()}
    return Wrong(others, steps[:, 0] < n - 1)
