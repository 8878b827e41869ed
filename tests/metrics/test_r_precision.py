"""R-precision against a loop over images, and which captions are drawn."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from freqgan.errors import DivergedError, UserError
from freqgan.metrics import JudgeEncoders, RPrecision
from freqgan.metrics.r_precision import CaptionPool, pool_of
from freqgan.ops.captions import wording

SAID = [[f"a thing {n}", f"one of {n}", f"{n} or so"] for n in range(20)]
OWN = [SAID[n][n % 3] for n in range(12)]


def vector(seed: int) -> Tensor:
    return torch.randn(5, generator=torch.Generator().manual_seed(seed))


class Reader:
    """Captions to vectors that hang on their words alone; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, captions: Sequence[str]) -> Tensor:
        self.asked += captions
        return torch.stack([vector(sum(map(ord, wording(caption)))) for caption in captions])


def images() -> Tensor:
    """Images that are their own vectors: of every other one, its caption's with some noise."""
    texts = Reader()(OWN)
    return torch.stack([text + 0.3 * vector(n) if n % 2 else vector(n) for n, text in enumerate(texts)])[
        ..., None, None
    ]


def data(said: list[list[str]] = SAID, classes: list[int] | None = None, *, val: bool = True) -> Any:
    return SimpleNamespace(
        dataset=lambda split: said if val or split == "train" else [],
        classes=lambda split: classes,
        captions=lambda split: said if val or split == "train" else [],
    )


def judge(reader: Any = None, *, negatives: int = 9, given: Any = None) -> RPrecision:
    encoders = JudgeEncoders(lambda batch: batch.flatten(1), reader or Reader(), "c0ffee1234", "runs/judge")
    built = RPrecision(encoders, negatives=negatives)
    assert built.prepare(given or data(), cache_dir=Path("nowhere"))
    return built


def hits(built: RPrecision, pictures: Tensor, captions: list[str], numbers: list[int]) -> list[float]:
    (name,) = {name for verdict in built.verdicts(pictures, captions, numbers) for name in verdict}
    assert name == built.name
    return [verdict[name][0] for verdict in built.verdicts(pictures, captions, numbers)]


def test_numbers_are_those_of_a_loop() -> None:
    built, pool, expected = judge(), CaptionPool(SAID), []
    for number, (picture, caption) in enumerate(zip(images().flatten(1), OWN, strict=True)):
        others = Reader()(pool.others(caption, 9, number=number))
        true = F.cosine_similarity(picture, Reader()([caption])[0], dim=0)
        expected.append(float((F.cosine_similarity(picture[None], others) < true).all()))
    assert hits(built, images(), OWN, list(range(12))) == expected
    assert 0 < sum(expected) < 12
    assert built.name == "r_precision_1of10_c0ffee"


def test_an_image_is_judged_by_its_number_whatever_stands_beside_it() -> None:
    whole = hits(judge(), images(), OWN, list(range(12)))
    parts = [hits(judge(), images()[n : n + 1], OWN[n : n + 1], [n]) for n in range(12)]
    assert [found for (found,) in parts] == whole


def test_captions_are_encoded_once() -> None:
    reader = Reader()
    built = judge(reader)
    for _ in range(2):
        built.verdicts(images(), OWN, range(12))
    assert len(reader.asked) == len({*reader.asked})


def test_what_fits_is_no_negative() -> None:
    said = [["a red ring", "one shape"], ["One  shape!", "a star"], ["a heart", "a cross"], ["two", "three"]]
    pool = CaptionPool(said)
    assert {*pool.others("one shape.", 4, number=0)} == {"a heart", "a cross", "two", "three"}
    assert {*pool.others("a heart", 5, number=0)} == {"a red ring", "one shape", "a star", "two", "three"}
    assert "a heart" not in CaptionPool(said, [0, 1, 1, 0]).others("a star", 2, number=0)
    assert {*pool.others("never said", 7, number=3)} == {*pool.spoken}
    for number in range(20):
        drawn = pool.others("two", 3, number=number)
        assert len({*drawn}) == 3
        assert not {*drawn} & {"two", "three"}
    assert len({tuple(pool.others("two", 3, number=number)) for number in range(20)}) > 10


def test_classes_are_read_where_there_are_some() -> None:
    drawn = pool_of(data(SAID[:4], [0, 0, 1, 1])).others(SAID[0][0], 6, number=0)
    assert {*drawn} == {wording(caption) for of_image in SAID[2:4] for caption in of_image}
    assert len(pool_of(data(val=False)).spoken) == 60


def test_what_is_as_near_as_the_true_one_comes_before_it() -> None:
    assert hits(judge(lambda captions: torch.ones(len(captions), 5)), images(), OWN, list(range(12))) == [0.0] * 12


def test_mistakes() -> None:
    with pytest.raises(UserError, match=r"metrics\.negatives=58: of 60 captions only 57 are wrong for “a thing 0”"):
        hits(judge(negatives=58), images(), OWN, list(range(12)))
    with pytest.raises(DivergedError, match="not finite"):
        hits(judge(), images() * torch.nan, OWN, list(range(12)))
