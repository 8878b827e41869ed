"""Transforms with several resolutions: levels alike, whatever the filter."""

import itertools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from freqgan.errors import UserError
from freqgan.transforms import DCT, BlockDCT, EveryLow, Fourier, Identity, Transform, WaveletTransform
from freqgan.transforms.pyramid import Pyramid

OF_LEVELS: dict[str, Callable[[int], Pyramid]] = {
    "haar": lambda levels: WaveletTransform(levels=levels),
    "db2": lambda levels: WaveletTransform("db2", levels),
    "cdf97": lambda levels: WaveletTransform("bior4.4", levels, mode="reflect"),
    "laplacian": lambda levels: Fourier(levels=levels),
    "fourier": lambda levels: Fourier(4, levels=levels, cutoffs=[0.6, 0.8], rolloff=0.5),
    "fourier, sharp": lambda levels: Fourier(levels=levels, rolloff=0.0),
    "dct": lambda levels: DCT(3, levels=levels, cutoffs=[0.8]),
}
FLAT = {
    "identity": Identity(),
    "block_dct": BlockDCT(),
    "dct": DCT(),
    "dct, critical": DCT(sampling="critical"),
    "fourier": Fourier(),
}
SIZES = ((32, 32), (48, 32), (33, 20), (29, 47))

every = pytest.mark.parametrize("of_levels", OF_LEVELS.values(), ids=OF_LEVELS.keys())


def image(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2 - 1


@every
@pytest.mark.parametrize("size", SIZES)
def test_levels_are_one_level_repeated(of_levels: Callable[[int], Pyramid], size: tuple[int, int]) -> None:
    transform, one = of_levels(3), of_levels(3).one_level()
    assert one.levels == 1
    assert str(one) == str(of_levels(1))
    x = image(2, 3, *size)
    expected: dict[str, Tensor] = {}
    for level in (1, 2, 3):
        low, *high = one.names
        bands = one(x)
        assert bands[low].shape[-2:] == (x.shape[-2] - x.shape[-2] // 2, x.shape[-1] - x.shape[-1] // 2)
        torch.testing.assert_close(one.inverse(bands), x, rtol=0, atol=1e-12)
        x = bands[low]
        expected = {f"{name[:-1]}{level}": bands[name] for name in high} | expected
    expected = {f"{low[:-1]}3": x} | expected
    got = transform(image(2, 3, *size))
    assert list(got) == list(expected) == list(transform.names)
    assert all(torch.equal(got[name], band) for name, band in expected.items())


@every
def test_one_level_of_one_level_is_itself(of_levels: Callable[[int], Pyramid]) -> None:
    one = of_levels(1)
    assert one.one_level() is one


@every
def test_inverse_is_a_loop_over_lift(of_levels: Callable[[int], Pyramid]) -> None:
    transform, x = of_levels(3), image(2, 3, 33, 20)
    bands = {name: torch.randn_like(band) for name, band in transform(x).items()}
    lifted = dict(bands)
    for level in (3, 2):
        lifted[transform.level_names(level - 1)[0]] = transform.lift(level, lifted)
    torch.testing.assert_close(transform.lift(1, lifted), transform.inverse(bands), rtol=0, atol=0)
    assert transform.lift(3, {name: band.bfloat16() for name, band in bands.items()}).dtype == torch.float32


@every
def test_every_small_size_is_exact_or_refused(of_levels: Callable[[int], Pyramid]) -> None:
    refused = []
    for levels, height, width in itertools.product((1, 2, 3), range(1, 14), (1, 2, 7, 16)):
        transform, x = of_levels(levels), image(1, 1, height, width)
        try:
            layout = transform.bands((height, width), 1)
        except UserError as error:
            refused.append(str(error))
            continue
        bands = transform(x)
        assert [band.shape for band in layout] == [tuple(value.shape[1:]) for value in bands.values()]
        torch.testing.assert_close(transform.inverse(bands), x, rtol=0, atol=1e-12)
    assert 0 < len(refused) < 150
    assert all("set data.image_size=" in line or "set a larger data.image_size" in line for line in refused)


@pytest.mark.parametrize("transform", FLAT.values(), ids=FLAT.keys())
def test_one_resolution_has_no_levels(transform: Transform) -> None:
    assert transform.levels == 0
    assert {band.level for band in transform.bands(32)} == {0}
    for attempt in (transform.one_level, lambda: EveryLow(transform)):
        with pytest.raises(UserError) as error:
            attempt()
        assert str(error.value) == (
            f"transform {type(transform).__name__} has no resolutions as it is set: set transform=wavelet_haar, "
            "or transform.levels=1 with transform=fourier or dct"
        )


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Fourier(levels=-1), "transform.levels=-1 is no number of resolutions: set 0 for one, or more"),
        (lambda: DCT(levels=-2), "transform.levels=-2 is no number of resolutions"),
        (
            lambda: Fourier(levels=5).bands(12),
            "transform.levels=5 needs image_size of at least 17, got 12: set data.image_size=32 or transform.levels=4",
        ),
        (
            lambda: DCT(levels=2).bands((2, 9)),
            "levels=2 needs image_size of at least 3, got [2,9]: set data.image_size=12 or transform.levels=1",
        ),
        (lambda: DCT(levels=1).bands(1), "needs image_size of at least 2, got 1: set data.image_size=2"),
        (
            lambda: DCT(levels=2, sampling="critical"),
            "transform.levels=2 needs band images: set transform.sampling=band_images or transform.levels=0",
        ),
        (lambda: Fourier(1, levels=1), "transform.num_classes=1 splits nothing"),
        (
            lambda: Fourier(3, levels=2, cutoffs=[0.25]),
            "transform.num_classes=3 needs 1 rising cut-offs within 0.5–1, got transform.cutoffs=[0.25]: "
            "set for example transform.cutoffs=[0.7071067811865476]",
        ),
        (lambda: DCT(2, levels=1, cutoffs=[0.7]), "transform.num_classes=2 needs 0 rising cut-offs"),
        (lambda: DCT(3, levels=3).bands(12), "leave a class empty at the side 3: set a larger data.image_size"),
        (
            lambda: Fourier(3, levels=3, rolloff=0.0).bands(8),
            "leave band F2_3 of a 2×2 image without a frequency: set a larger data.image_size",
        ),
    ],
)
def test_mistakes(build: Callable[[], object], message: str) -> None:
    with pytest.raises(UserError) as error:
        build()
    assert message in str(error.value)
