"""What several runs of translation make of the same pictures, side by side, as a picture for the README.

    python experiments/beside.py outputs/translation_methods/lines --to experiments/translation_methods/lines.png

A row has a validation picture of the runs' data, what a run of each variant makes of it, and what it should be.
"""

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from freqgan import config
from freqgan.comparison import Run, read_local
from freqgan.inference import Row, captioned_sheet
from freqgan.runs.stored import load_system
from freqgan.systems.translation import Translation

Translate = Callable[[Tensor], Tensor]


def variants(places: Sequence[str]) -> dict[str, list[Run]]:
    """Finished runs by what they are called, also such as measure different things: pairs have other metrics."""
    found: dict[str, list[Run]] = {}
    for run in read_local(places):
        if run.state == "finished":
            found.setdefault(named(run), []).append(run)
    return found


def named(run: Run) -> str:
    """A run's settings in its sweep but for the seed, an experiment without its folder; or the name it was given."""
    changes = [text for text in run.overrides or () if not text.startswith("seed=")]
    words = [text.rpartition("/")[2] if text.startswith("experiment=") else text for text in changes]
    return " ".join(words) or str(run.config["name"])


def translation(run: Run) -> Translation:
    """The last weights of a run."""
    system, _ = load_system(run.place, checkpoint="last", allow_targets=[])
    assert isinstance(system, Translation)
    return system


def data_of(run: Run) -> Any:
    data = config.build(config.load_run(run.place, [])["data"])
    data.prepare_data()
    return data


@torch.no_grad()
def sheet(samples: Iterable[Mapping[str, Any]], columns: Mapping[str, Translate]) -> Image.Image:
    """A row for each sample, with "image", "target" and "name": the image, what each column makes of it, the target."""
    rows = []
    for sample in samples:
        made = {name: translate(sample["image"]) for name, translate in columns.items()}
        shown = {"input": sample["image"], **made, "target": sample["target"]}
        rows.append(Row(sample["name"], [picture[0] for picture in shown.values()], [*shown]))
    return captioned_sheet(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", help="sweep folders, run directories or patterns")
    parser.add_argument("--to", type=Path, required=True, help="PNG file")
    parser.add_argument("--direction", choices=("ab", "ba"), default="ab", help="of runs that translate in it")
    parser.add_argument("--seed", type=int, default=1, help="of the runs")
    parser.add_argument("--count", type=int, default=8, help="pictures")
    given = parser.parse_args()
    columns: dict[str, Translate] = {}
    data = None
    for name, runs in variants(given.runs).items():
        for run in [run for run in runs if run.seed == given.seed]:
            system = translation(run)
            if given.direction in system.directions:
                columns[name] = partial(system.translate, direction=given.direction, seed=1)
                data = data or data_of(run)
    if data is None:
        raise SystemExit(f"no finished run of seed {given.seed} translates {given.direction}")
    samples = data.evaluation_domain("val", given.direction[0], limit=given.count, targets=True)
    sheet(islice(samples, given.count), columns).save(given.to)


if __name__ == "__main__":
    main()
