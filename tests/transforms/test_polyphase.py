import pytest
import torch

from freqgan.errors import UserError
from freqgan.ops.haar import haar
from freqgan.transforms import Polyphase


def test_bands_are_every_other_pixel() -> None:
    image = torch.arange(15.0).reshape(1, 1, 3, 5)
    bands = {name: band[0, 0].tolist() for name, band in Polyphase()(image).items()}
    assert bands == {
        "P00_1": [[0, 2, 4], [10, 12, 14]],
        "P01_1": [[1, 3], [11, 13]],
        "P10_1": [[5, 7, 9]],
        "P11_1": [[6, 8]],
    }


def test_haar_is_an_orthonormal_mixture_of_it() -> None:
    image = torch.randn(2, 3, 8, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    quartets = torch.stack(list(Polyphase()(image).values()))
    ll, hl, lh, hh = haar(image)
    mixture = torch.tensor([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) / 2
    mixed = torch.tensordot(mixture.double(), quartets, dims=1)
    torch.testing.assert_close(mixed, torch.stack((ll, hl, lh, hh)))


def test_no_level_is_refused() -> None:
    with pytest.raises(UserError, match=r"transform\.levels=0 splits nothing"):
        Polyphase(levels=0)
