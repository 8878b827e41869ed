import logging
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from freqgan.errors import DivergedError, StorageError, UserError
from freqgan.features import EfficientNetLite0
from freqgan.metrics import RestorationProtocol, restoration
from freqgan.metrics.full_reference import psnr
from freqgan.ops.resample import resize
from tests.forked import on_ranks

SIZES = ((48, 64), (52, 40), (40, 44), (64, 48), (44, 44))


class _Pairs:
    """Originals and their inputs, counting how often they are asked for."""

    def __init__(self, *, scale: int = 4, channels: int = 3, sizes: tuple[tuple[int, int], ...] = SIZES) -> None:
        self.scale, self.calls = scale, 0
        generator = torch.Generator().manual_seed(0)
        noises = [torch.rand((1, channels, h // 4, w // 4), generator=generator) for h, w in sizes]
        self.levels = [resize((noise * 255).byte(), 4.0) for noise in noises]

    def __call__(self) -> Iterator[dict[str, Any]]:
        self.calls += 1
        for i, image in enumerate(self.levels):
            low = resize(image, 1 / self.scale)
            yield {"image": image / 127.5 - 1, "image_low": low / 127.5 - 1, "name": f"folder/{i}.jpg"}

    def restored(self, change: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        """A restorer that knows the originals, and what it makes of them."""
        known = {pair["image_low"].numpy().tobytes(): pair["image"] for pair in self}
        return lambda low: change(known[low.numpy().tobytes()])

    def __iter__(self) -> Iterator[dict[str, Any]]:
        yield from self()


def _nearest(low: Tensor) -> Tensor:
    return low.repeat_interleave(4, 2).repeat_interleave(4, 3)


@pytest.fixture
def evaluate(tmp_path: Path) -> Callable[..., dict[str, float]]:
    def run(
        protocol: RestorationProtocol, restore: Callable[[Tensor], Tensor], pairs: Any, fingerprint: str = "set"
    ) -> dict[str, float]:
        return protocol.evaluate(restore, pairs, fingerprint=fingerprint, cache_dir=tmp_path / "cache")

    return run


def test_names_carry_the_protocol(evaluate: Any) -> None:
    protocol = RestorationProtocol(EfficientNetLite0(image_size=32), num_images=3)
    values = evaluate(protocol, _nearest, _Pairs())
    measured = [f"{kind}_crop4" for kind in ("psnr_y", "ssim_y", "psnr_rgb", "ssim_rgb", "gmsd_y")]
    measured += ["lr_consistency_psnr", "perceptual_efficientnet_lite0_32px"]
    expected = [*measured, "psnr_y_crop4_over_bicubic", *(f"{name}_bicubic" for name in measured)]
    assert list(values) == [f"{name}_n3" for name in expected]
    assert all(type(value) is float for value in values.values())
    assert protocol.name == "restoration_efficientnet_lite0_32px_n3"
    assert RestorationProtocol(crop=2, lpips="alex").name == "restoration_lpips_alex_crop2"


def test_the_original_itself_is_perfect(evaluate: Any) -> None:
    pairs = _Pairs()
    values = evaluate(RestorationProtocol(EfficientNetLite0(image_size=32)), pairs.restored(lambda x: x), pairs)
    perfect = {"psnr_y_crop4": 100, "psnr_rgb_crop4": 100, "ssim_y_crop4": 1, "ssim_rgb_crop4": 1, "gmsd_y_crop4": 0}
    perfect |= {"lr_consistency_psnr": 100, "perceptual_efficientnet_lite0_32px": 0}
    assert {name: values[name] for name in perfect} == pytest.approx(perfect)


def test_a_shift_in_brightness_by_hand(evaluate: Any) -> None:
    pairs = _Pairs()
    pairs.levels = [image // 2 for image in pairs.levels]  # room above
    values = evaluate(RestorationProtocol(), pairs.restored(lambda x: x + 10 / 127.5), pairs)
    assert values["psnr_rgb_crop4"] == pytest.approx(20 * math.log10(25.5))
    assert values["psnr_y_crop4"] == pytest.approx(20 * math.log10(25.5 * 255 / 219), rel=1e-6)
    assert values["lr_consistency_psnr"] == pytest.approx(20 * math.log10(25.5), abs=0.02)


def test_bicubic_over_bicubic_is_nothing(evaluate: Any) -> None:
    pairs = _Pairs()

    def bicubic(low: Tensor) -> Tensor:
        return resize(((low + 1) * 127.5).round().byte(), 4.0) / 127.5 - 1

    values = evaluate(RestorationProtocol(), bicubic, pairs)
    assert values["psnr_y_crop4_over_bicubic"] == 0.0
    for name in [name for name in values if name.endswith("_bicubic") and "over" not in name]:
        assert values[name] == values[name.removesuffix("_bicubic")]
    # By hand: the mean over images of the PSNR, not the PSNR of all pixels.
    inner = [
        [x[..., 4:-4, 4:-4] for x in (((bicubic(p["image_low"]) + 1) * 127.5).round(), (p["image"] + 1) * 127.5)]
        for p in pairs
    ]
    assert values["psnr_rgb_crop4"] == pytest.approx(sum(psnr(*pair).item() for pair in inner) / len(inner), rel=1e-6)


def test_the_border_is_not_judged(evaluate: Any) -> None:
    pairs = _Pairs()

    def framed(image: Tensor) -> Tensor:
        image = image.clone()
        image[..., :4] = image[..., -4:] = 1.0
        image[..., :4, :] = image[..., -4:, :] = -1.0
        return image

    values = evaluate(RestorationProtocol(), pairs.restored(framed), pairs)
    assert (values["psnr_rgb_crop4"], values["ssim_y_crop4"]) == pytest.approx((100, 1))
    assert evaluate(RestorationProtocol(crop=3), pairs.restored(framed), pairs)["psnr_rgb_crop3"] < 30


def test_results_are_judged_as_a_png_keeps_them(evaluate: Any) -> None:
    pairs = _Pairs()
    values = evaluate(RestorationProtocol(), pairs.restored(lambda x: x + 0.4 / 127.5), pairs)
    assert values["psnr_rgb_crop4"] == pytest.approx(100)


def test_bicubic_is_measured_once_per_data_set(evaluate: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    enlarged, original = [], restoration._enlarged
    monkeypatch.setattr(restoration, "_enlarged", lambda pair: enlarged.append(pair) or original(pair))
    pairs = _Pairs()
    first = evaluate(RestorationProtocol(), _nearest, pairs)
    assert evaluate(RestorationProtocol(), _nearest, pairs) == first
    assert len(enlarged) == 5
    evaluate(RestorationProtocol(num_images=2), _nearest, pairs)
    evaluate(RestorationProtocol(), _nearest, pairs, fingerprint="other")
    evaluate(RestorationProtocol(crop=0), _nearest, pairs)
    assert len(enlarged) == 5 + 2 + 5 + 5


def test_another_degradation_is_another_baseline(evaluate: Any) -> None:
    class Noisy(_Pairs):
        def __call__(self) -> Iterator[dict[str, Any]]:
            for pair in super().__call__():
                yield pair | {"image_low": pair["image_low"] + 0.2}

    clean, noisy = (evaluate(RestorationProtocol(), _nearest, pairs()) for pairs in (_Pairs, Noisy))
    assert noisy["psnr_y_crop4_bicubic"] < clean["psnr_y_crop4_bicubic"] - 1


def test_images_of_one_size_have_no_border_and_no_enlargement(evaluate: Any) -> None:
    values = evaluate(RestorationProtocol(), lambda low: low, _Pairs(scale=1))
    assert list(values) == [f"{kind}_crop0" for kind in ("psnr_y", "ssim_y", "psnr_rgb", "ssim_rgb", "gmsd_y")]


def test_grey_counts_as_three_equal_channels(evaluate: Any) -> None:
    class Repeated(_Pairs):
        def __call__(self) -> Iterator[dict[str, Any]]:
            for pair in super().__call__():
                yield {k: v.expand(-1, 3, -1, -1) if isinstance(v, Tensor) else v for k, v in pair.items()}

    grey, colour = (evaluate(RestorationProtocol(), _nearest, kind(channels=1)) for kind in (_Pairs, Repeated))
    assert grey == pytest.approx(colour, rel=1e-9)
    assert grey["ssim_rgb_crop4"] == pytest.approx(grey["ssim_y_crop4"], abs=0.02)


def test_small_images_are_left_out_and_named(evaluate: Any, caplog: pytest.LogCaptureFixture) -> None:
    pairs = _Pairs(sizes=((48, 64), (16, 64), (24, 16)))
    with caplog.at_level(logging.WARNING):
        values = evaluate(RestorationProtocol(), _nearest, pairs)
    assert "less than 19 px a side cannot be judged; left out: 2 of 3 (folder/1.jpg, folder/2.jpg)" in caplog.text
    assert values["psnr_y_crop4"] == evaluate(RestorationProtocol(num_images=1), _nearest, pairs)["psnr_y_crop4_n1"]
    with pytest.raises(UserError, match=r"no others: set data.root to larger ones or metrics.crop=0"):
        evaluate(RestorationProtocol(), _nearest, _Pairs(sizes=((16, 64),)))


@pytest.mark.parametrize(
    ("restore", "error", "message"),
    [
        (
            lambda x: x,
            UserError,
            r"folder/0.jpg: the restored image is 3×12×16 .* the original 3×48×64: set data.scale",
        ),
        (lambda x: _nearest(x)[:, :1], UserError, r"is 1×48×64 .* set data.scale and data.channels"),
        (lambda x: _nearest(x) * math.nan, DivergedError, r"folder/0.jpg: the restored image is not finite"),
    ],
)
def test_what_is_no_restored_image_is_refused(evaluate: Any, restore: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        evaluate(RestorationProtocol(), restore, _Pairs())


def test_no_pair_at_all_is_the_users_mistake(evaluate: Any) -> None:
    with pytest.raises(UserError, match="no pair of images"):
        evaluate(RestorationProtocol(), _nearest, _Pairs(sizes=()))


def test_small_looks_at_two_images_and_saves_no_pictures(evaluate: Any, tmp_path: Path) -> None:
    seen: list[Tensor] = []
    protocol = RestorationProtocol(crop=1, crops=str(tmp_path / "crops")).small()
    evaluate(protocol, lambda low: seen.append(low) or _nearest(low), _Pairs())
    assert (len(seen), protocol.name) == (2, "restoration_crop1_n2")
    assert not (tmp_path / "crops").exists()


def test_crops_show_the_part_with_the_most_detail(evaluate: Any, tmp_path: Path) -> None:
    pairs = _Pairs(sizes=((100, 240),))
    (image,) = pairs.levels
    image[..., :104] = image[..., :104] // 4 + 100
    evaluate(RestorationProtocol(crops=str(tmp_path)), pairs.restored(lambda x: -x), pairs)
    sheet = np.asarray(Image.open(tmp_path / "folder" / "0.png")).astype(int)
    assert sheet.shape == (96, 3 * 96 + 2 * 4, 3)
    enlarged, negative, original = sheet[:, :96], sheet[:, 100:196], sheet[:, 200:]
    assert (negative + original == 255).all()
    places = image[0].permute(1, 2, 0).unfold(0, 96, 1).unfold(1, 96, 1).permute(0, 1, 3, 4, 2)
    found = (places.numpy() == original).all((2, 3, 4)).nonzero()
    assert found[1].min() >= 100, "not in the flat half"
    assert 1 < np.abs(enlarged - original).mean() < 60


def test_crops_that_cannot_be_written_are_a_storage_error(evaluate: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"set metrics.crops to another folder"):
        evaluate(RestorationProtocol(crops=str(tmp_path / "file")), _nearest, _Pairs())


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_several_processes_get_the_numbers_of_one(tmp_path: Path) -> None:
    def scenario(folder: str) -> dict[str, Any]:
        seen: list[tuple[int, ...]] = []

        def restore(low: Tensor) -> Tensor:
            seen.append(tuple(low.shape))
            return _nearest(low)

        cache = tmp_path / folder
        fresh, cached = (
            RestorationProtocol().evaluate(restore, _Pairs(), fingerprint="set", cache_dir=cache) for _ in range(2)
        )
        return {"seen": seen, "fresh": fresh, "cached": cached}

    alone = scenario("alone")
    first, second = on_ranks(2, tmp_path, lambda: scenario("together"))
    assert first["fresh"] == first["cached"] == second["fresh"] == second["cached"] == alone["fresh"]
    assert (len(first["seen"]), len(second["seen"]), len(alone["seen"])) == (6, 4, 10)
