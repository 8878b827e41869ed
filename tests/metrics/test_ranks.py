from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from freqgan.errors import DivergedError, UserError
from freqgan.metrics import GenerationProtocol
from freqgan.metrics.ranks import map_reduce, on_first
from tests.forked import on_ranks

# gloo's threads start only in the forked processes.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")

_FAKE = torch.rand(21, 3, 4, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1
_REAL = torch.rand(23, 3, 4, 4, generator=torch.Generator().manual_seed(1)).square() * 2 - 1


@pytest.fixture
def evaluate(pixels: Any, tmp_path: Path) -> Callable[..., dict[str, float]]:
    def run(folder: str, generate: Callable[[int, int], Tensor]) -> dict[str, float]:
        protocol = GenerationProtocol(pixels(48), num_images=21, batch_size=2, kid_subset_size=7)
        return protocol.evaluate(
            generate,
            lambda: _REAL.split(3),
            fingerprint="set",
            cache_dir=tmp_path / folder,
            bands=lambda images: {"all": images},
        )

    return run


@pytest.mark.parametrize("processes", [2, 3])
def test_several_processes_get_the_numbers_of_one(evaluate: Any, tmp_path: Path, processes: int) -> None:
    def scenario(folder: str) -> dict[str, Any]:
        ids: list[int] = []

        def generate(start: int, count: int) -> Tensor:
            ids.extend(range(start, start + count))
            return _FAKE[start : start + count]

        measured = evaluate(folder, generate)
        own = ids[1:]  # all but the one that shows the shape
        return {"ids": own, "measured": measured, "with real ones cached": evaluate(folder, generate)}

    alone = scenario("alone")
    outcomes = on_ranks(processes, tmp_path, lambda: scenario("together"))
    for outcome in outcomes:
        assert outcome["measured"] == pytest.approx(alone["measured"], rel=1e-9)
        assert outcome["with real ones cached"] == outcome["measured"]
    assert sorted(chain.from_iterable(outcome["ids"] for outcome in outcomes)) == alone["ids"] == list(range(21))
    # Eleven batches, the last one of a single image, dealt out in turn.
    assert [len(outcome["ids"]) for outcome in outcomes] == {2: [11, 10], 3: [8, 7, 6]}[processes]


def test_an_error_on_one_process_is_raised_on_both(evaluate: Any, tmp_path: Path) -> None:
    def generate(start: int, count: int) -> Tensor:
        return _FAKE[start : start + count] * (float("inf") if start == 2 else 1)

    def scenario() -> str:
        try:
            evaluate("cache", generate)
        except DivergedError as error:
            return str(error)
        return "no error"

    assert on_ranks(2, tmp_path, scenario) == ["images generated for the ids 2 to 3 are not finite"] * 2


def test_an_error_at_the_end_is_raised_on_both(tmp_path: Path) -> None:
    def fails(_: list[int]) -> None:
        raise UserError("first line", "second line")

    def scenario() -> str:
        try:
            map_reduce(lambda: 1, fails)
        except UserError as error:
            return str(error)
        return "no error"

    assert on_ranks(2, tmp_path, scenario) == ["first line\nsecond line"] * 2


def test_the_first_process_sees_all_results_in_order(tmp_path: Path) -> None:
    def scenario() -> list[Any]:
        rank = torch.distributed.get_rank()
        return [map_reduce(lambda: rank + 5, lambda values: values), on_first(lambda: rank)]

    assert on_ranks(2, tmp_path, scenario) == [[[5, 6], 0]] * 2


def test_alone_nothing_is_exchanged() -> None:
    assert map_reduce(lambda: 3, lambda values: values) == [3]
    assert on_first(lambda: "x") == "x"
