"""Losses: a pure function and a thin Module each."""

from freqgan.losses.adversarial import BCE, LSGAN, WGANGP, AdversarialLoss, Hinge, NonSaturating
from freqgan.losses.gradient_penalty import interpolation_penalty, r1_penalty

__all__ = [
    "BCE",
    "LSGAN",
    "WGANGP",
    "AdversarialLoss",
    "Hinge",
    "NonSaturating",
    "interpolation_penalty",
    "r1_penalty",
]
