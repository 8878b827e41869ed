"""What is known of a metric by its name: which direction is better, and how much of the name is protocol."""

from typing import Literal

Direction = Literal["lower", "higher"]

WAYS = ("ab", "ba")  # of a translation, of which a model may have one or both
OF_A_MODEL = "band_distance"  # names its bands, which a transform chooses: it may differ between comparable runs
DIRECTIONS: dict[str, Direction | None] = {
    "fd": "lower",
    "fid": "lower",
    "kid": "lower",
    "spectrum_distance": "lower",
    "detail_distance": "lower",
    "grey_distance": "lower",
    "colour_distance": "lower",
    "band_distance": "lower",
    "gmsd": "lower",
    "cycle_error": "lower",
    "colour_shift_mean": "lower",
    "colour_shift_covariance": "lower",
    "perceptual": "lower",
    "lpips": "lower",
    "precision": "higher",
    "recall": "higher",
    "density": "higher",
    "coverage": "higher",
    "psnr": "higher",
    "ssim": "higher",
    "lr_consistency_psnr": "higher",
    "mean_iou": "higher",
    "pixel_accuracy": "higher",
    "class_accuracy": "higher",
    "boundary_sharpness": None,  # 1 is as sharp as real images
    "touching_sharpness": None,
    "elsewhere_sharpness": None,
    "retrieval_r1": "higher",
    "retrieval_r5": "higher",
    "retrieval_r10": "higher",
    "r_precision": "higher",
    "caption_accuracy": "higher",
    "clip_score": "higher",
}


def family(metric: str) -> str | None:
    """The metric that a name begins with, if it is a known one.

    >>> family("fd_efficientnet_lite0_n1000"), family("fidelity")
    ('fd', None)
    """
    return next((name for name in DIRECTIONS if metric == name or metric.startswith(f"{name}_")), None)


def measured(metric: str) -> tuple[str, str] | None:
    """What has one name in all runs that can be compared: a known metric, of one way where images are translated.

    >>> measured("psnr_y_crop0_ba_n200"), measured("psnr_y_crop4_bicubic")
    (('psnr', 'ba'), ('psnr', ''))
    """
    known = family(metric)
    return None if known is None else (known, next((way for way in WAYS if way in metric.split("_")), ""))


def direction(metric: str) -> Direction | None:
    """Which values are better; None where nobody knows, or neither the lowest nor the highest are."""
    known = family(metric)
    return DIRECTIONS[known] if known else None


def short(metric: str) -> tuple[str, str]:
    """A name's metric and its protocol; a band counts to the metric.

    >>> short("kid_efficientnet_lite0_n1000")
    ('kid', 'efficientnet_lite0_n1000')
    >>> short("band_distance_LL1_n1000")
    ('band_distance_LL1', 'n1000')
    """
    known = family(metric)
    if known is None:
        return metric, ""
    rest = metric.removeprefix(known).lstrip("_")
    if known == OF_A_MODEL:
        band, _, rest = rest.partition("_")
        return f"{known}_{band}", rest
    return known, rest
