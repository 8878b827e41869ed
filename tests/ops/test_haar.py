import numpy as np
import pytest
import pywt
import torch
from torch.autograd import gradcheck, gradgradcheck

from freqgan.ops.haar import haar, inverse_haar

SIZES = [(2, 2), (2, 3), (3, 2), (4, 6), (5, 7), (8, 5), (32, 32)]


def image(size: tuple[int, int]) -> torch.Tensor:
    return torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0), dtype=torch.float64).mul_(2).sub_(1)


@pytest.mark.parametrize("size", SIZES)
def test_values_are_those_of_pywavelets(size: tuple[int, int]) -> None:
    x = image(size)
    ca, (ch, cv, cd) = pywt.dwt2(x.numpy(), "haar", mode="periodization")
    h, w = size[0] // 2, size[1] // 2
    for band, expected in zip(haar(x), (ca, cv[..., :w], ch[..., :h, :], cd[..., :h, :w]), strict=True):
        np.testing.assert_allclose(band.numpy(), expected, atol=1e-14)
    # What is left out at odd sides is nothing.
    assert not cv[..., w:].any()
    assert not ch[..., h:, :].any()


@pytest.mark.parametrize("size", SIZES)
def test_reconstruction(size: tuple[int, int]) -> None:
    x = image(size)
    torch.testing.assert_close(inverse_haar(*haar(x)), x, rtol=0, atol=1e-12)


def test_reconstruction_in_float32() -> None:
    x = image((64, 64)).float()
    torch.testing.assert_close(inverse_haar(*haar(x)), x, rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", SIZES)
def test_any_bands_come_back(size: tuple[int, int]) -> None:
    bands = [torch.randn_like(band) for band in haar(image(size))]
    torch.testing.assert_close(haar(inverse_haar(*bands)), tuple(bands))


def test_a_two_by_two_block_by_hand() -> None:
    bands = haar(torch.tensor([[[[1.0, 2.0], [4.0, 9.0]]]]))
    assert [band.item() for band in bands] == [8.0, -3.0, -5.0, 2.0]


def test_even_sides_keep_the_energy() -> None:
    x = image((32, 16))
    assert sum(band.square().sum() for band in haar(x)).item() == pytest.approx(x.square().sum().item(), rel=1e-12)


def test_neither_direction_changes_its_input() -> None:
    x = image((5, 6))
    before = x.clone()
    bands = haar(x)
    kept = [band.clone() for band in bands]
    inverse_haar(*bands)
    assert torch.equal(x, before)
    assert all(torch.equal(band, copy) for band, copy in zip(bands, kept, strict=True))


@pytest.mark.parametrize("size", [(2, 4), (3, 5)])
def test_gradients(size: tuple[int, int]) -> None:
    x = image(size)[:1, :1].requires_grad_()
    assert gradcheck(haar, x)
    assert gradgradcheck(haar, x)
    bands = [band.detach().requires_grad_() for band in haar(x)]
    assert gradcheck(inverse_haar, bands)
    assert gradgradcheck(inverse_haar, bands)


def test_leading_axes_are_free() -> None:
    x = image((4, 6))
    for flat, batched in zip(haar(x[0, 0]), haar(x), strict=True):
        assert torch.equal(flat, batched[0, 0])
