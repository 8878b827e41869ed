import numpy as np
import pytest
import torch
from skimage.color import rgb2lab

from freqgan.metrics.colour_shift import colour_moments, colour_shift
from freqgan.metrics.eight_bit import to_eight_bit


def pictures(count: int, seed: int, *, warm: float = 0.0) -> torch.Tensor:
    random = torch.rand(count, 3, 8, 9, generator=torch.Generator().manual_seed(seed))
    return to_eight_bit((random * 1.2 - 0.6) + warm * torch.tensor([1.0, 0.3, -1.0]).view(3, 1, 1))


def test_mean_and_covariance_are_those_of_scikit_image_and_numpy() -> None:
    results, targets = pictures(4, 0, warm=0.2), pictures(3, 1)
    shift = colour_shift(colour_moments(results), colour_moments(targets))
    pixels = [
        np.concatenate([rgb2lab((image.permute(1, 2, 0).double().numpy() + 1) / 2).reshape(-1, 3) for image in images])
        for images in (results, targets)
    ]
    means, covariances = [x.mean(0) for x in pixels], [np.cov(x.T, bias=True) for x in pixels]
    assert shift["colour_shift_mean"] == pytest.approx(np.linalg.norm(means[0] - means[1]), abs=1e-3)
    assert shift["colour_shift_covariance"] == pytest.approx(np.linalg.norm(covariances[0] - covariances[1]), rel=1e-4)


def test_warmer_pictures_have_shifted_and_duller_ones_have_not() -> None:
    targets = colour_moments(pictures(5, 0))
    warm, dull = (colour_shift(colour_moments(x), targets) for x in (pictures(5, 0, warm=0.3), pictures(5, 0) * 0.5))
    assert warm["colour_shift_mean"] > 15
    assert dull["colour_shift_mean"] < warm["colour_shift_mean"] / 3
    assert dull["colour_shift_covariance"] > 100
    same = colour_shift(targets, targets)
    assert same == {"colour_shift_mean": 0.0, "colour_shift_covariance": 0.0}


def test_images_count_the_same_whatever_their_size() -> None:
    grey, large = torch.zeros(1, 3, 2, 2), torch.ones(1, 3, 20, 20)
    both = torch.cat((colour_moments(grey), colour_moments(large)))
    assert both[:, 0].mean() == pytest.approx((colour_moments(grey)[0, 0] + 100) / 2)


def test_grey_has_no_colour() -> None:
    shift = colour_shift(colour_moments(torch.zeros(1, 1, 4, 4)), colour_moments(torch.zeros(1, 3, 4, 4)))
    assert shift["colour_shift_mean"] == pytest.approx(0, abs=1e-9)
