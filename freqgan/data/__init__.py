"""Images by index, a training stream over them, and the one DataModule that feeds Lightning."""

from typing import TYPE_CHECKING, Any

from freqgan.data.aligned_crops import AlignedCrops
from freqgan.data.augment import Augment
from freqgan.data.base import ImageDataset, Sample
from freqgan.data.captioned_folder import CaptionedFolder
from freqgan.data.captions import Captioned
from freqgan.data.decode import UnreadableImageError, decode
from freqgan.data.domain_crops import DomainCrops
from freqgan.data.domains import TwoDomains
from freqgan.data.earth_tiles import EarthTiles
from freqgan.data.emoji_styles import EmojiStyles
from freqgan.data.image_folder import ImageFolder
from freqgan.data.label_folder import LabelFolder
from freqgan.data.map_tiles import MapTiles
from freqgan.data.openmoji import OpenMoji
from freqgan.data.openmoji_lines import OpenMojiLines
from freqgan.data.paired_folders import PairedFolders
from freqgan.data.photo_folder import PhotoFolder
from freqgan.data.ranges import to_bytes, to_signed_range
from freqgan.data.scenes import Scenes
from freqgan.data.shards import Shards
from freqgan.data.side_by_side import SideBySide
from freqgan.data.splits import Split
from freqgan.data.stage import Stage
from freqgan.data.stream import Draws, TrainingStream, training_loader
from freqgan.data.two_views import TwoViews
from freqgan.data.unpaired_folders import UnpairedFolders

if TYPE_CHECKING:
    from freqgan.data.datamodule import DataModule

__all__ = [
    "AlignedCrops",
    "Augment",
    "Captioned",
    "CaptionedFolder",
    "DataModule",
    "DomainCrops",
    "Draws",
    "EarthTiles",
    "EmojiStyles",
    "ImageDataset",
    "ImageFolder",
    "LabelFolder",
    "MapTiles",
    "OpenMoji",
    "OpenMojiLines",
    "PairedFolders",
    "PhotoFolder",
    "Sample",
    "Scenes",
    "Shards",
    "SideBySide",
    "Split",
    "Stage",
    "TrainingStream",
    "TwoDomains",
    "TwoViews",
    "UnpairedFolders",
    "UnreadableImageError",
    "decode",
    "to_bytes",
    "to_signed_range",
    "training_loader",
]


def __getattr__(name: str) -> Any:
    # Lightning takes seconds to import, and worker processes and folder tools have no use for it.
    if name == "DataModule":
        from freqgan.data.datamodule import DataModule

        return DataModule
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
