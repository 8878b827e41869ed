"""Matching of images and captions: each finds its own among all those of a batch.

Reference: Xu et al., "AttnGAN", 2018, §3.2, eq. 7 to 13 (DAMSM), as its published code has them: R(Q, D) is
log Σ exp(γ₂ · cosine) without the paper's power 1/γ₂. The values are the published ones; what differs is that a
caption equal to an image's own is no wrong one, and that no context vector is built, because its products with a word
and with itself follow from those of the regions.

The batch is the global one: with several processes, each calls these functions with its own rows.
"""

import hashlib
from collections.abc import Sequence

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
    overall: Float[Tensor, "b d"], sentence: Float[Tensor, "b d"], *, allowed: Allowed = None, gamma3: float = 10.0
) -> Float[Tensor, ""]:
    """Cross-entropy of γ₃ · cosine between every image and every sentence, summed over both directions.

    Args:
        overall: a vector per image.
        sentence: a vector per caption, in the order of the images.
        allowed: [i, j] whether image i and caption j count as a wrong pair; all if None, the diagonal is right.
        gamma3: sharpness.

    Raises:
        UserError: a batch of one.

    >>> both = torch.eye(2)
    >>> round(sentence_matching(both, both, gamma3=1.0).item(), 4)  # 2 · ln(1 + e⁻¹)
    0.6265
    """
    with full_precision(overall.device.type):
        images, captions = (F.normalize(gather_rows(x), dim=1, eps=EPS) for x in (overall, sentence))
        return _two_way(gamma3 * images @ captions.T, allowed)


def word_region_matching(
    regions: Float[Tensor, "b d n"],
    words: Float[Tensor, "b t d"],
    mask: Bool[Tensor, "b t"],
    *,
    allowed: Allowed = None,
    gamma1: float = 4.0,
    gamma2: float = 5.0,
    gamma3: float = 10.0,
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

    Raises:
        UserError: a batch of one.
    """
    with full_precision(regions.device.type):
        words, mask = _equally_long(words, mask)
        everything = (gather_rows(x) for x in (regions, words, mask))
        scores = word_region_scores(*everything, gamma1=gamma1, gamma2=gamma2)
        return _two_way(gamma3 * scores, allowed)


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


def _two_way(logits: Float[Tensor, "n n"], allowed: Allowed) -> Float[Tensor, ""]:
    if len(logits) < 2:
        raise UserError(
            "images are matched with the captions of others in the batch, and there are none: set data.batch_size to "
            "at least 2 for every process and every part that model.accumulate makes"
        )
    if allowed is not None:
        logits = logits.masked_fill(~allowed.to(logits.device), -torch.inf)
    right = torch.arange(len(logits), device=logits.device)
    return F.cross_entropy(logits, right) + F.cross_entropy(logits.T, right)


def _equally_long(
    words: Float[Tensor, "b t d"], mask: Bool[Tensor, "b t"]
) -> tuple[Float[Tensor, "b T d"], Bool[Tensor, "b T"]]:
    """Padded to the longest caption of all processes."""
    if world_size() == 1:
        return words, mask
    count = mask.shape[1]
    missing = int(gather_rows(torch.tensor([count], device=mask.device)).max()) - count
    return F.pad(words, (0, 0, 0, missing)), F.pad(mask, (0, missing))
