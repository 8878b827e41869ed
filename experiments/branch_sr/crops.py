"""What runs make of the same small pictures, side by side: the part with the most detail, magnified.

    python experiments/branch_sr/crops.py outputs/branch_sr/networks outputs/branch_sr/gan --to crops.png
    python experiments/branch_sr/crops.py outputs/branch_sr/gan --photos <folder> --to photos.png

Without photographs the pictures are drawn scenes, which no run was trained on.
"""

import argparse
import sys
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from freqgan.data import PhotoFolder, Scenes
from freqgan.data.base import ImageDataset
from freqgan.data.ranges import to_signed_range
from freqgan.inference import Row, captioned_sheet
from freqgan.ops.detail import most_detailed
from freqgan.ops.resample import resize
from freqgan.runs.stored import load_system

sys.path.insert(0, str(Path(__file__).parents[1]))
from beside import variants
from plot import said

SIDE = 48  # pixels of a crop
DRAWN = 320  # pixels of a scene's side


def pictures(photos: Path | None, scale: int) -> Iterator[tuple[str, Tensor]]:
    """Originals with their names, (1, 3, h, w) in [-1, 1]; the scale divides their sides."""
    data: ImageDataset = Scenes(image_size=DRAWN, length=64, domain="b", content_seed=1)
    if photos is not None:
        data = PhotoFolder(root=photos, image_size=DRAWN, scale=scale)
    data.prepare()
    for number in range(len(data)):
        sample = data[number]
        image = to_signed_range(sample["image"])[None]
        height, width = (side // scale * scale for side in image.shape[-2:])
        yield sample["name"], image[..., :height, :width]


def magnified(image: Tensor, top: int, left: int) -> Tensor:
    """A part of an image, its pixels as squares."""
    return image[0, :, top : top + SIDE, left : left + SIDE].repeat_interleave(4, -1).repeat_interleave(4, -2)


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", help="sweep folders, run directories or patterns")
    parser.add_argument("--photos", type=Path, help="folder of photographs, in place of drawn scenes")
    parser.add_argument("--to", type=Path, required=True, help="PNG file")
    parser.add_argument("--seed", type=int, default=1, help="of the runs")
    parser.add_argument("--count", type=int, default=4, help="pictures")
    given = parser.parse_args()
    chosen = [(name, run) for name, runs in variants(given.runs).items() for run in runs if run.seed == given.seed]
    if not chosen:
        raise SystemExit(f"no finished run has seed {given.seed}")
    systems = {
        said(name).replace("\n", " "): load_system(run.place, checkpoint="last", allow_targets=[])[0]
        for name, run in chosen
    }
    scale = next(iter(systems.values())).scale
    enlarge = {"bicubic": partial(resize, size=scale)} | {name: system.restore for name, system in systems.items()}
    rows = []
    for name, image in islice(pictures(given.photos, scale), given.count):
        low = resize(image, (image.shape[-2] // scale, image.shape[-1] // scale))
        made = {label: method(low) for label, method in enlarge.items()} | {"original": image}
        place = most_detailed(image[0], SIDE, SIDE)
        rows.append(Row(name, [magnified(one, *place) for one in made.values()], [*made]))
    captioned_sheet(rows).save(given.to)


if __name__ == "__main__":
    main()
