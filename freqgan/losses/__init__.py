"""Losses: a pure function and a thin Module each."""

from freqgan.losses.adversarial import BCE, LSGAN, WGANGP, AdversarialLoss, Hinge, NonSaturating, RelativisticAverage
from freqgan.losses.feature_matching import feature_matching
from freqgan.losses.feature_statistics import FeatureStatistics, feature_statistics
from freqgan.losses.focal_frequency import FocalFrequencyLoss, focal_frequency
from freqgan.losses.gradient_penalty import interpolation_penalties, r1_gamma, r1_penalties
from freqgan.losses.image_text import allowed_pairs, sentence_matching, word_region_matching, word_region_scores
from freqgan.losses.kl_divergence import kl_divergence
from freqgan.losses.multiscale import multiscale_l1
from freqgan.losses.perceptual import PerceptualLoss, perceptual
from freqgan.losses.segmentation import rarity, segmentation_loss
from freqgan.losses.squared_error import half_squared_error

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
    "feature_matching",
    "feature_statistics",
    "focal_frequency",
    "half_squared_error",
    "interpolation_penalties",
    "kl_divergence",
    "multiscale_l1",
    "perceptual",
    "r1_gamma",
    "r1_penalties",
    "rarity",
    "segmentation_loss",
    "sentence_matching",
    "word_region_matching",
    "word_region_scores",
]
