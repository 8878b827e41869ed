from collections.abc import Iterator

import numpy as np
import pytest
import pywt
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from freqgan.ops import filter_bank as banks
from freqgan.ops.filter_bank import FilterBank, MatrixBank
from freqgan.ops.lifting import LIFTINGS
from freqgan.ops.wavelet import Mode, analysis_matrix, condition_number, dwt, filter_bank, inverse_dwt


def image(height: int, width: int) -> Tensor:
    return torch.randn(2, 2, height, width, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def equations(x: np.ndarray, g: list[float], h: list[float]) -> dict[str, np.ndarray]:
    """Equations (1) to (6): rows with low-pass g and high-pass h, decimation by two, then columns.

    Convolution is causal, y[k] = Σ_j f[j] x[2k - j], and the signal wraps round.
    """

    def along_rows(x: np.ndarray, f: list[float]) -> np.ndarray:
        y = np.zeros((x.shape[0], x.shape[1] // 2))
        for row in range(y.shape[0]):
            for k in range(y.shape[1]):
                for j, weight in enumerate(f):
                    y[row, k] += weight * x[row, (2 * k - j) % x.shape[1]]
        return y

    low, high = along_rows(x, g), along_rows(x, h)
    return {
        "LL": along_rows(low.T, g).T,
        "HL": along_rows(high.T, g).T,
        "LH": along_rows(low.T, h).T,
        "HH": along_rows(high.T, h).T,
    }


@pytest.mark.parametrize("wavelet", ["db2", "db3", "bior4.4"])
def test_the_patents_equations_up_to_half_a_filters_phase(wavelet: str) -> None:
    filters = pywt.Wavelet(wavelet)
    x = image(8, 12)[0, 0]
    ahead = -(filters.dec_len // 2)
    expected = equations(x.roll((ahead, ahead), (0, 1)).numpy(), filters.dec_lo, filters.dec_hi)
    for band, name in zip(dwt(x, wavelet), ("LL", "HL", "LH", "HH"), strict=True):
        np.testing.assert_allclose(band.numpy(), expected[name], atol=1e-12)


@pytest.mark.parametrize("size", [(2, 4), (5, 8), (7, 9), (64, 33), (130, 97)])
@pytest.mark.parametrize("wavelet", ["db2", "sym4", "bior4.4", "bior3.1", "coif1", "dmey"])
def test_periodization_is_that_of_pywavelets(wavelet: str, size: tuple[int, int]) -> None:
    x = image(*size)
    ca, (ch, cv, cd) = pywt.dwt2(x.numpy(), wavelet, mode="periodization")
    h, w = size[0] // 2, size[1] // 2
    for band, expected in zip(dwt(x, wavelet), (ca, cv[..., :w], ch[..., :h, :], cd[..., :h, :w]), strict=True):
        np.testing.assert_allclose(band.numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("size", [(2, 3), (6, 8), (33, 64), (97, 130), (259, 262)])
@pytest.mark.parametrize(
    ("wavelet", "mode"),
    [("db2", "periodization"), ("sym4", "periodization"), ("bior4.4", "periodization"), ("bior4.4", "reflect")],
)
def test_reconstruction(wavelet: str, mode: Mode, size: tuple[int, int]) -> None:
    x = image(*size)
    bands = dwt(x, wavelet, mode)
    torch.testing.assert_close(inverse_dwt(*bands, wavelet, mode), x, rtol=0, atol=1e-12)
    # The other way round too: every set of bands is some image's.
    arbitrary = tuple(torch.randn_like(band) for band in bands)
    torch.testing.assert_close(
        dwt(inverse_dwt(*arbitrary, wavelet, mode), wavelet, mode), arbitrary, rtol=0, atol=1e-11
    )


def test_every_wavelet_inverts_at_even_sides_even_shorter_than_its_filter() -> None:
    x = image(16, 34)
    for wavelet in pywt.wavelist(kind="discrete"):
        torch.testing.assert_close(inverse_dwt(*dwt(x, wavelet), wavelet), x, rtol=0, atol=1e-12, msg=wavelet)


@pytest.mark.parametrize("wavelet", ["haar", "db2", "db10", "sym4", "coif1"])
def test_orthogonal_wavelets_keep_the_energy(wavelet: str) -> None:
    x = image(16, 24)
    energy = sum(band.square().sum() for band in dwt(x, wavelet))
    assert float(energy) == pytest.approx(x.square().sum().item(), rel=1e-10)


@pytest.mark.parametrize("side", [5, 16, 33, 130])
@pytest.mark.parametrize("name", LIFTINGS)
def test_lifting_and_matrix_are_the_same_bank(name: str, side: int) -> None:
    x = image(side, 3)
    matrix = MatrixBank(analysis_matrix(name, "reflect", side))
    for dual in (False, True):
        parts = LIFTINGS[name].split(x, -2, dual=dual)
        torch.testing.assert_close(matrix.split(x, -2, dual=dual), parts, rtol=0, atol=1e-10)
        torch.testing.assert_close(matrix.merge(*parts, -2, dual=dual), x, rtol=0, atol=1e-10)


@pytest.mark.parametrize("axis", [-1, -2])
@pytest.mark.parametrize(("wavelet", "side"), [("db2", 200), ("sym4", 203), ("dmey", 200), ("bior4.4", 330)])
def test_blocks_multiply_as_the_whole_matrix(
    wavelet: str, side: int, axis: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    matrix = analysis_matrix(wavelet, "periodization", side)
    blocks: FilterBank = MatrixBank(matrix)
    monkeypatch.setattr(banks, "_WHOLE_SIDE", side)
    whole: FilterBank = MatrixBank(matrix)
    x = image(side, side)
    for dual in (False, True):
        parts = whole.split(x, axis, dual=dual)
        torch.testing.assert_close(blocks.split(x, axis, dual=dual), parts, rtol=0, atol=1e-12)
        torch.testing.assert_close(blocks.merge(*parts, axis, dual=dual), x, rtol=0, atol=1e-12)


def test_long_mirrored_sides_are_lifted() -> None:
    assert filter_bank("bior4.4", "reflect", 257) is LIFTINGS["bior4.4"]
    assert isinstance(filter_bank("bior4.4", "reflect", 64), MatrixBank)
    assert isinstance(filter_bank("bior4.4", "periodization", 300), MatrixBank)


@pytest.mark.parametrize("wavelet", ["db2", "dmey"])
def test_products_hold_no_subnormal_numbers(wavelet: str) -> None:
    for side in (63, 64, 130):
        synthesis = MatrixBank(analysis_matrix(wavelet, "periodization", side))
        for runs in synthesis._merge[False]:
            for run in runs:
                sizes = np.abs(run.weights[run.weights != 0]).astype(np.float32)
                assert sizes.min() > np.finfo(np.float32).tiny


def test_condition_numbers() -> None:
    assert condition_number("db2", "periodization", 64) == pytest.approx(1)
    assert condition_number("haar", "periodization", 33) == pytest.approx(2**0.5)
    assert condition_number("sym4", "periodization", 33) < 2
    assert condition_number("db6", "periodization", 33) > 50
    assert condition_number("bior4.4", "reflect", 33) < 2


def check_gradients(wavelet: str, mode: Mode, size: tuple[int, int]) -> None:
    x = image(*size)[:1, :1].requires_grad_()
    assert gradcheck(lambda x: dwt(x, wavelet, mode), x)
    assert gradgradcheck(lambda x: dwt(x, wavelet, mode), x)
    bands = [band.detach().requires_grad_() for band in dwt(x, wavelet, mode)]
    assert gradcheck(lambda *bands: inverse_dwt(*bands, wavelet, mode), bands)
    assert gradgradcheck(lambda *bands: inverse_dwt(*bands, wavelet, mode), bands)


@pytest.mark.parametrize("size", [(4, 6), (5, 4)])
@pytest.mark.parametrize(("wavelet", "mode"), [("db2", "periodization"), ("bior4.4", "reflect")])
def test_gradients(wavelet: str, mode: Mode, size: tuple[int, int]) -> None:
    check_gradients(wavelet, mode, size)


@pytest.fixture
def lifted_at_any_side(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("freqgan.ops.wavelet._LIFTING_SIDE", 1)
    filter_bank.cache_clear()
    yield
    filter_bank.cache_clear()


@pytest.mark.usefixtures("lifted_at_any_side")
@pytest.mark.parametrize("size", [(4, 6), (5, 4)])
def test_gradients_of_lifting(size: tuple[int, int]) -> None:
    check_gradients("bior4.4", "reflect", size)
