"""Matching losses against the published code's loops, and what counts as a wrong pair."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from freqgan.errors import UserError
from freqgan.losses import allowed_pairs, sentence_matching, word_region_matching, word_region_scores
from tests.forked import on_ranks

LENGTHS = [3, 1, 5, 2]
GAMMAS = {"gamma1": 4.0, "gamma2": 5.0, "gamma3": 10.0}


def inputs(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    """Regions (4, 6, 7), words (4, 5, 6) and their mask."""
    generator = torch.Generator().manual_seed(0)
    regions, words = (torch.randn(*shape, generator=generator, dtype=dtype) for shape in ((4, 6, 7), (4, 5, 6)))
    mask = torch.arange(5) < torch.tensor(LENGTHS)[:, None]
    return regions, words * mask[..., None], mask


def vectors(count: int = 4) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    overall, sentence = (torch.randn(count, 6, generator=generator, dtype=torch.float64) for _ in range(2))
    return overall, sentence


def published_score(regions: Tensor, words: Tensor) -> Tensor:
    """One image (d, n) and one caption (t, d) without padding, step by step as AttnGAN's code goes."""
    attention = (words @ regions).softmax(0)  # over words, for each region
    attention = (4.0 * attention).softmax(1)  # over regions, for each word
    contexts = attention @ regions.T  # (t, d)
    cosines = torch.stack([F.cosine_similarity(c, e, dim=0) for c, e in zip(contexts, words, strict=True)])
    return (5.0 * cosines).exp().sum().log()


def published_scores() -> Tensor:
    regions, words, _ = inputs()
    rows = [[published_score(image, words[j, :n]) for j, n in enumerate(LENGTHS)] for image in regions]
    return torch.tensor(rows, dtype=torch.float64)


def two_way(logits: Tensor, allowed: Tensor) -> Tensor:
    """Sum over both directions of the mean −log share of the right one among what is allowed, element by element."""
    n, total = len(logits), torch.zeros((), dtype=logits.dtype)
    for i in range(n):
        rows = sum(logits[i, j].exp() for j in range(n) if allowed[i, j])
        columns = sum(logits[j, i].exp() for j in range(n) if allowed[j, i])
        total = total - (logits[i, i].exp() / rows).log() / n - (logits[i, i].exp() / columns).log() / n
    return total


def some_allowed() -> Tensor:
    allowed = torch.ones(4, 4, dtype=torch.bool)
    allowed[0, 2] = allowed[2, 0] = allowed[1, 3] = allowed[3, 1] = False
    return allowed


def test_scores_are_those_of_the_published_code() -> None:
    torch.testing.assert_close(word_region_scores(*inputs()), published_scores())


@pytest.mark.parametrize("allowed", [None, some_allowed()], ids=["all", "some"])
def test_losses_are_the_cross_entropy_of_both_directions(allowed: Tensor | None) -> None:
    every = torch.ones(4, 4, dtype=torch.bool) if allowed is None else allowed
    overall, sentence = vectors()
    cosines = torch.stack([F.cosine_similarity(x, sentence) for x in overall])
    torch.testing.assert_close(sentence_matching(overall, sentence, allowed=allowed), two_way(10 * cosines, every))
    loss = word_region_matching(*inputs(), allowed=allowed, **GAMMAS)
    torch.testing.assert_close(loss, two_way(10 * published_scores(), every))


def test_padding_and_the_order_of_the_batch_change_nothing() -> None:
    regions, words, mask = inputs()
    expected = word_region_matching(regions, words, mask)
    longer = F.pad(words, (0, 0, 0, 3), value=7.0), F.pad(mask, (0, 3))
    torch.testing.assert_close(word_region_matching(regions, *longer), expected)
    order = torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(word_region_matching(regions[order], words[order], mask[order]), expected)
    overall, sentence = vectors()
    torch.testing.assert_close(sentence_matching(overall[order], sentence[order]), sentence_matching(overall, sentence))


def test_gradients_are_those_of_finite_differences_and_end_at_padding() -> None:
    regions, words, mask = inputs()
    mine = [x.clone().requires_grad_(True) for x in (regions, words)]
    word_region_matching(mine[0], mine[1], mask, allowed=some_allowed()).backward()
    gradients: Any = [x.grad for x in mine]
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert gradients[1][~mask].abs().max() == 0
    inside = words[1:2, :1].clone().requires_grad_(True), regions[:2, :3, :2].clone().requires_grad_(True)
    torch.autograd.gradcheck(
        lambda w, r: word_region_matching(r, w.expand(2, -1, -1)[..., :3], torch.ones(2, 1, dtype=torch.bool)), inside
    )
    overall, sentence = (x.requires_grad_(True) for x in vectors())
    torch.autograd.gradcheck(lambda o, s: sentence_matching(o, s, allowed=some_allowed()), (overall, sentence))


def test_right_pairs_have_less_loss_than_wrong_ones() -> None:
    overall, _ = vectors()
    assert sentence_matching(overall, overall) < 0.1 < sentence_matching(overall, overall.roll(1, 0))


def test_it_is_computed_in_full_precision_within_autocast() -> None:
    overall, sentence = (x.float() for x in vectors())
    regions, words, mask = inputs(torch.float32)
    expected = sentence_matching(overall, sentence), word_region_matching(regions, words, mask)
    with torch.autocast("cpu", torch.bfloat16):
        assert sentence_matching(overall, sentence) == expected[0]
        assert word_region_matching(regions, words, mask) == expected[1]


@pytest.mark.parametrize("count", [0, 1])
def test_a_batch_without_others_is_refused(count: int) -> None:
    overall, sentence = vectors(count)
    regions, words, mask = (x[:count] for x in inputs())
    with pytest.raises(UserError, match=r"set data\.batch_size to at least 2"):
        sentence_matching(overall, sentence)
    with pytest.raises(UserError, match=r"set data\.batch_size to at least 2"):
        word_region_matching(regions, words, mask)


def test_pairs_of_one_class_and_of_equal_captions_are_not_wrong() -> None:
    captions = ["a red ring", "a star", "A RED ring.", "a heart"]
    expected = torch.ones(4, 4, dtype=torch.bool)
    expected[0, 2] = expected[2, 0] = False
    assert torch.equal(allowed_pairs(captions), expected)
    expected[1, 3] = expected[3, 1] = False
    assert torch.equal(allowed_pairs(captions, torch.tensor([4, 5, 6, 5])), expected)
    assert allowed_pairs(["same"] * 3, torch.zeros(3, dtype=torch.int64)).int().tolist() == torch.eye(3).int().tolist()


def test_processes_see_the_captions_of_all(tmp_path: Path) -> None:
    captions = ["a ring", "a star", "a heart", "a ring"]

    def scenario() -> list[float]:
        from freqgan.ops.global_batch import rank, world_size

        own = slice(2 * rank(), 2 * rank() + 2) if world_size() > 1 else slice(None)
        overall, sentence = vectors()
        regions, words, mask = inputs()
        longest = max(LENGTHS[own])
        allowed = allowed_pairs(captions[own])
        return [
            sentence_matching(overall[own], sentence[own], allowed=allowed).item(),
            word_region_matching(regions[own], words[own, :longest], mask[own, :longest], allowed=allowed).item(),
        ]

    expected = scenario()
    for found in on_ranks(2, tmp_path, scenario):
        assert found == pytest.approx(expected, abs=1e-12)


def altered_inputs() -> tuple[Tensor, Tensor, Tensor]:
    """Words (4, 2, 6, 6) of two altered captions of each image, their mask, and which there are."""
    words = torch.randn(4, 2, 6, 6, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    mask = torch.arange(6) < torch.tensor([[3, 2], [6, 1], [4, 4], [2, 5]])[..., None]
    return words, mask, torch.tensor([[True, True], [False, True], [False, False], [True, False]])


def with_wrong(logits: Tensor, wrong: Tensor, known: Tensor) -> Tensor:
    """Images have to be told from further captions, captions from other images alone."""
    rows = torch.stack([logits[i].exp().sum() + wrong[i][known[i]].exp().sum() for i in range(len(logits))])
    right = logits.diagonal().exp()
    return -(right / rows).log().mean() - (right / logits.exp().sum(0)).log().mean()


def test_altered_captions_stand_against_their_own_image_alone() -> None:
    (overall, sentence), (regions, words, mask) = vectors(), inputs()
    altered, altered_mask, known = altered_inputs()
    cosines = F.cosine_similarity(overall[:, None], altered[:, :, 0], dim=2)
    expected = with_wrong(10 * F.cosine_similarity(overall[:, None], sentence[None], dim=2), 10 * cosines, known)
    found = sentence_matching(overall, sentence, altered=altered[:, :, 0], known=known)
    torch.testing.assert_close(found, expected)
    scores = torch.stack(
        [
            torch.stack([published_score(regions[i], altered[i, j][altered_mask[i, j]]) for j in range(2)])
            for i in range(4)
        ]
    )
    expected = with_wrong(10 * published_scores(), 10 * scores, known)
    more: Any = {"altered": altered, "altered_mask": altered_mask, "known": known}
    torch.testing.assert_close(word_region_matching(regions, words, mask, **more), expected)
    torch.testing.assert_close(
        word_region_matching(regions, words, mask, **more | {"known": torch.zeros_like(known)}),
        word_region_matching(regions, words, mask),
    )


def test_processes_see_the_altered_captions_of_all(tmp_path: Path) -> None:
    def scenario() -> list[float]:
        from freqgan.ops.global_batch import rank, world_size

        own = slice(2 * rank(), 2 * rank() + 2) if world_size() > 1 else slice(None)
        (overall, sentence), (regions, words, mask) = vectors(), inputs()
        longest = 6 - rank()  # padded to different lengths
        altered, altered_mask, known = (x[own] for x in altered_inputs())
        of_words: Any = {"altered": altered[:, :, :longest], "altered_mask": altered_mask[:, :, :longest]}
        return [
            sentence_matching(overall[own], sentence[own], altered=altered[:, :, 0], known=known).item(),
            word_region_matching(regions[own], words[own], mask[own], **of_words, known=known).item(),
        ]

    expected = scenario()
    for found in on_ranks(2, tmp_path, scenario):
        assert found == pytest.approx(expected, abs=1e-12)
