"""How like their originals images are, one by one: what every protocol with originals measures."""

import logging
from collections.abc import Sequence
from math import fsum
from typing import final

from jaxtyping import Float
from torch import Tensor

from freqgan.errors import UserError
from freqgan.features import EfficientNetLite0
from freqgan.metrics.eight_bit import to_eight_bit, to_levels
from freqgan.metrics.full_reference import SSIM_SIDE, gmsd, psnr, ssim
from freqgan.metrics.perceptual import LPIPS, perceptual_distance
from freqgan.ops.color import studio_luminance

_log = logging.getLogger(__name__)
_LISTED = 5

Scores = dict[str, float]


@final
class Likeness:
    """PSNR, SSIM, GMSD, a perceptual distance and LPIPS.

    Images are in [-1, 1]; they are first clipped and rounded to 8 bits, as if saved as PNG, and the luminance Y made of
    them is not rounded. One channel counts as three equal ones.

    Args:
        features: the network of the perceptual distance; None leaves that out.
        lpips: None leaves that out.
    """

    def __init__(self, features: EfficientNetLite0 | None, lpips: LPIPS | None) -> None:
        self.features, self.lpips = features, lpips

    def weights(self) -> list[str]:
        """Hashes of the networks' weights."""
        used = (self.features, self.lpips and self.lpips.backbone)
        return [network.weights_hash() for network in used if network is not None]

    def least_side(self, crop: int = 0) -> int:
        """Pixels that a side needs to be judged."""
        return max(SSIM_SIDE + 2 * crop, 0 if self.lpips is None else self.lpips.least_side)

    def by_pixels(
        self, image: Float[Tensor, "1 c h w"], original: Float[Tensor, "1 c h w"], *, crop: int = 0
    ) -> Scores:
        """`psnr_y_crop<pixels>`, `ssim_y_…`, `psnr_rgb_…`, `ssim_rgb_…`, `gmsd_y_…`.

        Args:
            image: any image.
            original: of its size.
            crop: pixels that are cut off at every side first.
        """
        rgb = [_inside(to_levels(x).expand(-1, 3, -1, -1).double(), crop) for x in (image, original)]
        luminance = [studio_luminance(x) for x in rgb]
        scores = {
            f"psnr_y_crop{crop}": psnr(*luminance),
            f"ssim_y_crop{crop}": ssim(*luminance),
            f"psnr_rgb_crop{crop}": psnr(*rgb),
            f"ssim_rgb_crop{crop}": ssim(*rgb),
            f"gmsd_y_crop{crop}": gmsd(*luminance),
        }
        return {name: float(value) for name, value in scores.items()}

    def by_networks(self, image: Float[Tensor, "1 c h w"], original: Float[Tensor, "1 c h w"]) -> Scores:
        """`perceptual_<features>` and `lpips_<net>`, as far as they are chosen."""
        image, original = to_eight_bit(image), to_eight_bit(original)
        scores: Scores = {}
        if self.features is not None:
            scores[f"perceptual_{self.features.name}"] = float(perceptual_distance(image, original, self.features))
        if self.lpips is not None:
            scores[self.lpips.name] = float(self.lpips(image, original))
        return scores

    def means(self, judged: Sequence[tuple[str, Scores]], *, crop: int = 0, fix: str) -> Scores:
        """Means over all images that were not too small to be judged; those that were are told.

        Args:
            judged: name and scores of each image, no scores of one that is too small.
            crop: as it was given to `by_pixels`.
            fix: what to do where all are too small.

        Raises:
            UserError: all are too small.
        """
        found = [scores for _, scores in judged if scores]
        small = [name for name, scores in judged if not scores]
        least = f"images of less than {self.least_side(crop)} px a side cannot be judged"
        if not found:
            raise UserError(f"{least}, and there are no others: {fix}")
        if small:
            listed = ", ".join(small[:_LISTED]) + (" …" if len(small) > _LISTED else "")
            _log.warning("%s; left out: %d of %d (%s)", least, len(small), len(judged), listed)
        return {name: fsum(scores[name] for scores in found) / len(found) for name in found[0]}


def _inside(image: Tensor, crop: int) -> Tensor:
    h, w = image.shape[-2:]
    return image[..., crop : h - crop, crop : w - crop]
