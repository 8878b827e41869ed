from collections.abc import Mapping

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from freqgan.transforms import DCT, EveryLow, Fourier, Transform, WaveletTransform

PYRAMIDS: dict[str, Transform] = {
    "haar": WaveletTransform(levels=3),
    "db2": WaveletTransform("db2", 3),
    "cdf97": WaveletTransform("bior4.4", 3, mode="reflect"),
    "laplacian": Fourier(levels=3),
    "fourier": Fourier(3, levels=3),
    "dct": DCT(3, levels=3),
}
every = pytest.mark.parametrize("transform", PYRAMIDS.values(), ids=PYRAMIDS.keys())


def image(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2 - 1


def noise(bands: Mapping[str, Tensor]) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {name: torch.randn(band.shape, generator=generator, dtype=band.dtype) for name, band in bands.items()}


def test_three_levels_of_haar_are_twelve_bands() -> None:
    transform = EveryLow(WaveletTransform(levels=3))
    assert " ".join(transform.names) == "LL3 HL3 LH3 HH3 LL2 HL2 LH2 HH2 LL1 HL1 LH1 HH1"
    assert transform.levels == 3
    assert transform.low_names() == ("LL2", "LL1")
    assert [(b.name, b.level, b.frequency_class, b.shape) for b in transform.bands((33, 20), 1)[4:]] == [
        ("LL2", 2, 0, (1, 9, 5)),
        ("HL2", 2, 1, (1, 9, 5)),
        ("LH2", 2, 1, (1, 8, 5)),
        ("HH2", 2, 1, (1, 8, 5)),
        ("LL1", 1, 0, (1, 17, 10)),
        ("HL1", 1, 1, (1, 17, 10)),
        ("LH1", 1, 1, (1, 16, 10)),
        ("HH1", 1, 1, (1, 16, 10)),
    ]


def test_resolutions_and_classes_of_fourier() -> None:
    bands = EveryLow(Fourier(3, levels=2)).bands(16, 1)
    assert [(b.name, b.level, b.frequency_class, b.shape[-1]) for b in bands] == [
        ("F1_2", 2, 0, 4),
        ("F2_2", 2, 1, 8),
        ("F3_2", 2, 2, 8),
        ("F1_1", 1, 0, 8),
        ("F2_1", 1, 1, 16),
        ("F3_1", 1, 2, 16),
    ]


@every
def test_low_bands_are_the_images_of_the_levels(transform: Transform) -> None:
    bands, x = EveryLow(transform)(image(2, 3, 40, 33)), image(2, 3, 40, 33)
    assert all(torch.equal(bands[name], band) for name, band in transform(x).items())
    one = transform.one_level()
    for level in (1, 2, 3):
        x = one(x)[one.names[0]]
        assert torch.equal(bands[f"{one.names[0][:-1]}{level}"], x)


@every
@pytest.mark.parametrize("size", [(32, 32), (40, 33)])
def test_an_images_own_bands_invert_for_any_shares(transform: Transform, size: tuple[int, int]) -> None:
    every_low, x = EveryLow(transform), image(3, 2, *size)
    bands = every_low(x)
    torch.testing.assert_close(every_low.inverse(bands), x, rtol=0, atol=1e-12)
    middle, fine = every_low.low_names()
    shares = {middle: torch.tensor(0.3, dtype=torch.float64), fine: torch.rand(3, 1, 1, 1, dtype=torch.float64)}
    for given in (shares, {fine: torch.tensor(0.0)}, {middle: torch.ones(2, 1, 1)}):
        torch.testing.assert_close(every_low.blend(bands, given), x, rtol=0, atol=1e-12)
    single = {name: band.float() for name, band in bands.items()}
    torch.testing.assert_close(every_low.blend(single, {fine: torch.tensor(0.7)}), x.float(), rtol=0, atol=2e-6)


@every
def test_low_images_are_weighted_means_from_coarse_to_fine(transform: Transform) -> None:
    every_low, one = EveryLow(transform), transform.one_level()
    bands = noise(every_low(image(2, 3, 40, 33)))
    middle, fine = every_low.low_names()
    shares = {middle: torch.tensor(0.2), fine: torch.tensor(0.9)}
    per_level = len(one.names)
    levels = [list(bands.values())[i : i + per_level] for i in range(0, len(bands), per_level)]
    low = levels[0][0]
    for (_, *high), own, share in zip(levels[:2], (bands[middle], bands[fine]), (0.2, 0.9), strict=True):
        low = share * own + (1 - share) * one.inverse(dict(zip(one.names, (low, *high), strict=True)))
    expected = one.inverse(dict(zip(one.names, (low, *levels[2][1:]), strict=True)))
    torch.testing.assert_close(every_low.blend(bands, shares), expected, rtol=0, atol=1e-6)
    halves = {name: torch.tensor(0.5) for name in shares}
    torch.testing.assert_close(every_low.inverse(bands), every_low.blend(bands, halves), rtol=0, atol=0)


@every
def test_the_whole_is_lifted_level_by_level(transform: Transform) -> None:
    every_low = EveryLow(transform)
    bands = noise(every_low(image(1, 3, 32, 32)))
    expected, made = every_low.inverse(bands), dict(bands)
    for level, low in zip((3, 2), every_low.low_names(), strict=True):
        made[low] = (made[low] + every_low.lift(level, made)) / 2
    torch.testing.assert_close(every_low.lift(1, made), expected, rtol=0, atol=1e-12)


def test_shares_of_one_and_none_leave_the_other_out() -> None:
    every_low = EveryLow(WaveletTransform(levels=2))
    bands = noise(every_low(image(1, 1, 8, 8)))
    other = noise(bands) | {"LL1": bands["LL1"], **{name: bands[name] for name in ("HL1", "LH1", "HH1")}}
    other["LL2"] = other["LL2"] + 5
    own = {"LL1": torch.tensor(1.0)}
    assert torch.equal(every_low.blend(bands, own), every_low.blend(other, own))
    coarser = {"LL1": torch.tensor(0.0)}
    without = every_low.blend({**bands, "LL1": bands["LL1"] + 5}, coarser)
    assert torch.equal(without, every_low.blend(bands, coarser))
    plain = {name: band for name, band in bands.items() if name != "LL1"}
    assert torch.equal(without, every_low.transform.inverse(plain))


@every
def test_the_images_gradient_reaches_every_band(transform: Transform) -> None:
    every_low = EveryLow(transform)
    bands = {name: band.requires_grad_() for name, band in noise(every_low(image(1, 1, 16, 16))).items()}
    every_low.inverse(bands).square().sum().backward()
    for name, band in bands.items():
        assert band.grad is not None, name
        assert float(band.grad.abs().sum()) > 0, name


def test_gradients_of_the_shares() -> None:
    every_low = EveryLow(WaveletTransform(levels=3))
    bands = noise(every_low(image(1, 1, 8, 8)))
    shares = [torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in (0.3, 0.8)]
    low = bands["LL1"].requires_grad_()

    def blended(low: Tensor, *shares: Tensor) -> Tensor:
        return every_low.blend({**bands, "LL1": low}, dict(zip(every_low.low_names(), shares, strict=True)))

    assert gradcheck(blended, (low, *shares), fast_mode=True)


def test_half_precision_inside_autocast_is_blended_in_float32() -> None:
    every_low = EveryLow(WaveletTransform(levels=2))
    bands = {name: band.bfloat16() for name, band in every_low(image(1, 3, 16, 16).float()).items()}
    shares = {"LL1": torch.tensor(0.3)}
    with torch.autocast("cpu", torch.bfloat16):
        inside = every_low.blend(bands, shares)
    assert inside.dtype == torch.float32
    assert torch.equal(inside, every_low.blend({name: band.float() for name, band in bands.items()}, shares))


@pytest.mark.parametrize("transform", [WaveletTransform("db2"), Fourier(3, levels=1)], ids=str)
def test_one_level_adds_nothing(transform: Transform) -> None:
    every_low, x = EveryLow(transform), image(1, 1, 16, 16)
    assert every_low.names == transform.names
    assert every_low.low_names() == ()
    assert every_low.bands(16) == transform.bands(16)
    assert torch.equal(every_low.inverse(every_low(x)), transform.inverse(transform(x)))
    assert every_low.one_level() is transform


def test_bands_are_left_as_they_were() -> None:
    every_low = EveryLow(WaveletTransform(levels=2))
    bands = noise(every_low(image(1, 1, 8, 8)))
    kept = dict(bands)
    every_low.inverse(bands)
    every_low.blend(bands, {})
    assert all(bands[name] is band for name, band in kept.items())


def test_shares_of_other_bands_are_refused() -> None:
    every_low = EveryLow(WaveletTransform(levels=2))
    bands = every_low(image(1, 1, 8, 8))
    for name in ("LL2", "HL1"):
        with pytest.raises(ValueError, match=rf"low bands \['LL1'\], got \['{name}'\]"):
            every_low.blend(bands, {name: torch.tensor(0.5)})
    with pytest.raises(ValueError, match="needs the bands"):
        every_low.blend({"LL1": bands["LL1"]}, {})
