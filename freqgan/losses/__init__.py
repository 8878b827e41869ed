"""Losses: a pure function and a thin Module each."""

from freqgan.losses.adversarial import BCE, LSGAN, WGANGP, AdversarialLoss, Hinge, NonSaturating, RelativisticAverage
from freqgan.losses.feature_statistics import FeatureStatistics, feature_statistics
from freqgan.losses.focal_frequency import FocalFrequencyLoss, focal_frequency
from freqgan.losses.gradient_penalty import interpolation_penalties, r1_gamma, r1_penalties
from freqgan.losses.image_text import allowed_pairs, sentence_matching, word_region_matching, word_region_scores
from freqgan.losses.kl_divergence import kl_divergence
from freqgan.losses.multiscale import multiscale_l1
from freqgan.losses.perceptual import PerceptualLoss, perceptual

__all__ = [
    "BCE",
    "LSGAN",
    "WGANGP",
    "AdversarialLoss",
    "FeatureStatistics",
    "FocalFrequencyLoss",
    "Hinge",
    "NonSaturating",
    "PerceptualLoss",
    "RelativisticAverage",
    "allowed_pairs",
    "feature_statistics",
    "focal_frequency",
    "interpolation_penalties",
    "kl_divergence",
    "multiscale_l1",
    "perceptual",
    "r1_gamma",
    "r1_penalties",
    "sentence_matching",
    "word_region_matching",
    "word_region_scores",
]
