"""Images made of label maps: does a segmenter find in them what they were made of, and how near are they to real ones?

References: pix2pixHD (Wang et al. 2018, §4.2) for the segmenter, whose score on real images stands beside; SPADE (Park
et al. 2019) for the Fréchet distance to the real images of the same label maps; BicycleGAN (Zhu et al. 2017) for the
diversity, a perceptual distance between results for one input. Departure: the segmenter is one's own, trained on the
real training split, and named in the metrics.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from functools import partial
from itertools import islice, pairwise
from math import fsum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, final

import torch
from torch import Tensor

from freqgan.errors import DivergedError, UserError
from freqgan.features import EfficientNetLite0, FeatureNetwork
from freqgan.limits import Count, Several
from freqgan.metrics import ranks
from freqgan.metrics.confusion import segmentation_scores
from freqgan.metrics.eight_bit import to_eight_bit
from freqgan.metrics.perceptual import perceptual_distance
from freqgan.metrics.real_cache import cache_file, keep, restore
from freqgan.metrics.segmentation import JudgeSegmenter, confusion_on_real
from freqgan.ops.global_batch import rank, world_size

if TYPE_CHECKING:
    from freqgan.metrics.boundary_sharpness import Energies
    from freqgan.metrics.feature_distances import FeatureDistances

_log = logging.getLogger(__name__)

_DEFINITION = 1  # of the numbers in the cache; counted up when one of them changes its meaning
_SMALL = 4
_HASH = 6  # digits of the judge's hash in metrics' names

Sample = Mapping[str, Any]
Synthesize = Callable[[Sample, int, int], Tensor]
Scores = dict[str, float]


class Found(NamedTuple):
    """What is found of the results for one label map.

    Args:
        counts: what the judge takes the first one's pixels for, by their labels; None without a judge.
        energies: of the first one's gradients, and of the real image's.
        distances: between each result and the next.
    """

    counts: Tensor | None
    energies: "tuple[Energies, Energies]"
    distances: list[float]


@final
class LabelToImageProtocol:
    """Mean IoU, pixel and class accuracy of a judge; Fréchet and kernel distance; diversity; sharpness at boundaries.

    Images are first clipped and rounded to 8 bits, and compared with the real ones of the same label maps. Splitting
    the work over processes does not change a number.

    Args:
        features: the network whose features are compared; named in the metrics.
        num_images: take only so many label maps, evenly drawn; None takes all of the split. How many there are is named
            in the metrics.
        judge_run: the run of `model=segmenter` that judges, or a folder of such runs, whose newest finished one counts;
            None leaves mean IoU and accuracies out.
        perceptual: the network of the diversity; None leaves that out.
        looks: results for one label map, whose diversity is measured.
        kid_subsets: random subsets over which the kernel distance is averaged.
        kid_subset_size: images in each of them, at most as many as there are.
        judge: the segmenter of `judge_run`.
    """

    KIND = "label_to_image"
    split: Literal["train", "val"] = "val"

    def __init__(
        self,
        features: FeatureNetwork,
        *,
        num_images: Several | None = None,
        judge_run: str | None = None,
        perceptual: EfficientNetLite0 | None = None,
        looks: Several = 2,
        kid_subsets: Count = 10,
        kid_subset_size: Several = 1000,
        judge: JudgeSegmenter | None = None,
    ) -> None:
        self.features, self.num_images, self.perceptual, self.looks = features, num_images, perceptual, looks
        self.kid_subsets, self.kid_subset_size, self.judge = kid_subsets, kid_subset_size, judge

    @property
    def name(self) -> str:
        """Names the numbers: protocols of equal name are comparable on the same label maps."""
        judge = [] if self.judge is None else [self.judge.hash[:_HASH]]
        count = [] if self.num_images is None else [f"n{self.num_images}"]
        return "_".join(["label_to_image", self.features.name, *judge, *count])

    def small(self) -> "LabelToImageProtocol":
        """The same on few label maps: to find mistakes, not to compare."""
        small = copy(self)
        small.num_images = _SMALL
        return small

    @torch.no_grad()
    def evaluate(
        self,
        synthesize: Synthesize,
        samples: Callable[..., Iterable[Sample]],
        *,
        num_classes: int,
        varied: bool,
        fingerprint: str,
        cache_dir: Path,
    ) -> Scores:
        """Every metric by name; with several processes, each calls this and gets the same numbers.

        Args:
            synthesize: (sample, its number, number of the result) to an image (1, c, h, w) in [-1, 1].
            samples: given `limit`, samples with `image`, `label_map` and `instance_map`, one by one; always the same
                ones in the same order.
            num_classes: of the label maps; any other id is don't-care.
            varied: whether results for one label map differ.
            fingerprint: of the samples.
            cache_dir: where what is found of real images is kept.

        Returns:
            `mean_iou_<judge>_n<maps>`, `pixel_accuracy_…` and `class_accuracy_…`, see `freqgan.metrics.confusion`, and
            beside each, `…_<judge>_real_n<maps>`, what real images get; `fd_<features>_…` (`fid_…` for the published
            Inception) and `kid_…`; `diversity_<perceptual>_…`, the mean `perceptual_distance` between results for one
            label map, and plainly 0 where there is but one; `boundary_sharpness_…`, the energy of gradients beside
            boundaries of instances over that of real images, `touching_sharpness_…`, the same where two instances of
            one class touch, if any do, and `elsewhere_sharpness_…`: 1 is as sharp as real images are, blur has less and
            noise more.

        Raises:
            UserError: the judge knows other classes, there is no label, or a result is not of its image's size.
            DivergedError: a result is not finite.
        """
        if self.judge is not None and self.judge.num_classes != num_classes:
            lack = f"metrics.judge_run={self.judge.run} tells {self.judge.num_classes} classes apart"
            raise UserError(f"{lack}, the data have {num_classes}: name a segmenter that was trained on such data")
        if self.perceptual is not None and not varied:
            _log.info("results follow from the label maps alone: their diversity is 0, and is not measured")
        chosen, key = partial(samples, limit=self.num_images), (_DEFINITION, fingerprint, self.num_images)
        real = self._real(chosen, cache_dir, key)
        distances = self._distances()
        file = cache_file(cache_dir, "labelled", *key, distances.real_key())
        known = ranks.on_first(lambda: restore(distances, file))

        looks = self.looks if varied and self.perceptual is not None else 1

        def measure() -> tuple[list[Found], ranks.State]:
            found = []
            for number, sample in islice(enumerate(chosen()), rank(), None, world_size()):
                results = [self._result(synthesize, sample, number, look) for look in range(looks)]
                original = to_eight_bit(sample["image"].to(results[0].device))
                distances.update(results[0], real=False)
                if not known:
                    distances.update(original, real=True)
                found.append(self._found(sample, results, original))
            return found, distances.metric_state

        def finish(parts: list[tuple[list[Found], ranks.State]]) -> Scores:
            for name, value in ranks.merge([state for _, state in parts]).items():
                setattr(distances, name, value)
            scores = self._scores(ranks.interleave([found for found, _ in parts]), distances, real)
            if not known:
                keep(distances, file)
            return scores

        return ranks.map_reduce(measure, finish)

    def _real(self, samples: Callable[[], Iterable[Sample]], cache_dir: Path, key: tuple[Any, ...]) -> Scores:
        """What the judge's scores on real images are."""
        if self.judge is None:
            return {}
        file = cache_file(cache_dir, "segmented", *key, self.judge.hash)
        return segmentation_scores(confusion_on_real(self.judge, samples, file=file))

    def _distances(self) -> "FeatureDistances":
        from freqgan.metrics.feature_distances import FeatureDistances

        sizes = {"kid_subsets": self.kid_subsets, "kid_subset_size": self.kid_subset_size}
        return FeatureDistances(self.features, k=1, sync_on_compute=False, **sizes)

    def _result(self, synthesize: Synthesize, sample: Sample, number: int, look: int) -> Tensor:
        image = synthesize(sample, number, look)
        got, wanted = ("×".join(map(str, x.shape[1:])) for x in (image, sample["image"]))
        if got != wanted:
            shapes = f"a result is {got} (channels × height × width), the real image {wanted}"
            raise UserError(f"{shapes}: set data.channels to that of the model")
        if not image.isfinite().all():
            raise DivergedError(f"the result for label map {number} is not finite")
        return to_eight_bit(image)

    def _found(self, sample: Sample, results: Sequence[Tensor], original: Tensor) -> Found:
        from freqgan.metrics.boundary_sharpness import gradient_energies
        from freqgan.ops.instances import regions

        where = regions(sample["label_map"], sample["instance_map"])
        distances = []
        if self.perceptual is not None:
            distances = [float(perceptual_distance(a, b, self.perceptual)) for a, b in pairwise(results)]
        return Found(
            None if self.judge is None else self.judge.confusion(results[0], sample["label_map"]),
            (gradient_energies(results[0], where), gradient_energies(original, where)),
            distances,
        )

    def _scores(self, found: list[Found], distances: "FeatureDistances", real: Scores) -> Scores:
        scores: Scores = {}
        if self.judge is not None:
            counts = torch.stack([one.counts for one in found if one.counts is not None]).sum(0)
            for name, value in segmentation_scores(counts).items():
                by = f"{name}_{self.judge.hash[:_HASH]}"
                scores |= {by: value, f"{by}_real": real[name]}
        computed = distances.compute()
        for name in (self.features.frechet_name, "kid"):
            scores[f"{name}_{self.features.name}"] = float(computed[name])
        if self.perceptual is not None:
            differences = [distance for one in found for distance in one.distances]
            scores[f"diversity_{self.perceptual.name}"] = fsum(differences) / max(len(differences), 1)
        for place in ("boundary", "touching", "elsewhere"):
            of_results, of_real = (fsum(getattr(one.energies[n], place) for one in found) for n in range(2))
            if of_real or place != "touching":
                scores[f"{place}_sharpness"] = of_results / max(of_real, 1e-12)
        return {f"{name}_n{len(found)}": value for name, value in scores.items()}
