"""Named protocols: how many images, against which, in which features; equal names mean comparable numbers."""

import logging
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal, final

import torch
from torch import Tensor

from freqgan.errors import DivergedError, UserError
from freqgan.features import FeatureNetwork
from freqgan.limits import Count, Several
from freqgan.metrics import ranks
from freqgan.metrics.eight_bit import to_eight_bit
from freqgan.metrics.real_cache import cache_file, keep, restore
from freqgan.ops.global_batch import rank, world_size

if TYPE_CHECKING:
    from freqgan.metrics.band_statistics import BandStatisticsDistance
    from freqgan.metrics.content import ContentDistance
    from freqgan.metrics.feature_distances import FeatureDistances
    from freqgan.metrics.spectrum import SpectrumDistance

    Measure = FeatureDistances | SpectrumDistance | ContentDistance | BandStatisticsDistance

_log = logging.getLogger(__name__)
_DEFINITION = 1  # of the statistics in the cache; counted up when one of them changes its meaning

_OF_NEIGHBOURS = ("precision", "recall", "density", "coverage")
_RISING = (
    *(*_OF_NEIGHBOURS, "diversity", "psnr", "ssim", "lr_consistency_psnr"),
    *("mean_iou", "iou", "pixel_accuracy", "class_accuracy"),
    *(f"{place}_sharpness" for place in ("boundary", "touching", "elsewhere")),
    *("retrieval_r1", "retrieval_r5", "retrieval_r10", "r_precision", "caption_accuracy", "clip_score"),
)

Generate = Callable[[int, int], Tensor]
Real = Callable[[], Iterable[Tensor]]
Bands = Callable[[Tensor], dict[str, Tensor]]


def higher_is_better(name: str) -> bool:
    """Whether a metric of this name rises when images get better; distances fall.

    >>> higher_is_better("recall_efficientnet_lite0_n1000"), higher_is_better("fd_efficientnet_lite0_n1000")
    (True, False)
    """
    return any(name == kind or name.startswith(f"{kind}_") for kind in _RISING)


@final
class GenerationProtocol:
    """Generated images against real ones: feature distances, radial spectrum, content, values of frequency bands.

    All images are first clipped and rounded to 8 bits, as if saved as PNG. The reference is every image that
    `real` yields: as in published scores, that should be the whole split the model was trained on, whatever
    the number of generated images. Those are the samples 0 … `num_images` − 1, so equal weights get equal
    scores. Splitting the work over processes does not change a number.

    Args:
        features: the network whose features are compared; named in the metrics.
        num_images: how many images are generated; named in the metrics, because Fréchet distance, recall and
            coverage depend on it.
        num_real: take only the first ones of `real`, null takes all; named in the metrics if given.
        batch_size: images generated at once.
        k: nearest neighbours for precision, recall, density and coverage; named in the metrics unless 5.
        kid_subsets: random subsets over which the kernel distance is averaged.
        kid_subset_size: images in each of them, at most as many as there are.

    Raises:
        UserError: an image has not as many neighbours as `k`.
    """

    KIND = "generation"
    split: Literal["train", "val"] = "train"

    def __init__(
        self,
        features: FeatureNetwork,
        *,
        num_images: int = 1000,
        num_real: int | None = None,
        batch_size: Count = 100,
        k: Count = 5,
        kid_subsets: Count = 10,
        kid_subset_size: Several = 1000,
    ) -> None:
        counts = {"num_images": num_images, "num_real": num_real}
        if few := [name for name, count in counts.items() if count is not None and count <= k]:
            fix = f"set it to {k + 1} or more, or metrics.k lower"
            raise UserError(
                *(f"metrics.{name}={counts[name]} leaves an image no {k} neighbours: {fix}" for name in few)
            )
        self.features = features
        self.num_images, self.num_real, self.batch_size = num_images, num_real, batch_size
        self.k, self.kid_subsets, self.kid_subset_size = k, kid_subsets, kid_subset_size

    @property
    def name(self) -> str:
        """Names the numbers: protocols of equal name are comparable."""
        return f"generation_{self.features.name}_{self._count}{self._neighbours}"

    def small(self) -> "GenerationProtocol":
        """The same on as few images as it can be computed on: to find mistakes, not to compare."""
        n = max(20, self.k + 1)
        return GenerationProtocol(self.features, num_images=n, num_real=n, batch_size=n, k=self.k, kid_subset_size=n)

    @torch.no_grad()
    def evaluate(
        self,
        generate: Generate,
        real: Real,
        *,
        fingerprint: str,
        cache_dir: Path,
        bands: Bands | None = None,
    ) -> dict[str, float]:
        """Every metric by name; with several processes, each calls this and gets the same numbers.

        Args:
            generate: (start, count) to the samples of ids start … start + count − 1, (count, c, h, w) in
                [-1, 1]; a sample depends on its id alone.
            real: the real images in batches (b, c, h, w) in [-1, 1], always the same ones in the same order;
                called only if their statistics are not in the cache.
            fingerprint: of the real images, as they come out of `real`.
            cache_dir: where their statistics are kept.
            bands: images to a dict of frequency bands whose values are to be compared.

        Returns:
            `fd_<features>_n<images>` (`fid_…` for the published Inception), `kid_…`, `precision_…`,
            `recall_…`, `density_…`, `coverage_…`, `spectrum_distance_n<images>`, `detail_distance_…`,
            `grey_distance_…`, `colour_distance_…` (of images with colour) and `band_distance_<band>_n<images>`.

        Raises:
            UserError: too few real images, or of another shape than the generated ones.
            DivergedError: a generated image is not finite.
        """
        example = generate(0, 1)
        metrics = self._metrics(example, bands)
        key = (_DEFINITION, fingerprint, tuple(example.shape[1:]), self.num_real)
        files = {kind: cache_file(cache_dir, kind, *key, m.real_key()) for kind, m in metrics.items()}
        unknown = ranks.on_first(lambda: [kind for kind, m in metrics.items() if not restore(m, files[kind])])
        return ranks.map_reduce(
            lambda: self._measure(metrics, unknown, generate, real, example),
            lambda states: self._finish(metrics, states, {kind: files[kind] for kind in unknown}),
        )

    def _measure(
        self,
        metrics: "dict[str, Measure]",
        unknown: list[str],
        generate: Generate,
        real: Real,
        example: Tensor,
    ) -> dict[str, ranks.State]:
        if unknown:
            _log.info("measuring the real images (%s), once for this data set", ", ".join(unknown))
            _show([metrics[kind] for kind in unknown], self._real(real, example), real=True)
        _show(list(metrics.values()), self._generated(generate), real=False)
        return {kind: metric.metric_state for kind, metric in metrics.items()}

    def _finish(
        self, metrics: "dict[str, Measure]", states: list[dict[str, ranks.State]], files: dict[str, Path]
    ) -> dict[str, float]:
        for kind, metric in metrics.items():
            for name, value in ranks.merge([state[kind] for state in states]).items():
                setattr(metric, name, value)
        results = self._results(metrics)
        for kind, file in files.items():
            keep(metrics[kind], file)
        return results

    def _metrics(self, example: Tensor, bands: Bands | None) -> "dict[str, Measure]":
        from freqgan.metrics.band_statistics import BandStatisticsDistance
        from freqgan.metrics.content import ContentDistance
        from freqgan.metrics.feature_distances import FeatureDistances
        from freqgan.metrics.spectrum import SpectrumDistance

        shape = tuple(example.shape[1:])
        distances = FeatureDistances(
            self.features,
            k=self.k,
            kid_subsets=self.kid_subsets,
            kid_subset_size=self.kid_subset_size,
            sync_on_compute=False,
        )
        metrics: dict[str, Measure] = {
            "features": distances,
            "spectrum": SpectrumDistance(min(shape[1:]), sync_on_compute=False),
            "content": ContentDistance(shape, sync_on_compute=False),
        }
        if bands is not None:
            metrics["bands"] = BandStatisticsDistance(bands, shape, device=example.device, sync_on_compute=False)
        return metrics

    def _real(self, real: Real, example: Tensor) -> Iterator[Tensor]:
        for images in islice(first_images(real(), self.num_real), rank(), None, world_size()):
            if images.shape[1:] != example.shape[1:]:
                raise UserError(
                    f"real images are {_shape(images)} (channels × height × width), generated ones "
                    f"{_shape(example)}: set data.image_size and data.channels to those of the model"
                )
            yield images.to(example.device)

    def _generated(self, generate: Generate) -> Iterator[Tensor]:
        for start in range(rank() * self.batch_size, self.num_images, world_size() * self.batch_size):
            count = min(self.batch_size, self.num_images - start)
            images = generate(start, count)
            if len(images) != count:
                raise ValueError(f"asked for {count} images from {start} on, got {len(images)}")
            if not images.isfinite().all():
                raise DivergedError(f"images generated for the ids {start} to {start + count - 1} are not finite")
            yield images

    def _results(self, metrics: "dict[str, Measure]") -> dict[str, float]:
        results = {}
        for kind, metric in metrics.items():
            for name, value in metric.compute().items():
                network = f"_{self.features.name}" if kind == "features" else ""
                neighbours = self._neighbours if name in _OF_NEIGHBOURS else ""
                results[f"{name}{network}_{self._count}{neighbours}"] = float(value)
        return results

    @property
    def _count(self) -> str:
        return f"n{self.num_images}" if self.num_real is None else f"n{self.num_images}_real{self.num_real}"

    @property
    def _neighbours(self) -> str:
        return "" if self.k == 5 else f"_k{self.k}"


@final
class NoEvaluation:
    """Stands where nothing is to be evaluated: no image is generated, no number comes back.

    Args:
        **settings: of the protocol that an experiment has chosen and `metrics=none` has replaced.
    """

    name = "none"
    KIND = None
    split: Literal["train", "val"] = "train"

    def __init__(self, **settings: object) -> None:
        pass

    def small(self) -> "NoEvaluation":
        """The same nothing."""
        return self

    def evaluate(
        self,
        generate: Generate,
        real: Real,
        *,
        fingerprint: str,
        cache_dir: Path,
        bands: Bands | None = None,
    ) -> dict[str, float]:
        """An empty dict."""
        return {}


def _show(metrics: "list[Measure]", batches: Iterable[Tensor], *, real: bool) -> None:
    for images in batches:
        rounded = to_eight_bit(images)
        for metric in metrics:
            metric.update(rounded, real=real)


def first_images(batches: Iterable[Tensor], count: int | None) -> Iterator[Tensor]:
    """So many images of some batches, or all."""
    if count is None:
        yield from batches
        return
    for images in batches:
        yield images[:count]
        count -= len(images)
        if count <= 0:
            return


def _shape(images: Tensor) -> str:
    return "×".join(map(str, images.shape[1:]))
