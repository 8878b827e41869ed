"""Translated images: against their targets where there are some, against the other domain, and the way back.

Reference: PSNR, SSIM and the like for pairs; for what has no pairs the Fréchet and the kernel distance of the results
from images of the domain that they are to be in; the cycle error is what the cycle loss of CycleGAN (Zhu et al. 2017,
eq. 2) asks for, of images that were not trained on.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from functools import partial
from itertools import islice
from math import fsum
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar, final

import torch
from torch import Tensor

from freqgan.errors import DivergedError, UserError
from freqgan.features import EfficientNetLite0, FeatureNetwork
from freqgan.limits import Count, Several
from freqgan.metrics import ranks
from freqgan.metrics.colour_shift import colour_moments, colour_shift
from freqgan.metrics.eight_bit import to_eight_bit, to_levels
from freqgan.metrics.likeness import Likeness, Scores
from freqgan.metrics.perceptual import LPIPS
from freqgan.metrics.real_cache import cache_file, read, write
from freqgan.ops.global_batch import rank, world_size

_DEFINITION = 1  # of the numbers in the cache; counted up when one of them changes its meaning
_GAIN = "psnr_y_crop0"  # of which the gain is told

T = TypeVar("T")
R = TypeVar("R")
Translate = Callable[[Tensor], Tensor]
Picture = Mapping[str, Any]
Pictures = Callable[[], Iterable[Picture]]
Look = dict[str, Tensor]  # what sets of images are compared by, a row for each image


class _Judged(NamedTuple):
    """What is found of a picture's translation; for the scores see `_scores`."""

    name: str
    look: Look
    scores: Scores | None
    cycle_error: float


@final
class TranslationProtocol:
    """By direction: likeness to targets, distance from the target domain, colour shift, error of the way back.

    Everything but the way back is measured of the untranslated images too, once per data set: what doing nothing gets.
    Images are first clipped and rounded to 8 bits, as if saved as PNG, and the way back begins there. Splitting the
    work over processes does not change a number.

    Args:
        features: the network of the Fréchet and the kernel distance, named in the metrics; None leaves them out.
        perceptual: the network of the perceptual distance, named in the metric; None leaves it out.
        lpips: measure LPIPS too; its networks have to be downloaded.
        num_images: take only the first ones of each domain, named in the metrics; None takes all.
        kid_subsets: random subsets over which the kernel distance is averaged.
        kid_subset_size: images in each of them, at most as many as there are.
    """

    KIND = "translation"
    split: Literal["train", "val"] = "val"

    def __init__(
        self,
        features: FeatureNetwork | None = None,
        perceptual: EfficientNetLite0 | None = None,
        *,
        lpips: Literal["alex", "vgg"] | None = None,
        num_images: Several | None = None,
        kid_subsets: Count = 10,
        kid_subset_size: Several = 1000,
    ) -> None:
        self.features, self.num_images = features, num_images
        self.likeness = Likeness(perceptual, None if lpips is None else LPIPS(lpips))
        self.kid_subsets, self.kid_subset_size = kid_subsets, kid_subset_size

    @property
    def name(self) -> str:
        """Names the numbers: protocols of equal name are comparable on the same data."""
        networks = (self.features, self.likeness.features, self.likeness.lpips)
        names = dict.fromkeys(network.name for network in networks if network is not None)
        return "_".join(["translation", *names]) + ("" if self.num_images is None else f"_n{self.num_images}")

    def small(self) -> "TranslationProtocol":
        """The same on two images of each domain: to find mistakes, not to compare."""
        small = copy(self)
        small.num_images = 2
        return small

    @torch.no_grad()
    def evaluate(self, translate: Mapping[str, Translate], data: Any, *, split: str, cache_dir: Path) -> Scores:
        """Every metric by name; with several processes, each calls this and gets the same numbers.

        Args:
            translate: by direction, `ab` or `ba`: an image (1, c, h, w) in [-1, 1] to one of the other domain. Where
                there are both, the way back is judged.
            data: the data module, of two domains.
            split: of the data.
            cache_dir: where what is found of untranslated images is kept.

        Returns:
            Where there are pairs `psnr_y_crop0`, `ssim_y_…`, `psnr_rgb_…`, `ssim_rgb_…` and `gmsd_y_…`, as far as they
            are chosen `perceptual_<features>` and `lpips_<net>`, and `psnr_y_crop0_over_untranslated`, the gain; then
            `fd_<features>` (`fid_…` for the published Inception), `kid_<features>`, `colour_shift_mean` and
            `colour_shift_covariance` (`freqgan.metrics.colour_shift`); and `cycle_error`, the mean difference in levels
            of 255 between images and themselves translated there and back. All of them for each direction, with `_ab`
            or `_ba` behind them; then, the same either way, everything but gain and way back with `_untranslated`.
            `_n<images>` ends the names of distances of features, and all names where `num_images` is given.

        Raises:
            UserError: the data have one domain, too few images, or none that is large enough.
            DivergedError: a result is not finite.
        """
        direction, there = next(iter(translate.items()))
        read_domain = partial(data.evaluation_domain, split, limit=self.num_images, targets=True)
        device = there(next(read_domain(direction[0]))["image"]).device
        pictures: dict[str, Pictures] = {
            domain: partial(_placed, partial(read_domain, domain), device) for domain in ("a", "b")
        }
        network = () if self.features is None else (self.features.name, self.features.weights_hash())
        key = (_DEFINITION, data.fingerprint(), split, self.num_images, *network)
        domains = {
            domain: _once(cache_file(cache_dir, "domain", *key, domain), of_domain, self._look_of, _together)
            for domain, of_domain in pictures.items()
        }
        key = (*key, self.kid_subsets, self.kid_subset_size, *self.likeness.weights())
        untranslated = self._untranslated(pictures["a"], domains, cache_file(cache_dir, "untranslated", *key))
        values: Scores = {}
        for direction, there in translate.items():
            source, target = direction[0], direction[1]
            back = translate.get(target + source)
            finish = partial(self._finish, domains[target], untranslated, cycled=back is not None)
            found = _over(pictures[source], partial(self._judge, there, back), finish)
            values |= self._named(found, direction, domains[source])
        return values | self._named(untranslated, "untranslated", domains["a"])

    def _untranslated(self, pictures: Pictures, domains: Mapping[str, Look], file: Path) -> Scores:
        """What the images of A get as they are, from the cache if it is there."""

        def find(picture: Picture) -> tuple[str, Scores | None]:
            return picture["name"], self._scores(picture["image"], picture)

        def finish(found: Sequence[tuple[str, Scores | None]]) -> dict[str, Tensor]:
            values = self._means(found) | self._distances(domains["a"], domains["b"])
            return {name: torch.tensor(value, dtype=torch.float64) for name, value in values.items()}

        return {name: float(value) for name, value in _once(file, pictures, find, finish).items()}

    def _judge(self, there: Translate, back: Translate | None, picture: Picture) -> _Judged:
        result = there(picture["image"])
        if not result.isfinite().all():
            raise DivergedError(f"{picture['name']}: its translation is not finite")
        cycle_error = 0.0
        if back is not None:
            cycle_error = float((to_levels(back(to_eight_bit(result))) - to_levels(picture["image"])).abs().mean())
        return _Judged(picture["name"], self._look(result), self._scores(result, picture), cycle_error)

    def _look_of(self, picture: Picture) -> Look:
        return self._look(picture["image"])

    def _look(self, image: Tensor) -> Look:
        shown = to_eight_bit(image)
        colours = {"colours": colour_moments(shown).cpu()}
        return colours if self.features is None else colours | {"features": self.features(shown).cpu()}

    def _scores(self, image: Tensor, picture: Picture) -> Scores | None:
        """Against the target; none if the image is too small, None if there is no target."""
        if "target" not in picture:
            return None
        if min(image.shape[-2:]) < self.likeness.least_side():
            return {}
        target: Tensor = picture["target"]
        return self.likeness.by_pixels(image, target) | self.likeness.by_networks(image, target)

    def _means(self, found: Sequence[tuple[str, Scores | None]]) -> Scores:
        """None if there are no targets."""
        scores = [(name, scores) for name, scores in found if scores is not None]
        return self.likeness.means(scores, fix="set data.root to larger ones") if scores else {}

    def _finish(self, target: Look, untranslated: Scores, judged: Sequence[_Judged], *, cycled: bool) -> Scores:
        """The numbers of a direction."""
        values = self._means([(one.name, one.scores) for one in judged])
        if values:
            values[f"{_GAIN}_over_untranslated"] = values[_GAIN] - untranslated[_GAIN]
        values |= self._distances(_together([one.look for one in judged]), target)
        return values | ({"cycle_error": fsum(one.cycle_error for one in judged) / len(judged)} if cycled else {})

    def _distances(self, of: Look, to: Look) -> Scores:
        """Of a set of images from another one."""
        from freqgan.metrics.feature_distances import frechet_distance, kernel_distance

        distances: Scores = {}
        if self.features is not None:
            fewest = min(len(of["features"]), len(to["features"]))
            if fewest < 2:
                fix = "raise data.val_fraction, or set metrics.features=null"
                raise UserError(f"sets of images are compared, and one has a single image: {fix}")
            name, vectors = self.features.name, (to["features"], of["features"])
            kernel = kernel_distance(*vectors, subsets=self.kid_subsets, subset_size=self.kid_subset_size)
            distances[f"{self.features.frechet_name}_{name}"] = float(frechet_distance(*vectors))
            distances[f"kid_{name}"] = float(kernel)
        return distances | colour_shift(of["colours"], to["colours"])

    def _named(self, values: Scores, suffix: str, source: Look) -> Scores:
        """With what they are of, and of how many."""
        count = "" if self.num_images is None else f"_n{self.num_images}"
        of_features = f"_n{len(source['colours'])}"
        return {
            f"{name}_{suffix}{of_features if name.startswith(('fd_', 'fid_', 'kid_')) else count}": value
            for name, value in values.items()
        }


def _placed(pictures: Pictures, device: torch.device) -> Iterator[Picture]:
    for picture in pictures():
        yield {name: x.to(device) if isinstance(x, Tensor) else str(x) for name, x in picture.items()}


def _over(pictures: Pictures, find: Callable[[Picture], T], finish: Callable[[list[T]], R]) -> R:
    """What follows from what is found of every picture; each process looks at its share."""
    return ranks.map_reduce(
        lambda: [find(picture) for picture in islice(pictures(), rank(), None, world_size())],
        lambda parts: finish(ranks.interleave(parts)),
    )


def _once(
    file: Path, pictures: Pictures, find: Callable[[Picture], T], finish: Callable[[list[T]], dict[str, Tensor]]
) -> dict[str, Tensor]:
    """The same, kept in a file."""

    def kept(found: list[T]) -> dict[str, Tensor]:
        tensors = finish(found)
        write(file, tensors)
        return tensors

    known = ranks.on_first(lambda: read(file))
    return _over(pictures, find, kept) if known is None else known


def _together(looks: Sequence[Look]) -> Look:
    return {kind: torch.cat([look[kind] for look in looks]) for kind in looks[0]}
