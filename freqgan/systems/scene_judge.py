"""Whether images show what captions say of scenes: a network that has learned to read real scenes looks.

It reads colour, kind, size and place of every shape, and the background; what a caption says is held against that as
against a scene. It knows no more than it reads, so the same is asked of real images that it has not learned from.
"""

import logging
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor

from freqgan.data import Scenes
from freqgan.data.cache import build_once, digest
from freqgan.data.scene_captions import statements
from freqgan.errors import UserError
from freqgan.limits import Count
from freqgan.metrics import CaptionJudge, Verdict
from freqgan.metrics.ranks import on_first
from freqgan.networks import SceneReader
from freqgan.systems.scene_reading import BATCH, layouts_of, new_reader, train_reader

_log = logging.getLogger(__name__)

_DEFINITION = 1  # of the network and its training; counted up when one of them changes
_USUAL = 48_000
_FILE = "reader.pt"
_MAIN = ("color", "shape", "position")


@final
class SceneJudge(CaptionJudge):
    """`caption_accuracy`: the share of what captions say of shapes' colours, kinds and positions that is there.

    `caption_accuracy_whole` is the share of captions of which everything is true, and `…_color`, `…_shape`, `…_size`,
    `…_position`, `…_count`, `…_background` are the shares of each. The network is trained once for a data set and kept
    with what can be made again.

    Args:
        images: scenes of the training split that it learns from, repeats counted; named in the metrics unless 48,000,
            which take four CPU-minutes.

    Raises:
        UserError: less than one step.
    """

    def __init__(self, *, images: Count = _USUAL) -> None:
        if images < BATCH:
            raise UserError(f"metrics.scenes.images={images} must be at least {BATCH}, one step: raise it")
        self.images = images
        self.name = "caption_accuracy" if images == _USUAL else f"caption_accuracy_learned{images}"
        self._reader: SceneReader | None = None

    def prepare(self, data: Any, *, cache_dir: Path) -> bool:
        """Trains the network, or reads it; of other data than scenes, nothing."""
        scenes = data.dataset("train")
        if not isinstance(scenes, Scenes):
            return False
        if self._reader is None:
            folder = cache_dir / "scene_judge" / digest(_DEFINITION, data.fingerprint(), self.images)
            on_first(lambda: build_once(folder, lambda target: self._train(scenes, target)))
            reader = new_reader(scenes.channels)
            reader.load_state_dict(torch.load(folder / _FILE, weights_only=True))
            self._reader = reader.eval()
        return True

    def identity(self) -> str:
        """How it was trained; the data's fingerprint says on which images."""
        return f"scenes {_DEFINITION} {self.images}"

    @torch.no_grad()
    def verdicts(
        self, images: Float[Tensor, "b c h w"], captions: Sequence[str], numbers: Sequence[int]
    ) -> list[Verdict]:
        """What each caption says, and whether it was read."""
        assert self._reader is not None
        layouts = layouts_of(self._reader.to(images.device)(images))
        verdicts: list[Verdict] = []
        for caption, layout in zip(captions, layouts, strict=True):
            found: Verdict = defaultdict(list)
            said = [*statements(caption, layout)]
            for about, true in said:
                if about in _MAIN:
                    found[self.name].append(true)
                found[f"{self.name}_{about}"].append(true)
            if said:
                found[f"{self.name}_whole"].append(all(true for _, true in said))
            verdicts.append(found)
        return verdicts

    def _train(self, scenes: Scenes, folder: Path) -> None:
        _log.info("training the judge of captions on %d scenes, once for these data", self.images)
        torch.save(train_reader(scenes, self.images).state_dict(), folder / _FILE)
