"""What each variant takes: parameters, operations, memory and time.

    python experiments/label_to_image/costs.py outputs/label_to_image/streets

Operations of an image and activations, what a step keeps for its gradients in float32, are counted without computing
anything. The greatest resident size and the CPU-seconds, evaluation included, are those of the runs; the size has
PyTorch and the decoded images in it, about 0.8 GiB.
"""

import argparse
import sys
from pathlib import Path

import torch

from freqgan import config
from freqgan.check import sample_batch
from freqgan.comparison import Comparison, Run
from freqgan.comparison.intervals import spread
from freqgan.data.base import height_and_width
from freqgan.systems.estimate import step_cost

sys.path.insert(0, str(Path(__file__).parents[1]))
from analyse import markdown, of_spread, read

HEADER = ["variant", "generator", "discriminators", "GFLOP an image", "activations, MiB", "peak, GiB", "CPU-seconds"]


def counted(run: Run) -> list[str]:
    """Parameters of both players, operations and activations."""
    settings = config.load_run(run.place, [])
    data = settings["data"]
    with torch.device("meta"):
        system = config.build_model(settings, seed=1)
    shape = (data["batch_size"], data["channels"], *height_and_width(data["image_size"]))
    cost = step_cost(system, sample_batch(shape))
    sizes = [sum(weight.numel() for weight in player.parameters()) for player in system.players().values()]
    flops, kept = cost.flops / 1e9 / data["batch_size"], cost.activation_bytes / 2**20
    return [*(f"{size / 1e6:.2f} M" for size in sizes), f"{flops:.2f}", f"{kept:.0f}"]


def table(comparison: Comparison) -> list[list[str]]:
    """A line per variant."""
    lines = [HEADER]
    for variant in comparison.variants:
        finished = [run for run in variant.runs if run.state == "finished"]
        if finished:
            facts = (
                {run.place: float(run.record[name]) for run in finished} for name in ("peak_memory_gib", "cpu_seconds")
            )
            lines.append([variant.name, *counted(finished[0]), *(of_spread(spread(fact)) for fact in facts)])
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", help="sweep folders, run directories or patterns")
    print(markdown(table(read(parser.parse_args().runs))))


if __name__ == "__main__":
    main()
