import pytest

from freqgan.comparison.measures import DIRECTIONS, direction, family, short
from freqgan.metrics import higher_is_better

BY_A_PROTOCOL = (
    *("fd", "fid", "kid", "precision", "recall", "density", "coverage"),
    *("psnr", "ssim", "gmsd", "perceptual", "lpips", "lr_consistency_psnr"),
    *("cycle_error", "colour_shift_mean", "colour_shift_covariance"),
    *("mean_iou", "pixel_accuracy", "class_accuracy"),
    *("retrieval_r1", "retrieval_r5", "retrieval_r10"),
    *(f"{kind}_distance" for kind in ("spectrum", "detail", "grey", "colour", "band")),
)


@pytest.mark.parametrize("name", BY_A_PROTOCOL)
def test_directions_are_those_of_the_protocols(name: str) -> None:
    assert direction(f"{name}_x_n100") == ("higher" if higher_is_better(f"{name}_x_n100") else "lower")


def test_enlargement_beside_a_restoration_keeps_the_direction() -> None:
    for name in ("psnr_y_crop4_bicubic", "psnr_y_crop4_over_bicubic_n20"):
        assert direction(name) == "higher"
        assert higher_is_better(name)
    assert short("psnr_y_crop4_bicubic") == ("psnr", "y_crop4_bicubic")


@pytest.mark.parametrize("place", ["boundary", "touching", "elsewhere"])
def test_noise_is_not_called_better_for_being_sharper_than_real_images(place: str) -> None:
    name = f"{place}_sharpness_n100"
    assert (short(name), direction(name)) == ((f"{place}_sharpness", "n100"), None)


def test_names_nobody_knows() -> None:
    assert (direction("wonder_n100"), family("fidelity"), short("wonder_n100")) == (None, None, ("wonder_n100", ""))
    assert {direction(name) for name in DIRECTIONS} == {"lower", "higher", None}
