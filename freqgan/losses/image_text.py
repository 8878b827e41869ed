"""Matching of images and captions: each finds its own among all those of a batch.

Reference: Xu et al., "AttnGAN", 2018, §3.2, eq. 7 to 13 (DAMSM), as its published code has them: R(Q, D) is
log Σ exp(γ₂ · cosine) without the paper's power 1/γ₂. The values are the published ones; what differs is that a
caption equal to an image's own is no wrong one, and that no context vector is built, because its products with a word
and with itself follow from those of the regions.

The batch is the global one: with several processes, each calls these functions with its own rows.
"""

import hashlib
from collections.abc import Sequence
from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from freqgan.errors import UserError
from freqgan.ops.captions import wording
from freqgan.ops.global_batch import gather_rows, world_size
from freqgan.ops.linear import full_precision

EPS = 1e-8
Allowed = Bool[Tensor, "all all"] | None


def sentence_matching(
    overall: Float[Tensor, "b d"],
    sentence: Float[Tensor, "b d"],
    *,
    allowed: Allowed = None,
    gamma3: float = 10.0,
    altered: Float[Tensor, "b a d"] | None = None,
    known: Bool[Tensor, "b a"] | None = None,
) -> Float[Tensor, ""]:
    """Cross-entropy of γ₃ · cosine between every image and every sentence, summed over both directions.

    Args:
        overall: a vector per image.
        sentence: a vector per caption, in the order of the images.
        allowed: [i, j] whether image i and caption j count as a wrong pair; all if None, the diagonal is right.
        gamma3: sharpness.
        altered: further captions of each image, all wrong, which it alone has to be told from.
        known: which of them there are; all if None.

    Raises:
        UserError: a batch of one.

    >>> both = torch.eye(2)
    >>> round(sentence_matching(both, both, gamma3=1.0).item(), 4)  # 2 · ln(1 + e⁻¹)
    0.6265
    """
    with full_precision(overall.device.type):
        images, captions = (F.normalize(gather_rows(x), dim=1, eps=EPS) for x in (overall, sentence))
        wrong = None
        if altered is not None:
            others = F.normalize(gather_rows(altered), dim=2, eps=EPS)
            wrong = _without(gamma3 * (others @ images[..., None])[..., 0], known)
        return _two_way(gamma3 * images @ captions.T, allowed, wrong)


def word_region_matching(
    regions: Float[Tensor, "b d n"],
    words: Float[Tensor, "b t d"],
    mask: Bool[Tensor, "b t"],
    *,
    allowed: Allowed = None,
    gamma1: float = 4.0,
    gamma2: float = 5.0,
    gamma3: float = 10.0,
    altered: Float[Tensor, "b a u d"] | None = None,
    altered_mask: Bool[Tensor, "b a u"] | None = None,
    known: Bool[Tensor, "b a"] | None = None,
) -> Float[Tensor, ""]:
    """Cross-entropy of γ₃ · `word_region_scores`, summed over both directions.

    Args:
        regions: vectors of each image's regions.
        words: vectors of each caption's words, in the order of the images.
        mask: true where there is a word, at least one per caption.
        allowed: [i, j] whether image i and caption j count as a wrong pair; all if None, the diagonal is right.
        gamma1: how much a word attends to its nearest regions.
        gamma2: how much the best word counts.
        gamma3: sharpness.
        altered: vectors of the words of further captions of each image, all wrong, which it alone has to be told from.
        altered_mask: true where there is such a word, at least one per caption.
        known: which of these captions there are; all if None.

    Raises:
        UserError: a batch of one.
    """
    score = partial(word_region_scores, gamma1=gamma1, gamma2=gamma2)
    with full_precision(regions.device.type):
        regions = gather_rows(regions)
        scores = score(regions, *_of_all(words, mask))
        wrong = None
        if altered is not None and altered_mask is not None:
            shape = (len(regions), altered.shape[1])
            theirs = (x.unflatten(0, shape) for x in _of_all(altered.flatten(0, 1), altered_mask.flatten(0, 1)))
            wrong = _without(
                gamma3 * torch.vmap(lambda *of_one: score(of_one[0][None], *of_one[1:])[0])(regions, *theirs), known
            )
        return _two_way(gamma3 * scores, allowed, wrong)


def word_region_scores(
    regions: Float[Tensor, "i d n"],
    words: Float[Tensor, "j t d"],
    mask: Bool[Tensor, "j t"],
    *,
    gamma1: float = 4.0,
    gamma2: float = 5.0,
) -> Float[Tensor, "i j"]:
    """How well each image's regions fit the words of each caption.

    Args:
        regions: vectors of each image's regions.
        words: vectors of each caption's words.
        mask: true where there is a word, at least one per caption.
        gamma1: how much a word attends to its nearest regions.
        gamma2: how much the best word counts.

    >>> one = torch.ones(1, 1, 1)
    >>> word_region_scores(one, one, torch.tensor([[True]])).item()  # γ₂ · 1
    5.0
    """
    spoken = mask[None, :, :, None]
    products = (words.flatten(0, 1) @ regions).unflatten(1, mask.shape)  # (i, j, t, n)
    shares = products.masked_fill(~spoken, -torch.inf).softmax(2)
    attention = (gamma1 * shares).softmax(3)
    along = (attention * products).sum(3)
    looking = attention.flatten(1, 2)  # (i, j*t, n)
    squares = (looking @ (regions.transpose(1, 2) @ regions) * looking).sum(2).unflatten(1, mask.shape)
    lengths = squares.clamp_min(EPS**2).sqrt() * torch.linalg.vector_norm(words, dim=2)
    cosines = along / lengths.clamp_min(EPS)
    scores: Tensor = (gamma2 * cosines).masked_fill(~mask, -torch.inf).logsumexp(2)
    return scores


def allowed_pairs(
    captions: Sequence[str], classes: Int[Tensor, "b"] | None = None, *, device: torch.device | str = "cpu"
) -> Bool[Tensor, "n n"]:
    """[i, j] whether image i and caption j count as a wrong pair: neither of one class nor of equal captions.

    The diagonal, which is right, is true.

    Args:
        captions: one per image; those of the same words are equal.
        classes: one per image, where the data know any.
        device: of the losses.

    >>> allowed_pairs(["a ring", "A ring.", "a star"]).int().tolist()
    [[1, 0, 1], [0, 1, 1], [1, 1, 1]]
    """
    digests = [hashlib.sha256(wording(caption).encode()).digest()[:8] for caption in captions]
    said = torch.tensor([int.from_bytes(digest, signed=True) for digest in digests], device=device)
    labels = [gather_rows(x.to(device)) for x in (said, classes) if x is not None]
    same = torch.stack([x[:, None] == x for x in labels]).any(0)
    return ~same | torch.eye(len(same), dtype=torch.bool, device=device)


def _two_way(logits: Float[Tensor, "n n"], allowed: Allowed, wrong: Float[Tensor, "n a"] | None) -> Float[Tensor, ""]:
    """Each image to its caption among all and its wrong ones, and each caption to its image."""
    if len(logits) < 2:
        raise UserError(
            "images are matched with the captions of others in the batch, and there are none: set data.batch_size to "
            "at least 2 for every process and every part that model.accumulate makes"
        )
    if allowed is not None:
        logits = logits.masked_fill(~allowed.to(logits.device), -torch.inf)
    right = torch.arange(len(logits), device=logits.device)
    captions = logits if wrong is None else torch.cat([logits, wrong], 1)
    return F.cross_entropy(captions, right) + F.cross_entropy(logits.T, right)


def _without(logits: Float[Tensor, "n a"], known: Bool[Tensor, "b a"] | None) -> Float[Tensor, "n a"]:
    """Those of captions that there are; the rest cannot be chosen."""
    return logits if known is None else logits.masked_fill(~gather_rows(known), -torch.inf)


def _of_all(
    words: Float[Tensor, "b t d"], mask: Bool[Tensor, "b t"]
) -> tuple[Float[Tensor, "n T d"], Bool[Tensor, "n T"]]:
    """Those of all processes, padded to the longest caption."""
    if world_size() > 1:
        count = mask.shape[1]
        missing = int(gather_rows(torch.tensor([count], device=mask.device)).max()) - count
        words, mask = F.pad(words, (0, 0, 0, missing)), F.pad(mask, (0, missing))
    return gather_rows(words), gather_rows(mask)
