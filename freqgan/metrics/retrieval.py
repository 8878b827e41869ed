"""How often an image's captions are found among all captions, and a caption's image among all images."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Literal, final

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from freqgan.errors import DivergedError, UserError
from freqgan.limits import Several
from freqgan.metrics import ranks
from freqgan.ops.captions import wording
from freqgan.ops.global_batch import rank, world_size

_AT_ONCE = 64  # images or captions that are encoded together; no number depends on it
_ROWS = 512  # queries that are compared with the whole gallery at once
_DEPTHS = (1, 5, 10)

Pairs = Callable[[], Iterable[Mapping[str, Any]]]
Scores = dict[str, float]


@final
class RetrievalProtocol:
    """R@1, R@5 and R@10 by the cosine of an image's and a caption's vectors, in both directions and their mean.

    The gallery is the whole split, so that the numbers do not depend on the batch size: they do depend on how many
    images there are. From image to text, any caption of the image is right, and captions of the same words are one.
    From text to image, every caption of every image is a query, and any image that has a caption of the same words is
    right. What is wrong and just as near as the nearest right one comes before it.

    Args:
        num_images: take only so many, evenly drawn and named in the metrics; None takes all.
    """

    KIND = "retrieval"
    split: Literal["train", "val"] = "val"

    def __init__(self, *, num_images: Several | None = None) -> None:
        self.num_images = num_images

    @property
    def name(self) -> str:
        """Names the numbers: protocols of equal name are comparable on the same images."""
        return f"retrieval{self._count}"

    def small(self) -> "RetrievalProtocol":
        """The same on two images: to find mistakes, not to compare."""
        return RetrievalProtocol(num_images=2)

    @torch.no_grad()
    def evaluate(
        self, images: Callable[[Tensor], Tensor], captions: Callable[[Sequence[str]], Tensor], pairs: Pairs
    ) -> Scores:
        """Every metric by name; with several processes, each calls this and gets the same numbers.

        Args:
            images: (b, c, h, w) in [-1, 1] to their vectors (b, d).
            captions: to their vectors (b, d).
            pairs: samples with `image` (1, c, h, w) and `caption`, a list with the list of all its captions, one by
                one; always the same ones in the same order.

        Returns:
            `retrieval_r1`, the mean of `retrieval_r1_image_to_text` and `retrieval_r1_text_to_image`, all in [0, 1],
            and the same for 5 and 10.

        Raises:
            UserError: fewer than two images, or one without captions.
            DivergedError: a vector is not finite.
        """
        return ranks.map_reduce(lambda: self._encode(images, pairs), lambda parts: self._finish(parts, captions))

    def _encode(self, images: Callable[[Tensor], Tensor], pairs: Pairs) -> list[tuple[Tensor, list[str]]]:
        """The vector and the captions of every image of this process."""
        own = islice(islice(pairs(), self.num_images), rank(), None, world_size())
        found: list[tuple[Tensor, list[str]]] = []
        for batch in batches(own):
            vectors = images(torch.cat([pair["image"] for pair in batch])).float().cpu()
            found += zip(vectors, map(all_captions, batch), strict=True)
        return found

    def _finish(
        self, parts: list[list[tuple[Tensor, list[str]]]], captions: Callable[[Sequence[str]], Tensor]
    ) -> Scores:
        judged = ranks.interleave(parts)
        if len(judged) < 2:
            raise UserError(f"retrieval needs at least 2 images, the split has {len(judged)}: raise data.val_fraction")
        said = [[wording(caption) for caption in of_image] for _, of_image in judged]
        # One caption stands for all of the same words.
        spoken = {wording(caption): caption for _, of_image in judged for caption in of_image}
        rows = {words: number for number, words in enumerate(spoken)}
        texts = torch.cat([captions(batch).float().cpu() for batch in batches(spoken.values())])
        pictures = torch.stack([vector for vector, _ in judged])
        right = torch.tensor([(image, rows[words]) for image, of_image in enumerate(said) for words in of_image]).T
        to_text = wrong_before_right(pictures, texts, right)
        to_image = wrong_before_right(texts, pictures, right.flip(0))[right[1]]
        return self._scores({"image_to_text": to_text, "text_to_image": to_image})

    def _scores(self, places: dict[str, Tensor]) -> Scores:
        scores: Scores = {}
        for depth in _DEPTHS:
            found = {name: (wrong < depth).double().mean().item() for name, wrong in places.items()}
            scores[f"retrieval_r{depth}{self._count}"] = sum(found.values()) / len(found)
            scores |= {f"retrieval_r{depth}_{name}{self._count}": value for name, value in found.items()}
        return scores

    @property
    def _count(self) -> str:
        return "" if self.num_images is None else f"_n{self.num_images}"


def wrong_before_right(
    queries: Float[Tensor, "q d"], gallery: Float[Tensor, "g d"], right: Int[Tensor, "2 n"]
) -> Int[Tensor, "q"]:
    """How many wrong ones of a gallery are at least as near to each query as its nearest right one, by cosine.

    Args:
        queries: vectors.
        gallery: vectors.
        right: query and place in the gallery of every right answer; each query has one or more.

    Raises:
        DivergedError: a vector is not finite.
    """
    if not (queries.isfinite().all() and gallery.isfinite().all()):
        raise DivergedError("the vector of an image or a caption is not finite: lower optim.lr or set model.clip")
    queries, gallery = F.normalize(queries, dim=1), F.normalize(gallery, dim=1)
    counts = []
    for start in range(0, len(queries), _ROWS):
        cosines = queries[start : start + _ROWS] @ gallery.T
        here = right[:, (right[0] >= start) & (right[0] < start + _ROWS)]
        answers = torch.zeros_like(cosines, dtype=torch.bool)
        answers[here[0] - start, here[1]] = True
        nearest = cosines.masked_fill(~answers, -torch.inf).amax(1, keepdim=True)
        counts.append(((cosines >= nearest) & ~answers).sum(1))
    return torch.cat(counts)


def batches(items: Iterable[Any]) -> Iterator[list[Any]]:
    """In order, as many at once as are encoded together."""
    iterator = iter(items)
    while batch := list(islice(iterator, _AT_ONCE)):
        yield batch


def all_captions(pair: Mapping[str, Any]) -> list[str]:
    """All captions of a sample.

    Raises:
        UserError: it has none, or a single one that was drawn of them.
    """
    captions: list[str] | str = pair["caption"][0] if "caption" in pair else []
    if not captions or isinstance(captions, str):
        raise UserError("judging needs all captions of every image: choose data=captioned_folder or scenes")
    return captions
