"""What every transform promises, whatever it does to an image."""

import copy
import pickle

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import gradcheck, gradgradcheck

from freqgan.errors import UserError
from freqgan.transforms import DCT, BlockDCT, EveryLow, Fourier, Identity, Polyphase, Transform, WaveletTransform

TRANSFORMS: dict[str, Transform] = {
    "haar": WaveletTransform(),
    "haar, 3 levels": WaveletTransform(levels=3),
    "db2": WaveletTransform("db2", 2),
    "cdf97": WaveletTransform("bior4.4", 2, mode="reflect"),
    "library": WaveletTransform("db2", 2, backend="pytorch_wavelets"),
    "block_dct": BlockDCT(),
    "block_dct, 5 classes": BlockDCT(4, 5),
    "dct": DCT(3),
    "dct, critical": DCT(3, sampling="critical"),
    "fourier": Fourier(),
    "dct, 3 classes, 2 levels": DCT(3, levels=2),
    "fourier, 4 classes": Fourier(4),
    "laplacian, 3 levels": Fourier(levels=3),
    "fourier, 3 classes, 2 levels": Fourier(3, levels=2),
    "every low, haar": EveryLow(WaveletTransform(levels=3)),
    "every low, laplacian": EveryLow(Fourier(levels=2)),
    "identity": Identity(),
    "polyphase, 2 levels": Polyphase(levels=2),
}
ANY_SIZE = [name for name in TRANSFORMS if name != "library" and not name.startswith("block")]
REDUNDANT = ("dct", "dct, 3 classes", "fourier", "laplacian", "every low")
CRITICAL = [name for name in TRANSFORMS if name == "dct, critical" or not name.startswith(REDUNDANT)]
ORTHONORMAL = [name for name in CRITICAL if name != "cdf97"]

every = pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS.keys())


def image(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64).mul(2).sub(1).to(dtype)


@every
@pytest.mark.parametrize("channels", [1, 3])
def test_bands_foretell_forward(transform: Transform, channels: int) -> None:
    layout = transform.bands((32, 48), channels)
    bands = transform(image(2, channels, 32, 48))
    assert [band.name for band in layout] == list(transform.names) == list(bands)
    assert [band.shape for band in layout] == [tuple(value.shape[1:]) for value in bands.values()]
    order = [(-band.level, band.frequency_class) for band in layout]
    assert order == sorted(order)
    assert order[0] == (-transform.levels, 0)
    assert transform.bands(32) == transform.bands((32, 32), 3)


@every
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-12), (torch.float32, 2e-6)])
def test_reconstruction(transform: Transform, dtype: torch.dtype, bound: float) -> None:
    for size in ((16, 16), (48, 32), (128, 64)):
        x = image(2, 3, *size, dtype=dtype)
        torch.testing.assert_close(transform.inverse(transform(x)), x, rtol=0, atol=bound)


@pytest.mark.parametrize("name", ANY_SIZE)
def test_reconstruction_of_odd_sizes(name: str) -> None:
    transform = TRANSFORMS[name]
    for size in ((13, 17), (33, 20), (131, 47), (262, 301)):
        x = image(1, 2, *size)
        assert [band.shape for band in transform.bands(size, 2)] == [tuple(v.shape[1:]) for v in transform(x).values()]
        torch.testing.assert_close(transform.inverse(transform(x)), x, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", CRITICAL)
def test_critically_sampled_bands_hold_every_number_once(name: str) -> None:
    transform = TRANSFORMS[name]
    bands = transform(image(2, 3, 32, 16))
    assert sum(band.numel() for band in bands.values()) == 2 * 3 * 32 * 16
    arbitrary = {key: torch.randn_like(band) for key, band in bands.items()}
    back = transform(transform.inverse(arbitrary))
    for key, band in arbitrary.items():
        torch.testing.assert_close(back[key], band, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ORTHONORMAL)
def test_orthonormal_bands_keep_the_energy(name: str) -> None:
    x = image(2, 3, 32, 16)
    energy = sum(float(band.square().sum()) for band in TRANSFORMS[name](x).values())
    assert energy == pytest.approx(float(x.square().sum()), rel=1e-10)


@every
def test_half_precision_and_autocast_give_float32(transform: Transform) -> None:
    x = image(2, 3, 32, 32, dtype=torch.float32)
    plain = transform(x)
    with torch.autocast("cpu", torch.bfloat16):
        inside = transform(x)
        back = transform.inverse(inside)
        halves = transform.inverse({name: band.bfloat16() for name, band in plain.items()})
    assert all(torch.equal(inside[name], band) for name, band in plain.items())
    torch.testing.assert_close(back, x, rtol=0, atol=2e-6)
    assert halves.dtype == torch.float32
    for dtype in (torch.bfloat16, torch.float16):
        low = x.to(dtype)
        bands = transform(low)
        assert {band.dtype for band in bands.values()} == {torch.float32}
        torch.testing.assert_close(transform.inverse(bands), low.float(), rtol=0, atol=2e-6)


@every
def test_gradients_inside_autocast_are_those_outside(transform: Transform) -> None:
    x = image(1, 2, 16, 16, dtype=torch.float32).requires_grad_()

    def outcome() -> tuple[Tensor, Tensor]:
        loss = sum((i + 1) * band.pow(3).sum() for i, band in enumerate(transform(x).values()))
        (gradient,) = torch.autograd.grad(loss, x, create_graph=True)
        (second,) = torch.autograd.grad(transform.inverse(transform(gradient)).square().sum(), x)
        return gradient, second

    expected = outcome()
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(outcome(), expected)


@every
def test_reduced_matrix_products_elsewhere_do_not_matter(transform: Transform) -> None:
    matmul = torch.backends.mkldnn.matmul
    x, kept = image(2, 3, 64, 64, dtype=torch.float32), matmul.fp32_precision
    matmul.fp32_precision = "bf16"
    try:
        torch.testing.assert_close(transform.inverse(transform(x)), x, rtol=0, atol=2e-6)
    finally:
        matmul.fp32_precision = kept


@every
def test_gradients(transform: Transform) -> None:
    x = image(1, 1, 16, 16).requires_grad_()

    def forward(x: Tensor) -> tuple[Tensor, ...]:
        return tuple(transform(x).values())

    def inverse(*bands: Tensor) -> Tensor:
        return transform.inverse(dict(zip(transform.names, bands, strict=True)))

    bands = [band.detach().requires_grad_() for band in forward(x)]
    for function, inputs in ((forward, [x]), (inverse, bands)):
        assert gradcheck(function, inputs, fast_mode=True)
        assert gradgradcheck(function, inputs, fast_mode=True)


@every
def test_the_high_bands_gradient_does_not_need_the_low_bands(transform: Transform) -> None:
    bands = transform(image(1, 1, 16, 16))
    last = transform.names[-1]
    bands[last].requires_grad_()
    transform.inverse(bands).square().sum().backward()
    assert bands[last].grad is not None
    assert bands[last].grad.abs().sum() > 0


@every
def test_meta_device(transform: Transform) -> None:
    x = torch.empty(2, 3, 32, 32, device="meta")
    bands = transform(x)
    assert [tuple(band.shape[1:]) for band in bands.values()] == [band.shape for band in transform.bands(32)]
    assert transform.inverse(bands).shape == x.shape
    assert transform.inverse(bands).is_meta


class Round(nn.Module):
    def __init__(self, transform: Transform) -> None:
        super().__init__()
        self.transform = transform

    def forward(self, x: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        bands = self.transform(x)
        return bands, self.transform.inverse(bands)


@every
def test_export_with_any_batch(transform: Transform) -> None:
    module = Round(transform)
    batch = {"x": {0: torch.export.Dim.DYNAMIC}}
    exported = torch.export.export(module, (torch.randn(2, 3, 32, 32),), dynamic_shapes=batch, strict=False).module()
    x = image(5, 3, 32, 32, dtype=torch.float32)
    bands, back = exported(x)
    torch.testing.assert_close(bands, transform(x))
    torch.testing.assert_close(back, x, rtol=0, atol=2e-6)
    # The trace leaves nothing behind that a later call would trip over.
    torch.testing.assert_close(transform.inverse(transform(x)), x, rtol=0, atol=2e-6)


@every
def test_training_after_inference_mode(transform: Transform) -> None:
    x = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        transform.inverse(transform(x))
    transform.inverse(transform(x.requires_grad_())).sum().backward()
    assert x.grad is not None


@every
def test_no_state_and_copies_alike(transform: Transform) -> None:
    assert transform.state_dict() == {}
    x = image(1, 3, 16, 16)
    for twin in (copy.deepcopy(transform), pickle.loads(pickle.dumps(transform))):
        torch.testing.assert_close(twin(x), transform(x), rtol=0, atol=0)
        assert str(twin) == str(transform)


@every
def test_bands_that_do_not_fit_are_refused(transform: Transform) -> None:
    bands = transform(image(1, 3, 32, 32))
    first = transform.names[0]
    with pytest.raises(ValueError, match="needs the bands"):
        transform.inverse({name: band for name, band in bands.items() if name != first})
    with pytest.raises(ValueError, match="needs the bands"):
        transform.inverse({**bands, "extra": bands[first]})
    with pytest.raises(ValueError, match=r"\(b, c, h, w\)"):
        transform(image(3, 32, 32))
    if len(bands) > 1:
        with pytest.raises((ValueError, UserError), match=r"has shape|must divide|divisible"):
            transform.inverse({**bands, first: bands[first][..., :-1]})
