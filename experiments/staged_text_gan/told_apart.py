"""How well each discriminator that knows the caption tells right from wrong: areas under the ROC curve, by variant.

    python experiments/staged_text_gan/told_apart.py outputs/staged_text_gan/scenes

½ is chance. Real validation images with their own captions stand against the same with another image's, generated
images of a caption against the same with another one, and real images against generated ones, both with their own.
"""

import argparse
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torchmetrics.functional.classification import binary_auroc

from freqgan import config
from freqgan.comparison import Run
from freqgan.comparison.intervals import spread
from freqgan.runs.stored import load_system
from freqgan.systems import StagedTextGAN
from freqgan.systems.text_tasks import STAGES, real_images

sys.path.insert(0, str(Path(__file__).parents[1]))
from analyse import markdown, of_spread, read

COUNT, BATCH = 1000, 50
ASKED = {
    "real, right / wrong caption": ("real right", "real wrong"),
    "generated, right / wrong caption": ("generated right", "generated wrong"),
    "real / generated": ("real right", "generated right"),
}


@torch.no_grad()
def areas(run: Run) -> dict[tuple[str, str], float]:
    """What was asked of every stage whose discriminator knows the caption."""
    system, _ = load_system(run.place, checkpoint="last", allow_targets=[])
    assert isinstance(system, StagedTextGAN)
    data = config.build(config.load_run(run.place, [])["data"])
    data.prepare_data()
    found: dict[tuple[str, str], list[Tensor]] = {}
    samples = islice(data.evaluation_pairs("val", limit=COUNT), COUNT)
    for number, (images, captions) in enumerate(batches(samples)):
        system.aim({"captions": "\n".join(captions)})
        made = system.imagine(number * BATCH, len(captions), seed=0)
        text = system.encoders.pair.encode_text(captions)
        conditions = {stage: given for stage, given in system.game.conditions(text).items() if given is not None}
        wrong = {stage: given.roll(1, 0) for stage, given in conditions.items()}
        sizes = system.generator.image_sizes
        kinds = {
            "real": real_images(images, sizes),
            "generated": {stage: output.image for stage, output in zip(STAGES, made.stages, strict=True)},
        }
        for kind, by_stage in kinds.items():
            judged = {stage: by_stage[stage] for stage in conditions}
            for fit, given in {"right": conditions, "wrong": wrong}.items():
                for stage, logits in system.game.logits(judged, given).items():
                    found.setdefault((stage, f"{kind} {fit}"), []).append(logits[:, -1])
    scores = {key: torch.cat(parts) for key, parts in found.items()}
    stages = sorted({stage for stage, _ in scores})
    return {
        (stage, question): area(scores[stage, better], scores[stage, worse])
        for stage in stages
        for question, (better, worse) in ASKED.items()
    }


def batches(samples: Iterator[dict[str, Any]]) -> Iterator[tuple[Tensor, list[str]]]:
    """Images, each with its first caption."""
    while part := list(islice(samples, BATCH)):
        yield torch.cat([sample["image"] for sample in part]), [sample["caption"][0][0] for sample in part]


def area(better: Tensor, worse: Tensor) -> float:
    """Share of pairs in which the better one has the higher score."""
    truth = torch.cat([torch.ones(len(better)), torch.zeros(len(worse))]).int()
    return binary_auroc(torch.cat([better, worse]).sigmoid(), truth).item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", help="sweep folders, run directories or patterns")
    table = [["variant", "stage", *ASKED]]
    for variant in read(parser.parse_args().runs).variants:
        found = {run.place: areas(run) for run in variant.runs if run.state == "finished"}
        stages = sorted({stage for of_run in found.values() for stage, _ in of_run})
        for stage in stages:
            spreads = [spread({place: x[stage, question] for place, x in found.items()}) for question in ASKED]
            table.append([variant.name, stage, *map(of_spread, spreads)])
    print(markdown(table))


if __name__ == "__main__":
    main()
