"""Every term of every model, once NaN and once infinite: the step is refused, and nothing of it stays in the run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from freqgan.runs import RunDirectory, read_checkpoint
from freqgan.systems import System
from tests.forked import tensors, train
from tests.models import MODELS, with_encoders

BUDGET = ["budget.images=32", "checkpoint.every_images=4", "samples.every_images=1000"]
# The rate stays: a run that has gone back ends like one that has not.
ROLLBACK = ["on_divergence=rollback", "rollback.most=1000", "rollback.lr_factor=1"]


def spoilt_once(injected: Path) -> Callable[[], None]:
    """A fault: each term that is weighed is spoilt once by NaN and once by infinity, one at a time."""

    def fault() -> None:
        original, seen = System.weighted, set[tuple[str, ...]]()

        def weighted(self: Any, player: Any, terms: dict[str, torch.Tensor]) -> torch.Tensor:
            whole = all(bool(value.isfinite()) for value in terms.values())  # not if a part of it has been spoilt
            for name, value in terms.items() if whole else ():
                for kind in ("nan", "inf"):
                    case = (type(self).__name__, player, name, kind)
                    if case not in seen:
                        seen.add(case)
                        terms[name] = value * float(kind) if kind == "nan" else value + float(kind)
                        with injected.open("a") as file:
                            file.write(f"{'/'.join(case[1:3])}={kind}\n")
                        return original(self, player, terms)
            return original(self, player, terms)

        System.weighted = weighted  # type: ignore[method-assign]

    return fault


@pytest.mark.parametrize(
    "model", [model if model == "segmenter" else pytest.param(model, marks=pytest.mark.slow) for model in MODELS]
)
@pytest.mark.fault("divergence", "term that is not finite, every one of every model")
def test_no_term_that_is_not_finite_leaves_a_trace(
    tmp_path: Path, model: str, tally: Callable[[int, int], None]
) -> None:
    settings, injected = [*BUDGET, *with_encoders(MODELS[model])], tmp_path / "injected"
    spoilt, whole = tmp_path / "spoilt", tmp_path / "whole"
    for run, more, fault in ((whole, [], lambda: None), (spoilt, ROLLBACK, spoilt_once(injected))):
        status, output = train(tmp_path, *settings, *more, f"paths.run_dir={run}", before=fault, seconds=250)
        assert status == 0, output
    faults, events = injected.read_text().splitlines(), RunDirectory(spoilt).record["rollbacks"]
    told = [
        fault in event["why"] or within_blend(fault) in event["why"]
        for fault, event in zip(faults, events, strict=True)
    ]
    tally(len(faults), sum(told))
    assert all(told), list(zip(faults, events, strict=True))
    ours, theirs = (tensors(read_checkpoint(run / "checkpoints" / "last.ckpt")) for run in (spoilt, whole))
    assert [name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)] == []
    kept = [torch.load(batch, weights_only=True) for batch in (spoilt / "diverged").glob("*.pt")]
    assert any(fault in batch["why"] for batch in kept for fault in faults)


def within_blend(fault: str) -> str:
    """How a term of the other system is told of, whose terms are one of the whole."""
    return f"{fault.partition('/')[0]}/blend={fault.partition('=')[2]}"
