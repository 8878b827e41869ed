import math
import re

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from freqgan.data.degradations import (
    JPEG,
    Bicubic,
    Chain,
    Degradation,
    Edges,
    GaussianBlur,
    GaussianNoise,
    Grey,
    MotionBlur,
    OneOf,
    PoissonNoise,
    RandomResize,
    Sized,
    Sometimes,
)
from freqgan.data.degradations.base import to_depth_of
from freqgan.data.degradations.blur import convolve, gaussian_kernel, motion_kernel
from freqgan.errors import UserError
from freqgan.ops.resample import resize

SECOND_ORDER = Chain(
    [
        Sized(
            [
                GaussianBlur((0.2, 3.0), 0.5),
                RandomResize((0.15, 1.5)),
                OneOf([GaussianNoise((1.0, 30.0), 0.4), PoissonNoise()], [3, 1]),
                JPEG(),
                Sometimes(MotionBlur(), 0.8),
            ],
            scale=2,
        ),
        JPEG((30, 95)),
    ]
)
ALL = [
    Bicubic(2),
    GaussianBlur(1.6),
    GaussianBlur((0.2, 3.0), anisotropic=0.5),
    MotionBlur(),
    GaussianNoise(),
    PoissonNoise(),
    JPEG(),
    Sized([RandomResize()]),
    SECOND_ORDER,
]


def _photo(height: int = 40, width: int = 56, channels: int = 3) -> Tensor:
    """Smooth bytes: noise would leave little that a blur could be judged by."""
    coarse = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (channels, 8, 8), np.uint8))
    return resize(coarse, (height, width))


def _random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def _impulse(side: int = 31) -> Tensor:
    image = torch.zeros(1, side, side, dtype=torch.float64)
    image[0, side // 2, side // 2] = 1
    return image


@pytest.mark.parametrize("degradation", ALL, ids=lambda d: type(d).__name__)
@pytest.mark.parametrize("channels", [1, 3])
def test_size_depth_and_draws(degradation: Degradation, channels: int) -> None:
    for image in (_photo(channels=channels), _photo(channels=channels).float() / 255):
        before = image.clone()
        results = [to_depth_of(image, degradation(image, _random(seed))) for seed in (1, 1, 2)]
        assert torch.equal(image, before)
        assert torch.equal(results[0], results[1])
        assert results[0].shape == (channels, 40 // degradation.scale, 56 // degradation.scale)
        assert results[0].dtype == image.dtype
        brightness = image.double().mean() / (255 if image.dtype == torch.uint8 else 1)
        assert to_depth_of(torch.zeros(1), results[0]).mean().item() == pytest.approx(float(brightness), abs=0.05)
        drawing = not isinstance(degradation, Bicubic) and degradation != GaussianBlur(1.6)
        assert torch.equal(results[0], results[2]) == (not drawing)


def test_bicubic_is_imresize() -> None:
    photo = _photo()
    assert torch.equal(Bicubic(4)(photo, _random()), resize(photo, 0.25))
    assert Bicubic(1)(photo, _random()).equal(photo)
    deep = photo.float() / 255
    assert torch.equal(Bicubic(4)(deep, _random()), resize(deep.double(), 0.25))


def test_a_gaussian_is_scipys() -> None:
    photo = _photo().double() / 255
    blurred = GaussianBlur(1.6)(photo, _random())
    expected = ndimage.gaussian_filter(photo.numpy(), (0, 1.6, 1.6), mode="reflect", radius=(0, 5, 5))
    np.testing.assert_allclose(blurred.numpy(), expected, atol=1e-12)


def test_an_ellipse_lies_along_its_angle() -> None:
    kernel = gaussian_kernel(3.0, 1.0, math.radians(30))
    y, x = np.mgrid[9:-10:-1, -9:10]  # y grows upwards
    assert kernel.sum() == pytest.approx(1)
    spread = np.array([[(kernel * a * b).sum() for a in (x, y)] for b in (x, y)])
    variances, axes = np.linalg.eigh(spread)
    assert variances == pytest.approx((1.0, 9.0), rel=0.05)
    assert abs(math.degrees(math.atan2(axes[1, 1], axes[0, 1])) % 180) == pytest.approx(30, abs=0.5)
    assert gaussian_kernel(0.0, 0.0, 0.0).tolist() == [[1.0]]


def test_a_motion_is_a_line_of_its_length_and_angle() -> None:
    flat = motion_kernel(6.0, 0.0)
    assert flat.sum() == pytest.approx(1)
    middle = len(flat) // 2
    assert flat[middle].sum() == pytest.approx(1)
    assert flat[middle, middle - 2 : middle + 3] == pytest.approx(1 / 6, rel=0.06)
    rising = motion_kernel(10.0, math.radians(45))
    assert rising[:4, -4:].sum() > 0.1  # up and to the right
    assert rising[:4, :4].sum() == 0
    assert motion_kernel(0.0, 1.0).sum() == pytest.approx(1)


def test_a_convolution_keeps_flat_images_and_mirrors_borders() -> None:
    kernel = gaussian_kernel(2.0, 1.0, 0.4)
    flat = torch.full((3, 7, 50), 0.25, dtype=torch.float64)
    torch.testing.assert_close(convolve(flat, kernel), flat)
    photo = _photo(20, 31).double() / 255
    expected = [ndimage.convolve(channel, kernel, mode="reflect") for channel in photo.numpy()]
    np.testing.assert_allclose(convolve(photo, kernel).numpy(), expected, atol=1e-12)
    assert convolve(torch.ones(1, 1, 1), kernel).item() == pytest.approx(1)


@pytest.mark.parametrize("blur", [GaussianBlur(2.5), GaussianBlur((1.0, 2.5), 1.0), MotionBlur((3.0, 11.0))])
def test_reach_is_where_a_point_ends(blur: GaussianBlur | MotionBlur) -> None:
    for seed in range(20):
        spread = blur(_impulse(), _random(seed))[0].abs() > 1e-12
        far = max((spread.nonzero() - 15).abs().flatten().tolist())
        assert far <= blur.reach
    assert Chain([blur, Bicubic(4)]).reach == blur.reach + 8
    assert Chain([Bicubic(4), blur]).reach == 8 + 4 * blur.reach


def test_noise_has_its_strength() -> None:
    grey = torch.full((3, 200, 200), 128, dtype=torch.uint8)
    noise = GaussianNoise(10.0)(grey, _random()) * 255 - 128
    assert noise.std() == pytest.approx(10, rel=0.02)
    assert noise.mean() == pytest.approx(0, abs=0.1)
    assert (noise[0] != noise[1]).any()
    same = GaussianNoise(10.0, grey=1.0)(grey, _random())
    assert torch.equal(same[0], same[2])
    for level in (0.2, 0.8):
        counted = PoissonNoise(100.0)(torch.full((1, 300, 300), level), _random())
        assert counted.mean() == pytest.approx(level, rel=0.01)
        assert counted.std() == pytest.approx(math.sqrt(level / 100), rel=0.02)


def test_jpeg_loses_more_at_less_quality() -> None:
    photo = _photo()
    loss = [(JPEG(q)(photo, _random()).float() - photo.float()).square().mean() for q in (95.0, 50.0, 5.0)]
    assert 0 < loss[0] < loss[1] < loss[2]
    assert JPEG(50.0)(photo, _random()).dtype == torch.uint8


@pytest.mark.parametrize("drawing", [Grey(), Edges(), Edges((0.8, 2.0), (0.02, 0.3))])
@pytest.mark.parametrize("channels", [1, 3])
def test_drawings_have_the_size_and_channels_of_the_image(drawing: Degradation, channels: int) -> None:
    for image in (_photo(channels=channels), _photo(1, 7, channels=channels).float() / 255):
        before = image.clone()
        results = [drawing(image, _random(seed)) for seed in (1, 1)]
        assert torch.equal(image, before)
        assert torch.equal(*results)
        assert (results[0].shape, results[0].dtype) == (image.shape, torch.float64)
        assert 0 <= results[0].min() <= results[0].max() <= 1


def test_grey_is_luminance() -> None:
    photo = _photo()
    grey = Grey()(photo, np.random.default_rng(0))
    luma = torch.tensor((0.299, 0.587, 0.114), dtype=torch.float64) @ (photo.double() / 255).flatten(1)
    for channel in grey.flatten(1):
        torch.testing.assert_close(channel, luma)
    assert torch.equal(Grey()(photo[:1], np.random.default_rng(0)), photo[:1].double() / 255)


def test_an_edge_is_a_line_as_dark_as_its_contrast() -> None:
    def line(contrast: float, channel: slice = slice(None)) -> Tensor:
        image = torch.full((3, 24, 30), 0.4, dtype=torch.float64)
        image[channel, :, 15:] += contrast
        drawn = Edges(sigma=1.0, threshold=0.1)(image, np.random.default_rng(0))
        assert drawn.shape == image.shape
        assert torch.equal(drawn[0], drawn[2])
        assert torch.equal(drawn[0], drawn[0, :1].expand(24, -1))  # the same in every row
        return drawn[0, 0]

    strong, weak, none, red = line(0.4), line(0.15), line(0.08), line(0.4, slice(1))
    assert (strong < 0.5).sum() == 1
    assert 14 <= int(strong.argmin()) <= 15
    assert strong.min() == 0
    assert weak.min().item() == pytest.approx(0.5, abs=1e-6)
    assert none.min() == 1
    assert torch.equal(red, strong)  # the channel that changes most tells


def test_lines_are_thin_in_every_direction() -> None:
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    disc = (torch.hypot(y - 31.5, x - 31.5) < 20).double().expand(3, -1, -1)
    drawn = Edges(sigma=1.5, threshold=0.1)(disc, np.random.default_rng(0))[0] < 0.5
    radii = torch.hypot(y - 31.5, x - 31.5)[drawn]
    assert (radii - 19.5).abs().max() < 1.5
    angles = torch.atan2(y - 31.5, x - 31.5)[drawn]
    assert len(torch.unique((angles * 12 / torch.pi).floor())) == 24  # a closed circle
    assert int(drawn.sum()) < 2 * torch.pi * 20 * 1.3  # of one pixel's width


def test_a_chain_does_not_round_between_its_steps() -> None:
    photo, chain = _photo(), Chain([GaussianBlur(1.0), Bicubic(2)])
    blurred = GaussianBlur(1.0)(photo, _random())
    torch.testing.assert_close(chain(photo, _random()), resize(blurred, 0.5))
    assert Chain([])(photo, _random()) is photo


def test_there_and_back() -> None:
    photo = _photo()
    result = Sized([RandomResize((0.25, 0.25))])(photo, _random()) * 255
    assert result.shape == photo.shape
    loss = (result - photo).square().mean()
    assert loss > 10 * (Sized([])(photo, _random()) * 255 - photo).square().mean()
    assert Sized([RandomResize()], scale=4)(photo, _random()).shape == (3, 10, 14)


def test_factors_are_drawn_evenly_on_a_logarithmic_scale() -> None:
    resized = RandomResize((0.5, 2.0), kernels=["nearest"])
    sides = [resized(torch.zeros(1, 1, 64), _random(seed)).shape[2] for seed in range(300)]
    assert 32 <= min(sides) < 36
    assert 120 < max(sides) <= 128
    assert 0.4 < np.mean([side < 64 for side in sides]) < 0.6


def test_choices_are_made_as_often_as_they_weigh() -> None:
    black, grey = torch.zeros(1, 2, 2), GaussianNoise(1.0)
    either = OneOf([Chain([]), grey], weights=[3, 1])
    changed = [bool((either(black, _random(seed)) != 0).any()) for seed in range(400)]
    assert 0.2 < np.mean(changed) < 0.3
    spared = [Sometimes(grey, 0.8)(black, _random(seed)) is black for seed in range(400)]
    assert 0.15 < np.mean(spared) < 0.25


def test_equal_settings_look_equal() -> None:
    assert repr(GaussianBlur([1.0, 2.0])) == repr(GaussianBlur((1.0, 2.0)))  # type: ignore[arg-type]
    assert repr(Sized([], kernels=["box"])) == repr(Sized((), kernels=("box",)))
    assert repr(Chain([Bicubic(2)])) != repr(Chain([Bicubic(3)]))


def test_rounding_goes_up_half_way_and_stays_in_range() -> None:
    values = torch.tensor([-1.0, 0.5 / 255, 1.5 / 255, 2.0], dtype=torch.float64)
    assert to_depth_of(torch.zeros(1, dtype=torch.uint8), values).tolist() == [0, 1, 2, 255]
    assert to_depth_of(torch.zeros(1), values).tolist() == pytest.approx([0, 0.5 / 255, 1.5 / 255, 1])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: GaussianBlur((3.0, 0.2)), "GaussianBlur has sigma=[3.0, 0.2], wanted a number or [lowest, highest]"),
        (lambda: GaussianBlur(1.0, anisotropic=1.5), "anisotropic=1.5, wanted a number or [lowest, highest] of at"),
        (lambda: JPEG(0.0), "JPEG has quality=0.0, wanted a number or [lowest, highest] of at least 1 and at most 100"),
        (lambda: MotionBlur(-1.0), "MotionBlur has length=-1.0"),
        (lambda: RandomResize((0.0, 1.0)), "RandomResize has factor=[0.0, 1.0]"),
        (lambda: OneOf([Bicubic(2), JPEG()]), "OneOf has choices of scales [2, 1], wanted equal ones"),
        (lambda: OneOf([JPEG()], [1.0, 2.0]), "OneOf has weights=[1.0, 2.0], wanted 1 of at least 0"),
        (lambda: Sometimes(Bicubic(2)), "Sometimes has a step of scale 2, wanted 1"),
    ],
)
def test_mistakes_are_named(make: object, words: str) -> None:
    with pytest.raises(UserError, match=re.escape("data.augment.degradation: ") + ".*" + re.escape(words)):
        make()  # type: ignore[operator]
