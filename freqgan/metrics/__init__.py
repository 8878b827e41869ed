"""Metrics in torchmetrics' form and the named protocols that run them.

The metric classes are imported when first asked for: torchmetrics takes seconds to import, and composing or
checking a config needs only the protocols.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from freqgan.metrics.caption_judge import CaptionJudge, Verdict
from freqgan.metrics.label_to_image import LabelToImageProtocol
from freqgan.metrics.protocols import GenerationProtocol, NoEvaluation, higher_is_better
from freqgan.metrics.r_precision import JudgeEncoders, RPrecision
from freqgan.metrics.restoration import RestorationProtocol
from freqgan.metrics.retrieval import RetrievalProtocol
from freqgan.metrics.segmentation import JudgeSegmenter, SegmentationProtocol
from freqgan.metrics.text_to_image import Drawn, TextToImageProtocol
from freqgan.metrics.translation import TranslationProtocol

if TYPE_CHECKING:
    from freqgan.metrics.band_statistics import BandStatisticsDistance
    from freqgan.metrics.content import ContentDistance
    from freqgan.metrics.feature_distances import FeatureDistances
    from freqgan.metrics.prdc import PRDC
    from freqgan.metrics.spectrum import SpectrumDistance

__all__ = [
    "PRDC",
    "BandStatisticsDistance",
    "CaptionJudge",
    "ContentDistance",
    "Drawn",
    "FeatureDistances",
    "GenerationProtocol",
    "JudgeEncoders",
    "JudgeSegmenter",
    "LabelToImageProtocol",
    "NoEvaluation",
    "RPrecision",
    "RestorationProtocol",
    "RetrievalProtocol",
    "SegmentationProtocol",
    "SpectrumDistance",
    "TextToImageProtocol",
    "TranslationProtocol",
    "Verdict",
    "higher_is_better",
]


_MODULES = {
    "PRDC": "prdc",
    "BandStatisticsDistance": "band_statistics",
    "ContentDistance": "content",
    "FeatureDistances": "feature_distances",
    "SpectrumDistance": "spectrum",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
