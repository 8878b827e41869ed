"""Tests every finished run of the study on every data set that says something of it; runs what is missing.

    python experiments/deblur_generalisation/judge.py outputs/deblur_generalisation

Results go to `evaluation/<test>/` of the run: those of `freqgan evaluate`, and `looks.json` with what it does not say,
how steep the results are beside the targets, and where their colours went.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import torch
from arms import CONF, PICTURES, Test, finished, pairs, tests_of
from torch import Tensor

from freqgan import cli
from freqgan.comparison import Run
from freqgan.metrics.content import gradient_magnitude
from freqgan.ops.color import rgb_to_lab, rgb_to_ycbcr
from freqgan.runs import write_json

sys.path.insert(0, str(Path(__file__).parents[1]))
from beside import translation

SMALL = ["metrics.features.image_size=96", "metrics.perceptual.image_size=96"]
NONE = ["metrics.features=null", "metrics.perceptual=null"]


def results(run: Run, test: Test) -> Path:
    return Path(run.place) / "evaluation" / test.name


def evaluate(run: Run, test: Test) -> None:
    """`freqgan evaluate`; ends the script where that fails."""
    arguments = [f"run={run.place}", "data=restoration", f"data.root={PICTURES / test.folder}", "split=all"]
    arguments += [f"data/degradation={test.degradation}", "metrics=translation", *(SMALL if test.by_networks else NONE)]
    arguments += [f"output={results(run, test)}", "hardware=cpu", "hardware.threads=1"]
    if status := cli.main(["evaluate", "--config-dir", str(CONF), *arguments]):
        raise SystemExit(status)


@torch.no_grad()
def looks(run: Run, test: Test) -> dict[str, float]:
    """Mean gradients of inputs and results as shares of those of the targets, and the mean shift in CIE a and b."""
    system, sums = translation(run), dict.fromkeys(("input", "result", "target"), torch.zeros(3, dtype=torch.float64))
    samples = list(pairs(test).evaluation_pairs("all"))
    for pair in samples:
        result = system.translate(pair["image"], direction="ab", seed=1)
        for name, image in (("input", pair["image"]), ("result", result), ("target", pair["image_b"])):
            sums[name] = sums[name] + look(image)
    steep = {f"sharpness_{name}": float(sums[name][0] / sums["target"][0]) for name in ("input", "result")}
    shift = (sums["result"] - sums["target"]) / len(samples)
    return steep | {"shift_a": float(shift[1]), "shift_b": float(shift[2])}


def look(image: Tensor) -> Tensor:
    """Of an image (1, 3, h, w) in [-1, 1]: the mean gradient of its luminance, and its mean a and b."""
    steepness = gradient_magnitude(rgb_to_ycbcr(image)[:, :1]).mean()
    return torch.stack([steepness, *rgb_to_lab(image).mean((0, 2, 3))[1:]]).double()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", help="sweep folders, run directories or patterns")
    for run, arm in finished(parser.parse_args().runs):
        for test in tests_of(arm):
            if not (results(run, test) / "looks.json").is_file():
                evaluate(run, test)
                facts: dict[str, Any] = looks(run, test)
                write_json(results(run, test) / "looks.json", facts)


if __name__ == "__main__":
    main()
