"""How many images a second each source gives through the training loader, one process and one thread.

Tar shards are held against a folder of the same files, both decoded at every access: reading by offset costs nothing.
"""

import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from freqgan.data import (
    AlignedCrops,
    Augment,
    ImageDataset,
    ImageFolder,
    OpenMoji,
    PhotoFolder,
    Scenes,
    Shards,
    Stage,
    TrainingStream,
    training_loader,
)
from freqgan.data.degradations import Bicubic
from freqgan.data.shard_writer import write_shards
from freqgan.data.stream import EndlessBatches
from tests.bench.timing import median_ratio, times

BATCH = 64
PHOTOS = 64
CROPS = "photographs, crops of 192 px and bicubic low images"
DECODED, SHARDS = "image_folder 64 px, decoded from 256 px JPEG", "shards 64 px, decoded from 256 px JPEG"


def rows(rounds: int = 15) -> list[tuple[str, float, str]]:
    """Name, images per CPU second or a ratio of them, unit or goal."""
    with _folder_of_photos() as root:
        folder = {"root": root / "photos", "image_size": 64, "cache_dir": root / "cache"}
        write_shards(root / "photos", root / "shards")
        sources = {
            "openmoji 32 px": OpenMoji(image_size=32),
            "openmoji 32 px, flipped": OpenMoji(image_size=32),
            "image_folder 64 px, cached": ImageFolder(**folder),
            DECODED: ImageFolder(**folder, cache_limit_gib=0.0),
            SHARDS: Shards(**(folder | {"root": root / "shards"})),
            "scenes 32 px": Scenes(image_size=32),
            "scenes 32 px, pencil": Scenes(image_size=32, domain="b"),
            "scenes 64 px": Scenes(image_size=64),
            CROPS: PhotoFolder(**(folder | {"image_size": 192})),
        }
        augments: dict[str, Stage] = {name: Augment(horizontal_flip="flipped" in name) for name in sources}
        augments[CROPS] = AlignedCrops(image_size=192, scale=4, degradation=Bicubic(4))
        candidates = {name: _next_batch(source, augments[name]) for name, source in sources.items()}
        seconds = times(candidates, rounds)
    goals = dict.fromkeys(seconds, "images/s") | {CROPS: ">= 500"}
    speeds = [(f"loader {name}", BATCH / statistics.median(own), goals[name]) for name, own in seconds.items()]
    ratio = median_ratio(seconds[DECODED], seconds[SHARDS])
    return [*speeds, ("shards / folder of the same files, images a second", ratio, ">= 0.95")]


def _next_batch(dataset: ImageDataset, augment: Stage) -> Callable[[], object]:
    dataset.prepare()
    stream = TrainingStream(dataset, seed=0, augment=augment)
    batches = iter(training_loader(stream, EndlessBatches(images_seen=0, batch_size=BATCH)))
    return lambda: next(batches)


@contextmanager
def _folder_of_photos() -> Iterator[Path]:
    """Smooth noise as 256 px JPEG files: about as costly to decode as photographs."""
    with tempfile.TemporaryDirectory() as directory:
        rng = np.random.default_rng(0)
        photos = Path(directory) / "photos"
        photos.mkdir()
        for number in range(PHOTOS):
            coarse = Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8))
            coarse.resize((256, 256), Image.Resampling.BICUBIC).save(photos / f"{number}.jpg", quality=90)
        yield Path(directory)


if __name__ == "__main__":
    for name, value, unit in rows():
        print(f"{name:50} {value:10.0f} {unit}")
