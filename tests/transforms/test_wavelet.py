import sys
import warnings

import numpy as np
import pytest
import pywt
import torch
from torch import Tensor

from freqgan.errors import UserError
from freqgan.transforms import WaveletTransform
from freqgan.transforms.pytorch_wavelets_backend import library


def image(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("backend", ["native", "pytorch_wavelets"])
@pytest.mark.parametrize("size", [(64, 64), (40, 48)])
@pytest.mark.parametrize("wavelet", ["haar", "db2", "bior4.4", "sym4"])
def test_names_and_values_are_those_of_wavedec2(wavelet: str, size: tuple[int, int], backend: str) -> None:
    x = image(2, 3, *size)
    bands = WaveletTransform(wavelet, 2, backend=backend)(x)
    assert list(bands) == ["LL2", "HL2", "LH2", "HH2", "HL1", "LH1", "HH1"]
    low, *levels = pywt.wavedec2(x.numpy(), wavelet, mode="periodization", level=2)
    np.testing.assert_allclose(bands["LL2"].numpy(), low, atol=1e-12)
    for level, (horizontal, vertical, diagonal) in zip((2, 1), levels, strict=True):
        np.testing.assert_allclose(bands[f"LH{level}"].numpy(), horizontal, atol=1e-12)
        np.testing.assert_allclose(bands[f"HL{level}"].numpy(), vertical, atol=1e-12)
        np.testing.assert_allclose(bands[f"HH{level}"].numpy(), diagonal, atol=1e-12)


def test_levels_and_classes() -> None:
    bands = WaveletTransform(levels=2).bands((33, 20), 1)
    assert [(b.name, b.level, b.frequency_class, b.shape) for b in bands] == [
        ("LL2", 2, 0, (1, 9, 5)),
        ("HL2", 2, 1, (1, 9, 5)),
        ("LH2", 2, 1, (1, 8, 5)),
        ("HH2", 2, 1, (1, 8, 5)),
        ("HL1", 1, 1, (1, 17, 10)),
        ("LH1", 1, 1, (1, 16, 10)),
        ("HH1", 1, 1, (1, 16, 10)),
    ]


@pytest.mark.parametrize(
    "transform",
    [
        WaveletTransform("haar"),
        WaveletTransform("db2"),
        WaveletTransform("bior4.4", mode="reflect"),
        WaveletTransform("db2", backend="pytorch_wavelets"),
    ],
    ids=str,
)
def test_vertical_stripes_are_seen_by_hl_alone(transform: WaveletTransform) -> None:
    stripes = torch.tensor([1.0, -1.0], dtype=torch.float64).repeat(16).expand(1, 1, 32, 32)
    energy = {name: float(band.square().sum()) for name, band in transform(stripes).items()}
    assert energy["HL1"] > 100
    assert max(energy["LH1"], energy["HH1"]) < 1e-18
    energy = {name: float(band.square().sum()) for name, band in transform(stripes.mT).items()}
    assert energy["LH1"] > 100
    assert max(energy["HL1"], energy["HH1"]) < 1e-18


@pytest.mark.parametrize("name", ["db1", "bior1.1", "rbio1.1"])
def test_haar_by_its_other_names(name: str) -> None:
    x = image(1, 1, 8, 8)
    torch.testing.assert_close(WaveletTransform(name)(x), WaveletTransform("haar")(x), rtol=0, atol=0)
    assert np.allclose(pywt.Wavelet(name).filter_bank, pywt.Wavelet("haar").filter_bank)


def test_three_levels_of_haar_scale_the_low_band_by_eight() -> None:
    bands = WaveletTransform(levels=3)(torch.ones(1, 1, 16, 16))
    torch.testing.assert_close(bands["LL3"], torch.full((1, 1, 2, 2), 8.0))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"wavelet": "harr"}, "transform.wavelet=harr is no discrete wavelet: did you mean haar"),
        ({"wavelet": "db99"}, "did you mean db9"),
        ({"wavelet": "morl"}, "transform.wavelet=morl is no discrete wavelet"),
        ({"levels": 0}, "transform.levels=0 splits nothing: set at least 1, or transform=identity"),
        ({"mode": "symmetric"}, "transform.mode=symmetric is not known: set transform.mode=periodization or reflect"),
        ({"backend": "ptwt"}, "set transform.backend=native or pytorch_wavelets"),
        ({"wavelet": "db2", "mode": "reflect"}, "set transform.mode=periodization"),
        (
            {"wavelet": "bior4.4", "mode": "reflect", "backend": "pytorch_wavelets"},
            "transform.mode=reflect is exact for bior2.2 and bior4.4 with transform.backend=native",
        ),
    ],
)
def test_constructor_mistakes(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(UserError) as error:
        WaveletTransform(**arguments)
    assert message in str(error.value)


def test_all_constructor_mistakes_at_once() -> None:
    with pytest.raises(UserError) as error:
        WaveletTransform("harr", 0, mode="zero", backend="x")
    assert [line.split("=")[0] for line in error.value.lines] == [
        "transform.wavelet",
        "transform.levels",
        "transform.mode",
        "transform.backend",
    ]


@pytest.mark.parametrize(
    ("arguments", "size", "message"),
    [
        (
            {"levels": 5, "backend": "pytorch_wavelets"},
            48,
            "transform.levels=5 needs image_size divisible by 32, got 48: set data.image_size=64 or transform.levels=4",
        ),
        (
            {"levels": 1, "backend": "pytorch_wavelets"},
            33,
            "transform.levels=1 needs image_size divisible by 2, got 33: "
            "set data.image_size=34 or transform.backend=native",
        ),
        (
            {"levels": 5},
            12,
            "transform.levels=5 needs image_size of at least 17, got 12: set data.image_size=32 or transform.levels=4",
        ),
        ({"levels": 1}, 1, "transform.levels=1 needs image_size of at least 2, got 1: set data.image_size=2"),
        (
            {"wavelet": "db6", "levels": 2},
            (66, 64),
            "transform.wavelet=db6 needs even sides to be inverted accurately, "
            "got 33 at level 2 of image_size [66,64]: set data.image_size=68 or transform.wavelet=sym4",
        ),
        (
            {"wavelet": "db4", "levels": 3, "backend": "pytorch_wavelets"},
            16,
            "transform.backend=pytorch_wavelets needs sides of at least 8 to invert transform.wavelet=db4, got 4 at "
            "level 3 of image_size 16: set transform.backend=native",
        ),
    ],
)
def test_sizes_that_cannot_be(arguments: dict[str, object], size: int | tuple[int, int], message: str) -> None:
    transform = WaveletTransform(**arguments)
    sides = (size, size) if isinstance(size, int) else size
    for attempt in (lambda: transform.bands(size), lambda: transform(torch.zeros(1, 1, *sides))):
        with pytest.raises(UserError) as error:
            attempt()
        assert str(error.value) == message


def test_the_remedies_work() -> None:
    assert WaveletTransform(levels=4).bands(12)
    assert WaveletTransform(levels=5).bands(17)
    assert WaveletTransform("db6", 2).bands(68)
    assert WaveletTransform("sym4", 2).bands((66, 64))
    assert WaveletTransform("db4", 3).bands(16)


@pytest.mark.parametrize("wavelet", ["haar", "db2", "sym4", "bior4.4"])
def test_backends_agree_in_values_and_gradients(wavelet: str) -> None:
    x = image(2, 3, 32, 48).requires_grad_()
    outcomes = []
    for backend in ("native", "pytorch_wavelets"):
        transform = WaveletTransform(wavelet, 2, backend=backend)
        bands = transform(x)
        (gradient,) = torch.autograd.grad(sum(i * b.pow(3).sum() for i, b in enumerate(bands.values(), start=1)), x)
        outcomes.append((bands, gradient, transform.inverse({n: b * (1 + b) for n, b in bands.items()})))
    torch.testing.assert_close(outcomes[1], outcomes[0], rtol=1e-10, atol=1e-10)


def test_the_librarys_import_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "pytorch_wavelets"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "pkg_resources", raising=False)
    filters = list(warnings.filters)
    library.cache_clear()
    assert library().DWTForward
    assert "pkg_resources" not in sys.modules
    assert list(warnings.filters) == filters


def test_a_library_that_does_not_import_is_a_users_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pytorch_wavelets", None)
    library.cache_clear()
    with pytest.raises(UserError, match=r"install pytorch-wavelets, or set transform.backend=native"):
        WaveletTransform(backend="pytorch_wavelets")(torch.zeros(1, 1, 4, 4))
    library.cache_clear()
