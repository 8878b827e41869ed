"""Losses: a pure function and a thin Module each."""

from freqgan.losses.adversarial import BCE, LSGAN, WGANGP, AdversarialLoss, Hinge, NonSaturating
from freqgan.losses.feature_statistics import FeatureStatistics, feature_statistics
from freqgan.losses.focal_frequency import FocalFrequencyLoss, focal_frequency
from freqgan.losses.gradient_penalty import interpolation_penalty, r1_penalty

__all__ = [
    "BCE",
    "LSGAN",
    "WGANGP",
    "AdversarialLoss",
    "FeatureStatistics",
    "FocalFrequencyLoss",
    "Hinge",
    "NonSaturating",
    "feature_statistics",
    "focal_frequency",
    "interpolation_penalty",
    "r1_penalty",
]
