"""Adversarial pairs: what the discriminator and the generator minimise, as functions of raw logits.

Logits have any shape: one per image, or a map of patches; every loss is the mean over all of them, and a
discriminator's loss is the sum of its real and its fake half. None of these functions applies a sigmoid outside the
loss, so discriminators end in a linear layer.
"""

from abc import ABC, abstractmethod
from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from freqgan.limits import NonNegative
from freqgan.ops.global_batch import gather_rows

Logits = Float[Tensor, "*shape"]


class AdversarialLoss(nn.Module, ABC):
    """The two losses of one game.

    Attributes:
        gradient_penalty: weight of the penalty on the critic's gradient between real and fake; 0 computes none.
        relative: whether the generator's loss is a function of real images' logits too.
        boundary: the logit above which an image counts as real; None where logits mean something only beside others.
    """

    gradient_penalty: float = 0.0
    relative: bool = False
    boundary: float | None = 0.0

    @torch.no_grad()
    def accuracy(self, real: Logits, fake: Logits) -> Float[Tensor, ""]:
        """The mean of two shares: of real images taken for real, and of generated ones taken for generated.

        Without a boundary an image is taken for real that looks more so than the others do on average.
        """
        bars = (_mean(fake), _mean(real)) if self.boundary is None else (self.boundary, self.boundary)
        share: Tensor = ((real > bars[0]).float().mean() + (fake < bars[1]).float().mean()) / 2
        return share

    @abstractmethod
    def discriminator(self, real: Logits, fake: Logits) -> Float[Tensor, ""]:
        """The discriminator's loss for logits of real and of generated images."""

    @abstractmethod
    def generator(self, fake: Logits, real: Logits | None = None) -> Float[Tensor, ""]:
        """The generator's loss for logits of its images, and of real ones where it is `relative`."""


def bce(logits: Logits, target: float) -> Float[Tensor, ""]:
    """Binary cross-entropy of logits against one target in [0, 1].

    >>> round(bce(torch.zeros(2), 1.0).item(), 4)  # ln 2
    0.6931
    """
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


@final
class BCE(AdversarialLoss):
    """The original game (Goodfellow et al. 2014, eq. 1) as DCGAN plays it.

    Args:
        real_label: target of real images; 0.9 is one-sided label smoothing (Salimans et al. 2016, §3.4).
        saturating: the generator minimises log(1 − D) as in eq. 1, instead of −log D.

    >>> loss = BCE()
    >>> round(loss.discriminator(torch.zeros(1), torch.zeros(1)).item(), 4)  # 2 ln 2
    1.3863
    """

    def __init__(self, *, real_label: float = 1.0, saturating: bool = False) -> None:
        super().__init__()
        self.real_label = real_label
        self.saturating = saturating

    def discriminator(self, real: Logits, fake: Logits) -> Float[Tensor, ""]:
        """−E log D(real) − E log(1 − D(fake))."""
        return bce(real, self.real_label) + bce(fake, 0.0)

    def generator(self, fake: Logits, real: Logits | None = None) -> Float[Tensor, ""]:
        """−E log D(fake), or E log(1 − D(fake)) where `saturating`."""
        return -bce(fake, 0.0) if self.saturating else bce(fake, 1.0)


@final
class NonSaturating(AdversarialLoss):
    """The logistic game by softplus, without labels (Goodfellow et al. 2014, §3; the form used with R1).

    >>> round(NonSaturating().generator(torch.zeros(1)).item(), 4)  # ln 2
    0.6931
    """

    def discriminator(self, real: Logits, fake: Logits) -> Float[Tensor, ""]:
        """E softplus(−real) + E softplus(fake)."""
        return F.softplus(-real).mean() + F.softplus(fake).mean()

    def generator(self, fake: Logits, real: Logits | None = None) -> Float[Tensor, ""]:
        """E softplus(−fake)."""
        return F.softplus(-fake).mean()


@final
class Hinge(AdversarialLoss):
    """The hinge game (Lim & Ye 2017; Miyato et al. 2018, eqs. 16–17).

    >>> Hinge().discriminator(torch.tensor([2.0]), torch.tensor([0.5])).item()  # 0 + 1.5
    1.5
    """

    def discriminator(self, real: Logits, fake: Logits) -> Float[Tensor, ""]:
        """E max(0, 1 − real) + E max(0, 1 + fake)."""
        return F.relu(1 - real).mean() + F.relu(1 + fake).mean()

    def generator(self, fake: Logits, real: Logits | None = None) -> Float[Tensor, ""]:
        """−E fake."""
        return -fake.mean()


@final
class LSGAN(AdversarialLoss):
    """The least-squares game with targets 1 and 0 and the factor ½ (Mao et al. 2017, eq. 2).

    Args:
        half_generator: whether the generator's loss has the factor too; CycleGAN and pix2pixHD have it without.

    >>> LSGAN().discriminator(torch.tensor([3.0]), torch.tensor([1.0])).item()  # (2² + 1²) / 2
    2.5
    """

    boundary = 0.5

    def __init__(self, *, half_generator: bool = True) -> None:
        super().__init__()
        self.half_generator = half_generator

    def discriminator(self, real: Logits, fake: Logits) -> Float[Tensor, ""]:
        """½ E (real − 1)² + ½ E fake²."""
        return ((real - 1).square().mean() + fake.square().mean()) / 2

    def generator(self, fake: Logits, real: Logits | None = None) -> Float[Tensor, ""]:
        """½ E (fake − 1)², or twice that."""
        return (fake - 1).square().mean() / (2 if self.half_generator else 1)


@final
class WGANGP(AdversarialLoss):
    """The Wasserstein game with gradient penalty (Gulrajani et al. 2017, eq. 3).

    Args:
        gradient_penalty: λ of eq. 3.

    >>> WGANGP().discriminator(torch.tensor([3.0]), torch.tensor([1.0])).item()
    -2.0
    """

    boundary = None

    def __init__(self, *, gradient_penalty: NonNegative = 10.0) -> None:
        super().__init__()
        self.gradient_penalty = gradient_penalty

    def discriminator(self, real: Logits, fake: Logits) -> Float[Tensor, ""]:
        """E fake − E real; the penalty is a term of its own."""
        return fake.mean() - real.mean()

    def generator(self, fake: Logits, real: Logits | None = None) -> Float[Tensor, ""]:
        """−E fake."""
        return -fake.mean()


@final
class RelativisticAverage(AdversarialLoss):
    """The relativistic average game: which images look more real than the others do on average.

    Reference: Jolicoeur-Martineau 2018, RaSGAN, with D_Ra(x, y) = σ(D(x) − E D(y)) and means over the batches of all
    processes. Patent CN111369440A has the generator's side; its words call D_Ra(SR, HR) "more fake", with which its
    formula would train nothing. ESRGAN's code halves both losses.

    >>> loss, real, fake = RelativisticAverage(), torch.tensor([1.0]), torch.tensor([0.0])
    >>> round(loss.discriminator(real, fake).item(), 4)  # 2 ln(1 + 1/e)
    0.6265
    """

    relative = True
    boundary = None

    def discriminator(self, real: Logits, fake: Logits) -> Float[Tensor, ""]:
        """−E log D_Ra(real, fake) − E log(1 − D_Ra(fake, real))."""
        return bce(real - _mean(fake), 1.0) + bce(fake - _mean(real), 0.0)

    def generator(self, fake: Logits, real: Logits | None = None) -> Float[Tensor, ""]:
        """−E log(1 − D_Ra(real, fake)) − E log D_Ra(fake, real); logits of real images are constants."""
        if real is None:
            raise ValueError("the relativistic loss of the generator needs logits of real images")
        real = real.detach()
        return bce(real - _mean(fake), 0.0) + bce(fake - _mean(real), 1.0)


def _mean(logits: Logits) -> Float[Tensor, ""]:
    """Over the rows of all processes."""
    mean: Tensor = gather_rows(logits).mean()
    return mean
