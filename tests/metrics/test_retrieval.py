"""Retrieval against a loop over every query, and what counts as right."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from freqgan.errors import DivergedError, UserError
from freqgan.metrics import RetrievalProtocol, higher_is_better, retrieval
from freqgan.metrics.retrieval import wrong_before_right
from freqgan.ops.captions import wording
from tests.forked import on_ranks

# Images 0 and 3 share a caption, image 1 says one thing twice, image 2 has one caption.
CAPTIONS = [["a red ring", "one shape"], ["a star", "A star!"], ["a blue heart"], ["One shape.", "a cross", "a plus"]]


def vector(seed: int) -> Tensor:
    return torch.randn(4, generator=torch.Generator().manual_seed(seed))


def pairs(count: int = 4) -> list[dict[str, Any]]:
    """Images that are their own vectors."""
    return [{"image": vector(i).view(1, 1, 2, 2), "caption": [CAPTIONS[i]]} for i in range(count)]


def images(batch: Tensor) -> Tensor:
    return batch.flatten(1)


def captions(batch: Sequence[str]) -> Tensor:
    return torch.stack([vector(100 + len(wording(caption))) for caption in batch])


def evaluate(protocol: RetrievalProtocol | None = None, **parts: Any) -> dict[str, float]:
    given = {"images": images, "captions": captions, "pairs": pairs} | parts
    return (protocol or RetrievalProtocol()).evaluate(**given)


def found(similar: list[tuple[float, bool]], depth: int) -> float:
    """Whether a right one is among the first of (similarity, right)."""
    best = max(value for value, right in similar if right)
    return float(sum(value >= best for value, right in similar if not right) < depth)


def expected(depth: int) -> tuple[float, float]:
    """From image to text and from text to image, query by query."""
    said = [[wording(caption) for caption in of] for of in CAPTIONS]
    every = sorted({words for of in said for words in of})
    cosine = {
        (i, words): float(F.cosine_similarity(vector(i), captions([words])[0], dim=0))
        for i in range(4)
        for words in every
    }
    to_text = [found([(cosine[i, words], words in said[i]) for words in every], depth) for i in range(4)]
    to_image = [
        found([(cosine[i, words], words in said[i]) for i in range(4)], depth) for of in said for words in of
    ]  # fmt: skip
    return sum(to_text) / len(to_text), sum(to_image) / len(to_image)


def test_numbers_are_those_of_a_loop() -> None:
    values = evaluate()
    assert next(iter(values)) == "retrieval_r1"
    assert len(values) == 9
    for depth in (1, 5, 10):
        to_text, to_image = expected(depth)
        assert values[f"retrieval_r{depth}_image_to_text"] == pytest.approx(to_text)
        assert values[f"retrieval_r{depth}_text_to_image"] == pytest.approx(to_image)
        assert values[f"retrieval_r{depth}"] == pytest.approx((to_text + to_image) / 2)
    assert 0 < values["retrieval_r1"] < 1 == values["retrieval_r10"]
    assert all(higher_is_better(name) for name in values)


def test_captions_of_the_same_words_are_one_and_right_for_all_their_images() -> None:
    def same(batch: Tensor) -> Tensor:
        return torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])[: len(batch)]

    def of_words(batch: Sequence[str]) -> Tensor:
        return torch.tensor([[1.0, 0.0, 0.0] if "one" in wording(caption) else [0.0, 1.0, 0.0] for caption in batch])

    both = [{"image": torch.zeros(1, 1, 1, 1), "caption": [of]} for of in (["One shape!"], ["one shape", "a star"])]
    values = evaluate(images=same, captions=of_words, pairs=lambda: both)
    assert values["retrieval_r1_image_to_text"] == values["retrieval_r1_text_to_image"] == 1


def test_what_is_as_near_as_the_right_one_comes_before_it() -> None:
    values = evaluate(images=lambda batch: torch.ones(len(batch), 2), captions=lambda batch: torch.ones(len(batch), 2))
    assert values["retrieval_r1"] == 0
    assert values["retrieval_r10"] == 1


def test_wrong_ones_are_counted_by_cosine_and_not_by_length() -> None:
    queries, gallery = torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.tensor([[3.0, 1.0], [1.0, 0.0], [9.0, 9.0]])
    assert wrong_before_right(queries, gallery, torch.tensor([[0, 1], [0, 0]])).tolist() == [1, 1]
    assert wrong_before_right(queries, gallery, torch.tensor([[0, 0, 1], [0, 1, 2]])).tolist() == [0, 0]


@pytest.mark.parametrize("size", [1, 3])
def test_batches_change_nothing(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    values = evaluate()
    monkeypatch.setattr(retrieval, "_AT_ONCE", size)
    monkeypatch.setattr(retrieval, "_ROWS", size)
    assert evaluate() == values


def test_processes_share_the_images(tmp_path: Path) -> None:
    values = evaluate()
    assert on_ranks(2, tmp_path, evaluate) == [values, values]


def test_names_say_how_many_images_there_are() -> None:
    protocol = RetrievalProtocol(num_images=3)
    assert (protocol.name, RetrievalProtocol().name) == ("retrieval_n3", "retrieval")
    values = evaluate(protocol)
    assert {*values} == {f"{name}_n3" for name in evaluate()}
    assert list(values.values()) == list(evaluate(pairs=lambda: pairs(3)).values())
    assert protocol.small().name == "retrieval_n2"


def test_mistakes() -> None:
    with pytest.raises(UserError, match="at least 2 images, the split has 1"):
        evaluate(pairs=lambda: pairs(1))
    for sample in ({"image": torch.zeros(1, 1, 2, 2)}, {"image": torch.zeros(1, 1, 2, 2), "caption": ["one drawn"]}):
        with pytest.raises(UserError, match="needs all captions of every image"):
            evaluate(pairs=lambda sample=sample: [sample, sample])
    with pytest.raises(DivergedError, match="not finite"):
        evaluate(images=lambda batch: batch.flatten(1) * torch.nan)
