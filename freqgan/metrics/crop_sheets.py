"""Pictures to look at beside the numbers: the same part of several versions of an image, side by side."""

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from freqgan.errors import StorageError
from freqgan.metrics.eight_bit import to_levels
from freqgan.ops.detail import most_detailed

SIDE = 96  # pixels of the part
_GAP = 4  # of white between two versions


def save_crops(versions: Sequence[Float[Tensor, "1 c h w"]], folder: Path, name: str) -> None:
    """Writes `<folder>/<name>.png`: the part with the most detail, which the last version decides.

    Args:
        versions: of one image, in [-1, 1], 1 or 3 channels; the last is the original.
        folder: is made if it is missing.
        name: of the image; an extension gives way to `.png`, and it stays below the folder.

    Raises:
        StorageError: the file cannot be written.
    """
    side = min(SIDE, *versions[-1].shape[-2:])
    top, left = most_detailed(versions[-1][0], side, side)
    parts = [to_levels(x.cpu()).expand(-1, 3, -1, -1)[0, :, top : top + side, left : left + side] for x in versions]
    gap = torch.full((3, side, _GAP), 255.0)
    row = torch.cat([piece for part in parts for piece in (gap, part)][1:], 2)
    file = folder.joinpath(*(part for part in Path(name).parts if part not in ("/", ".."))).with_suffix(".png")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(row.to(torch.uint8).permute(1, 2, 0).numpy()).save(file, format="PNG")
    except OSError as error:
        raise StorageError(f"{file} could not be written ({error}): set metrics.crops to another folder") from error
