import itertools

import pytest
import torch
from torch import Tensor

from freqgan.transforms import DCT, EveryLow, Fourier, Identity, Polyphase, Transform, WaveletTransform
from freqgan.transforms.unit_scale import Statistic, UnitScale, compress, expand

STATISTICS: tuple[Statistic, ...] = ("max", "percentile", "rms")


def images(*, count: int = 12, side: int = 16) -> Tensor:
    """Colours in [-1, 1], smooth enough that low bands are larger than high ones."""
    generator = torch.Generator().manual_seed(0)
    blocks = torch.rand(count, 3, side // 4, side // 4, generator=generator) * 2 - 1
    noise = torch.rand(count, 3, side, side, generator=generator) * 2 - 1
    return 0.9 * torch.nn.functional.interpolate(blocks, scale_factor=4) + 0.1 * noise


def calibrated(
    transform: Transform, batches: list[Tensor], statistic: Statistic, *, side: int = 16, channels: int = 3
) -> UnitScale:
    scale = UnitScale(transform, image_size=side, channels=channels, statistic=statistic)
    scale.calibrate(batches)
    return scale


def test_scales_are_one_until_measured() -> None:
    scale = UnitScale(WaveletTransform("haar", levels=2), image_size=16, channels=3)
    assert torch.equal(scale.scales, torch.ones(8))
    bands = scale.transform(images())
    assert all(torch.equal(value, bands[name]) for name, value in scale(images()).items())


@pytest.mark.parametrize(
    ("statistic", "expected"),
    [
        ("max", [2000.0]),
        # The greater of the 1998th smallest magnitude of 1 … 2000 and of the 999th of 1 … 1000.
        ("percentile", [1998.0]),
        # Sums of squares n (n + 1) (2 n + 1) / 6 over 3000 numbers, every one of which counts the same.
        ("rms", [((2000 * 2001 * 4001 + 1000 * 1001 * 2001) / 6 / 3000) ** 0.5]),
    ],
)
def test_scales_of_known_numbers(statistic: Statistic, expected: list[float]) -> None:
    large = torch.arange(1, 2001.0).view(2, 1, 25, 40)[:, :, torch.randperm(25, generator=torch.manual_seed(0))]
    small = -torch.arange(1, 1001.0).view(1, 1, 25, 40)
    scale = UnitScale(Identity(), image_size=25, channels=1, statistic=statistic)
    scale.calibrate([large, small])
    torch.testing.assert_close(scale.scales, torch.tensor(expected))


def test_scales_of_each_band() -> None:
    # Haar of [[a, b], [c, d]]: LL = (a+b+c+d)/2, HL = (a-b+c-d)/2 and so on: here 2a, 0, 0, 0 and 0, 2, 0, 0.
    flat, columns = torch.full((1, 1, 8, 8), 0.75), torch.tensor([1.0, -1.0]).repeat(4).expand(1, 1, 8, 8)
    scale = calibrated(WaveletTransform("haar"), [flat, columns], "max", side=8, channels=1)
    torch.testing.assert_close(scale.scales, torch.tensor([1.5, 2.0, 1e-6, 1e-6]))
    assert [band.name for band in scale.bands] == ["LL1", "HL1", "LH1", "HH1"]


@pytest.mark.parametrize("statistic", ["max", "rms"])
def test_scales_do_not_depend_on_the_batches(statistic: Statistic) -> None:
    transform = WaveletTransform("haar", levels=2)
    whole = calibrated(transform, [images()], statistic)
    parts = calibrated(transform, list(images().split([7, 4, 1])), statistic)
    torch.testing.assert_close(parts.scales, whole.scales)


@pytest.mark.parametrize(
    "transform",
    [
        Identity(),
        Polyphase(),
        WaveletTransform("haar"),
        WaveletTransform("haar", levels=2),
        WaveletTransform("db2"),
        Fourier(levels=2),
        DCT(3, levels=2),
        WaveletTransform("bior4.4", levels=3, mode="reflect"),
        Fourier(3, levels=3),
    ],
    ids=str,
)
@pytest.mark.parametrize("statistic", STATISTICS)
def test_the_inverse_undoes_the_split(transform: Transform, statistic: Statistic) -> None:
    scale = calibrated(transform, [images()], statistic)
    assert not torch.equal(scale.scales, torch.ones(len(scale.bands)))
    torch.testing.assert_close(scale.image(scale(images())), images(), atol=2e-6, rtol=0)


def test_real_bands_lie_in_the_unit_interval_and_reach_its_end() -> None:
    scale = calibrated(WaveletTransform("haar", levels=2), list(images().split(5)), "max")
    greatest = torch.stack([band.abs().max() for band in scale(images()).values()])
    torch.testing.assert_close(greatest, torch.ones(8))


def test_real_bands_have_unit_mean_square() -> None:
    scale = calibrated(WaveletTransform("haar", levels=2), [images()], "rms")
    squares = torch.stack([band.square().mean() for band in scale(images()).values()])
    torch.testing.assert_close(squares, torch.ones(8))


def test_one_number_in_a_thousand_is_outside_the_percentile() -> None:
    scale = calibrated(Identity(), [images(count=100)], "percentile")
    outside = (scale(images(count=100))["image"].abs() > 1).double().mean()
    assert float(outside) == pytest.approx(1e-3, rel=0.02)


@pytest.mark.parametrize(
    "transform", [WaveletTransform("haar", levels=3), Fourier(levels=3), DCT(3, levels=3)], ids=str
)
def test_a_level_at_unit_scale_is_lifted_to_the_next_low_image_at_unit_scale(transform: Transform) -> None:
    scale = calibrated(transform, [images()], "max")
    assert [band.name for band in scale.bands] == list(EveryLow(transform).names)
    bands = scale(images())
    for level, finer in ((3, 2), (2, 1)):
        low, finer_low = scale.level_names(level)[0], scale.level_names(finer)[0]
        assert float(bands[low].abs().max()) == pytest.approx(1)
        own = {name: bands[name] for name in scale.level_names(level)}
        torch.testing.assert_close(scale.lift(level, own), bands[finer_low], atol=2e-6, rtol=0)
    finest = {name: bands[name] for name in scale.level_names(1)}
    torch.testing.assert_close(scale.lift(1, finest), images(), atol=2e-6, rtol=0)
    torch.testing.assert_close(scale.image(finest), images(), atol=2e-6, rtol=0)


def test_a_transform_without_resolutions_has_level_0() -> None:
    scale = calibrated(Fourier(3), [images()], "max")
    bands = scale(images())
    assert scale.level_names(0) == ["F1", "F2", "F3"]
    assert torch.equal(scale.lift(0, bands), scale.image(bands))


def test_the_mu_law_by_hand() -> None:
    # At μ = 3: ln(1 + 3x) / ln 4 of 0, 1/3 and 1, and their opposites.
    values, compressed = torch.tensor([-1, -1 / 3, 0, 1 / 3, 1]), torch.tensor([-1, -0.5, 0, 0.5, 1])
    torch.testing.assert_close(compress(values, 3.0), compressed)
    torch.testing.assert_close(expand(compressed, 3.0), values)


@pytest.mark.parametrize("transform", [WaveletTransform("haar", levels=2), Fourier(3)], ids=str)
def test_high_bands_alone_are_companded(transform: Transform) -> None:
    plain = calibrated(transform, [images()], "max")
    scale = UnitScale(transform, image_size=16, channels=3, companding=255.0)
    scale.load_state_dict(plain.state_dict())
    bands, linear = scale(images()), plain(images())
    for band in scale.bands:
        wanted = compress(linear[band.name], 255.0) if band.frequency_class else linear[band.name]
        assert torch.equal(bands[band.name], wanted)
    torch.testing.assert_close(scale.image(bands), images(), atol=2e-6, rtol=0)
    level = transform.levels
    if level:
        torch.testing.assert_close(scale.lift(level, bands), bands[scale.level_names(level - 1)[0]], atol=2e-6, rtol=0)


def test_scales_are_state() -> None:
    scale = calibrated(WaveletTransform("haar"), [images()], "max")
    state = scale.state_dict()
    assert list(state) == ["scales"]
    other = UnitScale(WaveletTransform("haar"), image_size=16, channels=3)
    other.load_state_dict(state)
    for ours, theirs in itertools.zip_longest(other(images()).values(), scale(images()).values()):
        assert torch.equal(ours, theirs)
    assert not scale.scales.requires_grad


@pytest.mark.parametrize("companding", [0.0, 255.0])
def test_bands_of_bf16_are_joined_in_float32(companding: float) -> None:
    scale = UnitScale(WaveletTransform("haar", levels=2), image_size=16, channels=3, companding=companding)
    scale.calibrate([images()])
    bands = {name: band.bfloat16() for name, band in scale(images()).items()}
    for level in (2, 1):
        with torch.autocast("cpu", torch.bfloat16):
            joined, split = scale.lift(level, bands), scale(images())
        assert joined.dtype == torch.float32
        assert torch.equal(joined, scale.lift(level, {name: band.float() for name, band in bands.items()}))
    assert all(band.dtype == torch.float32 for band in split.values())


def test_float64_stays_float64() -> None:
    scale = calibrated(WaveletTransform("haar"), [images()], "max")
    x = images().double()
    bands = scale(x)
    assert {band.dtype for band in bands.values()} == {torch.float64}
    torch.testing.assert_close(scale.image(bands), x, atol=1e-14, rtol=0)


def test_gradients_are_scaled() -> None:
    scale = calibrated(WaveletTransform("haar"), [images()], "max")
    bands = {name: band.detach().requires_grad_() for name, band in scale(images()).items()}
    # The transform is orthonormal: the gradient of half the squared image is the band times its scale, squared.
    (scale.image(bands).square().sum() / 2).backward()
    for (_, band), factor in zip(bands.items(), scale.scales, strict=True):
        torch.testing.assert_close(band.grad, band.detach() * factor**2)
