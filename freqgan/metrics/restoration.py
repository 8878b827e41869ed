"""Restored images against their originals, one by one, and plain enlargement beside them."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Literal, final

import torch
from torch import Tensor

from freqgan.errors import DivergedError, UserError
from freqgan.features import EfficientNetLite0
from freqgan.limits import Count, Natural
from freqgan.metrics import ranks
from freqgan.metrics.crop_sheets import save_crops
from freqgan.metrics.eight_bit import to_levels
from freqgan.metrics.full_reference import psnr
from freqgan.metrics.likeness import Likeness, Scores
from freqgan.metrics.perceptual import LPIPS
from freqgan.metrics.real_cache import cache_file, read, write
from freqgan.ops.global_batch import rank, world_size
from freqgan.ops.resample import resize

_DEFINITION = 1  # of the numbers in the cache; counted up when one of them changes its meaning

Restore = Callable[[Tensor], Tensor]
Pair = Mapping[str, Any]
Pairs = Callable[[], Iterable[Pair]]


@final
class RestorationProtocol:
    """Means over images of PSNR, SSIM, GMSD, a perceptual distance and consistency with the input.

    Images are judged as `freqgan.metrics.likeness` says. Where the original is larger than the input, the bicubic
    enlargement is judged too, once per data set, and its numbers are kept. Splitting the work over processes does not
    change a number.

    Args:
        features: the network of the perceptual distance, named in the metric; None leaves that out.
        lpips: measure LPIPS too; its networks have to be downloaded.
        crop: pixels that are cut off at every side before PSNR, SSIM and GMSD, named in the metrics; None for the
            factor between input and original, as published numbers have it, or 0 where both are of one size.
        num_images: take only the first ones, named in the metrics; None takes all.
        crops: a folder for pictures of the part with the most detail: enlarged, restored, original.
    """

    KIND = "restoration"
    split: Literal["train", "val"] = "val"

    def __init__(
        self,
        features: EfficientNetLite0 | None = None,
        *,
        lpips: Literal["alex", "vgg"] | None = None,
        crop: Natural | None = None,
        num_images: Count | None = None,
        crops: str | None = None,
    ) -> None:
        self.features, self.crop, self.num_images, self.crops = features, crop, num_images, crops
        self.lpips = None if lpips is None else LPIPS(lpips)
        self.likeness = Likeness(features, self.lpips)

    @property
    def name(self) -> str:
        """Names the numbers: protocols of equal name are comparable on the same pairs."""
        networks = [network.name for network in (self.features, self.lpips) if network is not None]
        crop = [] if self.crop is None else [f"crop{self.crop}"]
        return "_".join(["restoration", *networks, *crop]) + self._count

    def small(self) -> "RestorationProtocol":
        """The same on two images: to find mistakes, not to compare."""
        lpips = self.lpips and self.lpips.net
        return RestorationProtocol(self.features, lpips=lpips, crop=self.crop, num_images=2)

    @torch.no_grad()
    def evaluate(self, restore: Restore, pairs: Pairs, *, fingerprint: str, cache_dir: Path) -> Scores:
        """Every metric by name; with several processes, each calls this and gets the same numbers.

        Args:
            restore: an input (1, c, h, w) in [-1, 1] to the restored image (1, c, H, W).
            pairs: `image_low` and `image`, its original, in [-1, 1], with their `name`, one by one; always the same
                ones in the same order.
            fingerprint: of the pairs.
            cache_dir: where the numbers of bicubic enlargement are kept.

        Returns:
            `psnr_y_crop<pixels>`, `ssim_y_…`, `psnr_rgb_…`, `ssim_rgb_…`, `gmsd_y_…`, and as far as they are chosen
            `perceptual_<features>` and `lpips_<net>`. Where images are enlarged, also `lr_consistency_psnr`, between
            the input and the bicubic reduction of the result, `psnr_y_…_over_bicubic`, the gain, and everything of
            bicubic enlargement, with `_bicubic` in the name.

        Raises:
            UserError: no pair is large enough, or a restored image is not of its original's size.
            DivergedError: a restored image is not finite.
        """
        example = next(iter(pairs()), None)
        if example is None:
            raise UserError("there is no pair of images to judge by: set data.root or split")
        scale = _scale(example)
        crop = (scale if scale > 1 else 0) if self.crop is None else self.crop
        # The first input shows in which way inputs are made, should the fingerprint be of the originals alone.
        low = hashlib.sha256(example["image_low"].cpu().contiguous().numpy().tobytes()).hexdigest()
        key = (_DEFINITION, fingerprint, low, scale, self.name, *self.likeness.weights())
        file = cache_file(cache_dir, "bicubic", *key)
        known = ranks.on_first(lambda: read(file)) if scale > 1 else {}
        baseline = None if known is None else {name: float(value) for name, value in known.items()}
        return ranks.map_reduce(
            lambda: self._measure(restore, pairs, crop, with_bicubic=baseline is None),
            lambda parts: self._finish(parts, baseline, file, crop),
        )

    def _measure(self, restore: Restore, pairs: Pairs, crop: int, *, with_bicubic: bool) -> list[tuple[str, Scores]]:
        own = islice(islice(pairs(), self.num_images), rank(), None, world_size())
        return [(str(pair["name"]), self._judge(restore, pair, crop, with_bicubic=with_bicubic)) for pair in own]

    def _judge(self, restore: Restore, pair: Pair, crop: int, *, with_bicubic: bool) -> Scores:
        """The numbers of one image, none if it is too small for them."""
        low, image = pair["image_low"], pair["image"]
        if min(image.shape[-2:]) < self.likeness.least_side(crop):
            return {}
        restored = _checked(restore(low), pair)
        scores = self._scores(restored, pair, crop)
        enlarged = _enlarged(pair) if _scale(pair) > 1 and (with_bicubic or self.crops) else None
        if enlarged is not None and with_bicubic:
            scores |= {f"{name}_bicubic": value for name, value in self._scores(enlarged, pair, crop).items()}
        if self.crops is not None:
            save_crops(
                [*([] if enlarged is None else [enlarged]), restored, image], Path(self.crops), str(pair["name"])
            )
        return scores

    def _scores(self, restored: Tensor, pair: Pair, crop: int) -> Scores:
        low, image = pair["image_low"].to(restored.device), pair["image"].to(restored.device)
        scores = self.likeness.by_pixels(restored, image, crop=crop)
        if _scale(pair) > 1:
            reduced = resize(to_levels(restored).to(torch.uint8), tuple(low.shape[-2:]))
            scores["lr_consistency_psnr"] = float(psnr(reduced, to_levels(low)))
        return scores | self.likeness.by_networks(restored, image)

    def _finish(self, parts: list[list[tuple[str, Scores]]], baseline: Scores | None, file: Path, crop: int) -> Scores:
        fix = "set data.root to larger ones or metrics.crop=0"
        means = self.likeness.means(ranks.interleave(parts), crop=crop, fix=fix)
        values = {name: value for name, value in means.items() if not name.endswith("_bicubic")}
        if baseline is None:
            baseline = {name: value for name, value in means.items() if name not in values}
            write(file, {name: torch.tensor(value, dtype=torch.float64) for name, value in baseline.items()})
        first = next(iter(values))
        gain = {f"{first}_over_bicubic": values[first] - baseline[f"{first}_bicubic"]} if baseline else {}
        return {f"{name}{self._count}": value for name, value in (values | gain | baseline).items()}

    @property
    def _count(self) -> str:
        return "" if self.num_images is None else f"_n{self.num_images}"


def _scale(pair: Pair) -> int:
    return int(pair["image"].shape[-1] // pair["image_low"].shape[-1])


def _enlarged(pair: Pair) -> Tensor:
    """The input at its original's size by bicubic interpolation, in [-1, 1]."""
    size = tuple(pair["image"].shape[-2:])
    return resize(to_levels(pair["image_low"]).to(torch.uint8), size).float() / 127.5 - 1


def _checked(restored: Tensor, pair: Pair) -> Tensor:
    got, wanted = ("×".join(map(str, x.shape[1:])) for x in (restored, pair["image"]))
    if got != wanted:
        raise UserError(
            f"{pair['name']}: the restored image is {got} (channels × height × width), the original {wanted}: "
            "set data.scale and data.channels to those of the model"
        )
    if not restored.isfinite().all():
        raise DivergedError(f"{pair['name']}: the restored image is not finite")
    return restored
