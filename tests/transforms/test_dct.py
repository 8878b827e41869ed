import numpy as np
import pytest
import torch
from scipy.fft import dctn, idctn
from torch import Tensor

from freqgan.errors import UserError
from freqgan.transforms import DCT, BlockDCT


def image(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("num_classes", [2, 3, 4, 5])
def test_band_images_are_scipys_by_zeroed_coefficients_and_sum_to_the_image(num_classes: int) -> None:
    x = image(2, 3, 32, 48)
    bands = DCT(num_classes)(x)
    assert list(bands) == [f"F{i}" for i in range(1, num_classes + 1)]
    torch.testing.assert_close(torch.stack(tuple(bands.values())).sum(0), x, rtol=0, atol=1e-12)
    coefficients = dctn(x.numpy(), axes=(-2, -1), norm="ortho")
    u, v = np.arange(32)[:, None] / 32, np.arange(48)[None, :] / 48
    highest = np.maximum(u, v)
    edges = [0.0, *(0.5**i for i in range(num_classes - 1, 0, -1)), 1.0]
    for i, band in enumerate(bands.values()):
        own = coefficients * ((edges[i] <= highest) & (highest < edges[i + 1]))
        np.testing.assert_allclose(band.numpy(), idctn(own, axes=(-2, -1), norm="ortho"), atol=1e-12)


@pytest.mark.parametrize("size", [(32, 48), (13, 21)])
def test_critical_bands_are_rectangles_of_scipys_coefficients(size: tuple[int, int]) -> None:
    x = image(1, 2, *size)
    transform = DCT(3, cutoffs=[0.3, 0.6], sampling="critical")
    bands = transform(x)
    assert list(bands) == ["F1", "F2HL", "F2LH", "F2HH", "F3HL", "F3LH", "F3HH"]
    assert [band.frequency_class for band in transform.bands(size, 2)] == [0, 1, 1, 1, 2, 2, 2]
    coefficients = dctn(x.numpy(), axes=(-2, -1), norm="ortho")
    (h1, h2), (w1, w2) = ((round(0.3 * n), round(0.6 * n)) for n in size)
    rectangles = {
        "F1": (slice(h1), slice(w1)),
        "F2HL": (slice(h1), slice(w1, w2)),
        "F2LH": (slice(h1, h2), slice(w1)),
        "F2HH": (slice(h1, h2), slice(w1, w2)),
        "F3HL": (slice(h2), slice(w2, None)),
        "F3LH": (slice(h2, None), slice(w2)),
        "F3HH": (slice(h2, None), slice(w2, None)),
    }
    for name, (rows, columns) in rectangles.items():
        own = idctn(coefficients[..., rows, columns], axes=(-2, -1), norm="ortho")
        np.testing.assert_allclose(bands[name].numpy(), own, atol=1e-12)


@pytest.mark.parametrize("size", [(32, 48), (21, 14)])
def test_resolutions_are_scipys_by_lowest_coefficients(size: tuple[int, int]) -> None:
    x = image(2, 3, *size)
    bands = DCT(3, levels=2, cutoffs=[0.8])(x)
    assert list(bands) == ["F1_2", "F2_2", "F3_2", "F2_1", "F3_1"]
    low = x.numpy()
    for level in (1, 2):
        height, width = low.shape[-2:]
        halves = -(-height // 2), -(-width // 2)
        coefficients = dctn(low, axes=(-2, -1), norm="ortho")
        rows, columns = (
            np.searchsorted([half, round(0.8 * n)], np.arange(n), side="right")
            for half, n in zip(halves, (height, width), strict=True)
        )
        number = np.maximum(rows[:, None], columns[None, :])
        for i in (1, 2):
            expected = idctn(coefficients * (number == i), axes=(-2, -1), norm="ortho")
            np.testing.assert_allclose(bands[f"F{i + 1}_{level}"].numpy(), expected, atol=1e-12)
        small = idctn(coefficients[..., : halves[0], : halves[1]], axes=(-2, -1), norm="ortho")
        low = small * np.sqrt(small[0, 0].size / (height * width))
    np.testing.assert_allclose(bands["F1_2"].numpy(), low, atol=1e-12)


def test_small_images_keep_the_scale_of_the_image() -> None:
    bands = DCT(levels=3)(torch.full((1, 1, 24, 40), -0.5, dtype=torch.float64))
    torch.testing.assert_close(bands["F1_3"], torch.full((1, 1, 3, 5), -0.5, dtype=torch.float64), rtol=0, atol=1e-12)
    assert max(float(bands[f"F2_{level}"].abs().max()) for level in (1, 2, 3)) < 1e-12


def test_a_flat_image_is_all_low() -> None:
    bands = DCT(2)(torch.full((1, 1, 16, 16), 0.5, dtype=torch.float64))
    torch.testing.assert_close(bands["F1"], torch.full_like(bands["F1"], 0.5))
    assert bands["F2"].abs().max() < 1e-12


def test_blocks_in_zigzag_runs_with_coefficients_outside_channels() -> None:
    x = image(2, 3, 16, 24)
    transform = BlockDCT(8, 3)
    assert transform.cutoffs == (4, 16)
    bands = transform(x)
    assert [band.shape for band in transform.bands((16, 24))] == [(12, 2, 3), (36, 2, 3), (144, 2, 3)]
    block = dctn(x[1, 2, 8:, 16:].numpy(), norm="ortho")
    # Coefficient k of image channel 2 is channel 3 k + 2; the zig-zag begins (0,0), (0,1), (1,0), (2,0), (1,1).
    np.testing.assert_allclose(
        bands["F1"][1, 2::3, 1, 2].numpy(), [block[0, 0], block[0, 1], block[1, 0], block[2, 0]], atol=1e-12
    )
    np.testing.assert_allclose(bands["F2"][1, 2, 1, 2].item(), block[1, 1], atol=1e-12)
    np.testing.assert_allclose(bands["F3"][1, -1, 1, 2].item(), block[7, 7], atol=1e-12)


@pytest.mark.parametrize("num_classes", [2, 3, 4, 8, 16])
def test_as_many_classes_as_wanted(num_classes: int) -> None:
    for transform in (BlockDCT(4, num_classes), BlockDCT(8, num_classes)):
        sizes = [band.shape[0] for band in transform.bands(16, 1)]
        assert len(sizes) == num_classes
        assert min(sizes) > 0
        assert sum(sizes) == transform.block_size**2


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: DCT(1), "transform.num_classes=1 splits nothing: set at least 2, or transform=identity"),
        (lambda: DCT(3, cutoffs=[0.5]), "got transform.cutoffs=[0.5]: set for example transform.cutoffs=[0.25, 0.5]"),
        (lambda: DCT(3, cutoffs=[0.5, 0.4]), "needs 2 rising cut-offs"),
        (lambda: DCT(2, cutoffs=[1.0]), "needs 1 rising cut-offs"),
        (lambda: DCT(2, sampling="dense"), "set transform.sampling=band_images or critical"),
        (lambda: DCT(6).bands(16), "leave a class empty at the side 16"),
        (lambda: BlockDCT(0), "transform.block_size=0 splits nothing"),
        (lambda: BlockDCT(2, 5), "is more than a block's 4 coefficients"),
        (lambda: BlockDCT(8, 2, cutoffs=[64]), "set for example transform.cutoffs=[8]"),
        (
            lambda: BlockDCT(8).bands(33),
            "transform.block_size=8 must divide image_size, got 33: "
            "set data.image_size=40 or another transform.block_size",
        ),
    ],
)
def test_mistakes(build: object, message: str) -> None:
    with pytest.raises(UserError) as error:
        build()  # type: ignore[operator]
    assert message in str(error.value)
