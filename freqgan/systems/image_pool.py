"""A pool of generated images, from which a discriminator is shown older ones too (Shrivastava et al. 2017, §2.3).

Half of what it is shown comes from the pool, in CycleGAN's way (Zhu et al. 2017, §4). The pool is that of the global
batch: every process keeps all of it, so that a run does not depend on how it is split, and the checkpoint of one
process is that of all. Departure: with several images in a batch, those from the pool are of earlier steps.
"""

from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from freqgan.ops.global_batch import gather_rows, rank, world_size
from freqgan.systems.rules import Rows


@final
class ImagePool(nn.Module):
    """Generated images, in a buffer of as many as there are.

    Args:
        size: images that are kept; with 0, new ones pass.
    """

    images: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("images", torch.empty(0))
        self._entering: dict[int, tuple[int, Tensor]] = {}  # place and image by row of the global batch, within a step

    @torch.no_grad()
    def forward(
        self, images: Float[Tensor, "b c h w"], *, rows: Rows, random: torch.Generator
    ) -> Float[Tensor, "b c h w"]:
        """What the discriminator is shown: while the pool is not full, the new images, which are stored.

        From then on each is shown, or with the same chance takes the place of a stored one, which is shown instead.

        Args:
            images: new ones, of one process.
            rows: which rows of the global batch they are.
            random: for the draws of the whole global batch.
        """
        if not self.size:
            return images
        chances, local = torch.rand(rows.total, 2, generator=random).tolist(), rows.total // world_size()
        first, end = (row - rank() * local for row in (rows.first, rows.end))
        everyone = [process * local + row for process in range(world_size()) for row in range(first, end)]
        shown = []
        for row, image in zip(everyone, gather_rows(images).float().split(1), strict=True):
            place = self._place(row, *chances[row])
            shown.append(image if place is None or place >= len(self.images) else self.images[place][None])
            if place is not None:
                self._entering[row] = place, image
        result = torch.cat(shown).chunk(world_size())[rank()].to(images)
        if end == local:  # of the step's last part
            self._enter()
        return result

    def _place(self, row: int, new: float, where: float) -> int | None:
        """Where an image of the global batch goes, None if nowhere; behind the stored ones while there is room."""
        stored = len(self.images)
        if stored + row < self.size:
            return stored + row
        return None if new < 0.5 else int(where * stored) if stored else None

    def _enter(self) -> None:
        for _, (place, image) in sorted(self._entering.items(), key=lambda entry: entry[0]):
            if place < len(self.images):
                self.images[place] = image[0]
            else:
                self.images = torch.cat((self.images, image)) if len(self.images) else image.clone()
        self._entering.clear()

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Makes room for as many images as a checkpoint has."""
        if (stored := state_dict.get(f"{prefix}images")) is not None:
            self.images = self.images.new_empty(stored.shape)
        super()._load_from_state_dict(state_dict, prefix, *rest)
