"""How translations of label maps that are seen as pictures are measured."""

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from freqgan.data import TwoViews
from freqgan.errors import UserError
from freqgan.metrics import LabelToImageProtocol
from freqgan.ops.keyed_random import key
from freqgan.ops.palette import nearest_labels
from freqgan.systems.rules import Batch, Scores
from freqgan.systems.translating import Direction, Translate, domains_of, sides

COLORS = 256  # labels 0 to 255, don't-care among them


def measure_painted(
    translate: Mapping[Direction, Translate],
    protocol: LabelToImageProtocol,
    data: Any,
    split: str,
    cache_dir: Path,
    *,
    seed: int,
    varied: bool,
) -> Scores:
    """Runs the protocol on translations of label maps in their colours; of each class, all is one instance.

    Args:
        translate: by direction, an image (1, 3, h, w) to one of the other domain, in [-1, 1].
        protocol: what is measured.
        data: the data module.
        split: of the data, in pairs.
        cache_dir: where what is found of real images is kept.
        seed: of what is drawn for the results.
        varied: whether results of other seeds differ.

    Raises:
        UserError: what is translated are no label maps.
    """
    dataset, scores = data.dataset(split), Scores()
    for direction, function in translate.items():
        if isinstance(dataset, TwoViews) and getattr(dataset, domains_of(direction)[0]) == "label_map":
            found = protocol.evaluate(
                partial(_result, function, seed),
                partial(_samples, data, split, direction),
                num_classes=data.num_classes,
                varied=varied,
                fingerprint=f"{data.fingerprint()}_{split}_{direction}",
                cache_dir=cache_dir,
            )
            scores |= {f"{name}_{direction}": value for name, value in found.items()}
    if not scores:
        fix = "choose data=scenes_labels, or set metrics=translation"
        raise UserError(f"metrics=label_to_image judges images made of label maps, what is translated are none: {fix}")
    return scores


def _samples(data: Any, split: str, direction: Direction, limit: int | None) -> Iterable[Batch]:
    """Pairs, with the labels of what is translated."""
    for pair in data.evaluation_pairs(split, limit=limit):
        source, target = sides(pair, direction)
        labels = nearest_labels(source, COLORS)
        yield {"source": source, "image": target, "label_map": labels, "instance_map": labels}


def _result(translate: Translate, seed: int, sample: Batch, number: int, look: int) -> Tensor:
    return translate(sample["source"], seed=key(seed, "measured", number, look))
