import numpy as np
import pytest
import torch
from scipy.fft import dctn, idctn
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from freqgan.ops.dct import block_dct, dct, inverse_block_dct, inverse_dct

SIZES = [(1, 2), (5, 8), (9, 16), (64, 33)]


@pytest.fixture(params=[256, 0], ids=["matrix", "fft"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("freqgan.ops.dct._MATRIX_SIDE", request.param)


def image(height: int, width: int) -> Tensor:
    return torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("size", SIZES)
def test_values_are_those_of_scipy(size: tuple[int, int]) -> None:
    x = image(*size)
    np.testing.assert_allclose(dct(x).numpy(), dctn(x.numpy(), axes=(-2, -1), norm="ortho"), atol=1e-12)
    np.testing.assert_allclose(inverse_dct(x).numpy(), idctn(x.numpy(), axes=(-2, -1), norm="ortho"), atol=1e-12)
    torch.testing.assert_close(inverse_dct(dct(x)), x, rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", [(5, 8), (64, 33)])
def test_some_of_the_coefficients(size: tuple[int, int]) -> None:
    x = image(*size)
    coefficients = dct(x)
    torch.testing.assert_close(dct(x, kept=(4, 3)), coefficients[..., :4, :3], rtol=0, atol=1e-12)
    zeroed = coefficients.clone()
    zeroed[..., 4:, :] = 0
    zeroed[..., 3:] = 0
    torch.testing.assert_close(inverse_dct(coefficients[..., :4, :3], size), inverse_dct(zeroed), rtol=0, atol=1e-12)


def test_gradients() -> None:
    x = image(4, 5)[:1, :1].requires_grad_()
    assert gradcheck(lambda x: dct(x, kept=(3, 4)), x)
    assert gradgradcheck(lambda x: dct(x, kept=(3, 4)), x)
    assert gradcheck(lambda x: inverse_dct(x, size=(6, 5)), x)
    assert gradgradcheck(lambda x: inverse_dct(x, size=(6, 5)), x)


@pytest.mark.parametrize("size", [(8, 8), (16, 24)])
def test_blocks_are_those_of_scipy_in_zigzag_order(size: tuple[int, int]) -> None:
    x = image(*size)
    coefficients = block_dct(x, 8)
    assert coefficients.shape == (2, 3, 64, size[0] // 8, size[1] // 8)
    # The first rows of JPEG's table (ISO 10918-1, figure 5): position in the zig-zag of each coefficient.
    table = [[0, 1, 5, 6, 14, 15, 27, 28], [2, 4, 7, 13, 16, 26, 29, 42], [3, 8, 12, 17, 25, 30, 41, 43]]
    block = dctn(x[1, 2, -8:, -8:].numpy(), norm="ortho")
    for u, positions in enumerate(table):
        np.testing.assert_allclose(coefficients[1, 2, positions, -1, -1].numpy(), block[u], atol=1e-12)
    np.testing.assert_allclose(coefficients[1, 2, 63, -1, -1].numpy(), block[7, 7], atol=1e-12)


@pytest.mark.parametrize(("block_size", "size"), [(2, (4, 6)), (3, (6, 3)), (8, (16, 24))])
def test_blocks_come_back_with_their_energy(block_size: int, size: tuple[int, int]) -> None:
    x = image(*size)
    coefficients = block_dct(x, block_size)
    torch.testing.assert_close(inverse_block_dct(coefficients), x, rtol=0, atol=1e-12)
    assert coefficients.square().sum().item() == pytest.approx(x.square().sum().item(), rel=1e-12)


def test_block_gradients() -> None:
    x = image(4, 6)[:1, :1].requires_grad_()
    assert gradcheck(lambda x: block_dct(x, 2), x)
    assert gradgradcheck(lambda x: block_dct(x, 2), x)
    coefficients = block_dct(x, 2).detach().requires_grad_()
    assert gradcheck(inverse_block_dct, coefficients)
    assert gradgradcheck(inverse_block_dct, coefficients)
