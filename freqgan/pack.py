"""`freqgan pack`: a folder of images as tar shards, which `data=shards` and other readers of WebDataset take."""

from pathlib import Path

from omegaconf import DictConfig

from freqgan import config
from freqgan.data.shard_writer import write_shards
from freqgan.terminal import table_console

_LISTED_SKIPS = 5


def main(cfg: DictConfig) -> None:
    """Writes the shards and says how to train on them."""
    settings = config.resolve(cfg)
    output = Path(settings["output"])
    shards, skipped = write_shards(
        Path(settings["root"]).expanduser(),
        output,
        prefix=settings["prefix"],
        shard_bytes=round(settings["shard_mib"] * 2**20),
        on_error=settings["on_error"],
        max_pixels=settings["max_pixels"],
    )
    console = table_console()
    for error in skipped[:_LISTED_SKIPS]:
        console.print(error.lines[0], soft_wrap=True)
    if skipped:
        console.print(f"{len(skipped)} unreadable images were left out")
    size = sum(shard.stat().st_size for shard in shards) / 2**20
    console.print(f"{len(shards)} shards, {size:.1f} MiB, in {output}: train on them with", soft_wrap=True)
    console.print(f"  freqgan train data=shards data.root={output}", soft_wrap=True)
