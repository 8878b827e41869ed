import numpy as np
import pytest
import pywt
import torch

from freqgan.ops.lifting import LIFTINGS

SIDES = [2, 3, 4, 5, 8, 9, 31, 32]


def signal(side: int, axis: int) -> torch.Tensor:
    x = torch.randn(3, side, 4, generator=torch.Generator().manual_seed(side), dtype=torch.float64)
    return x if axis == -2 else x.mT.contiguous()


@pytest.mark.parametrize("axis", [-1, -2])
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("name", LIFTINGS)
def test_split_and_merge_invert_each_other(name: str, side: int, axis: int) -> None:
    lifting, x = LIFTINGS[name], signal(side, axis)
    for dual in (False, True):
        low, high = lifting.split(x, axis, dual=dual)
        assert (low.shape[axis], high.shape[axis]) == ((side + 1) // 2, side // 2)
        torch.testing.assert_close(lifting.merge(low, high, axis, dual=dual), x, rtol=0, atol=1e-12)


@pytest.mark.parametrize("axis", [-1, -2])
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("name", LIFTINGS)
def test_the_dual_bank_is_the_adjoint(name: str, side: int, axis: int) -> None:
    lifting, x = LIFTINGS[name], signal(side, axis)
    for dual in (False, True):
        low, high = lifting.split(x, axis, dual=dual)
        p, q = torch.randn_like(low), torch.randn_like(high)
        left = (low * p).sum() + (high * q).sum()
        right = (x * lifting.merge(p, q, axis, dual=not dual)).sum()
        assert left.item() == pytest.approx(right.item(), abs=1e-10)


@pytest.mark.parametrize("side", [9, 16, 31, 32])
@pytest.mark.parametrize("name", LIFTINGS)
def test_values_are_those_of_pywavelets_reflect(name: str, side: int) -> None:
    x = signal(side, -1)
    low, high = LIFTINGS[name].split(x, -1)
    # "reflect" there is redundant: coefficients of the extension come first.
    first = (pywt.Wavelet(name).dec_len // 2 - 1) // 2
    ca, cd = pywt.dwt(x.numpy(), name, mode="reflect")
    np.testing.assert_allclose(low.numpy(), ca[..., first : first + low.shape[-1]], atol=1e-11)
    np.testing.assert_allclose(high.numpy(), cd[..., first : first + high.shape[-1]], atol=1e-11)


def test_phase_is_that_of_periodization_inside() -> None:
    x = signal(32, -1)
    low, high = LIFTINGS["bior4.4"].split(x, -1)
    ca, cd = pywt.dwt(x.numpy(), "bior4.4", mode="periodization")
    np.testing.assert_allclose(low[..., 3:-3].numpy(), ca[..., 3:-3], atol=1e-11)
    np.testing.assert_allclose(high[..., 3:-3].numpy(), cd[..., 3:-3], atol=1e-11)


def test_a_constant_goes_to_the_low_band_at_gain_root_two() -> None:
    for lifting in LIFTINGS.values():
        low, high = lifting.split(torch.ones(1, 9, dtype=torch.float64), -1)
        torch.testing.assert_close(low, torch.full_like(low, 2**0.5), rtol=0, atol=1e-9)
        torch.testing.assert_close(high, torch.zeros_like(high), rtol=0, atol=1e-9)


def test_inputs_stay_as_they_are() -> None:
    x = signal(9, -1)
    before = x.clone()
    low, high = LIFTINGS["bior4.4"].split(x, -1)
    kept = low.clone(), high.clone()
    LIFTINGS["bior4.4"].merge(low, high, -1)
    assert torch.equal(x, before)
    assert torch.equal(low, kept[0])
    assert torch.equal(high, kept[1])
