"""The protocol of translations: each direction against its targets, against the other domain, and back."""

import math
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from freqgan.data import DataModule, Scenes
from freqgan.errors import DivergedError, UserError
from freqgan.features import EfficientNetLite0
from freqgan.metrics import RestorationProtocol, TranslationProtocol, higher_is_better
from freqgan.metrics.colour_shift import colour_moments, colour_shift
from freqgan.metrics.eight_bit import to_eight_bit
from freqgan.metrics.feature_distances import FeatureDistances
from tests.forked import on_ranks
from tests.metrics.conftest import Pixels

SIDE, COUNTS = 12, {"a": 7, "b": 5}
PIXELS = ["psnr_y_crop0", "ssim_y_crop0", "psnr_rgb_crop0", "ssim_rgb_crop0", "gmsd_y_crop0"]
SETS = ["colour_shift_mean", "colour_shift_covariance"]


class Areas(Pixels):
    """Averages of a few areas, as features."""

    name = "areas"

    def __init__(self) -> None:
        super().__init__(12)

    def prepare(self, images: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(images, 2)


def image(domain: str, number: int, side: int = SIDE) -> Tensor:
    """Noise, dark in A and bright in B."""
    random = torch.Generator().manual_seed(number + 1000 * (domain == "b"))
    noise = torch.rand(1, 3, side, side, generator=random)
    return to_eight_bit(noise if domain == "b" else noise - 1)


class Data:
    """Two domains of some images each, in pairs or not; counts what is read."""

    def __init__(self, *, paired: bool = True, counts: dict[str, int] = COUNTS, side: int = SIDE) -> None:
        self.paired, self.side, self.read = paired, side, 0
        self.counts = dict.fromkeys("ab", counts["a"]) if paired else counts

    def fingerprint(self) -> str:
        return f"{self.counts} {self.paired} {self.side}"

    def evaluation_domain(
        self, split: str, domain: str, *, limit: int | None = None, targets: bool = False
    ) -> Iterator[dict[str, Any]]:
        for number in range(self.counts[domain])[:limit]:
            self.read += 1
            picture = {"image": image(domain, number, self.side), "name": f"{domain}{number}"}
            yield picture | (
                {"target": image("ba"[domain == "b"], number, self.side)} if targets and self.paired else {}
            )


def evaluate(
    folder: Path,
    translate: dict[str, Callable[[Tensor], Tensor]],
    *,
    protocol: TranslationProtocol | None = None,
    data: Any = None,
) -> dict[str, float]:
    protocol = protocol or TranslationProtocol(Areas())
    return protocol.evaluate(translate, data or Data(), split="val", cache_dir=folder)


def brighter(image: Tensor) -> Tensor:
    return image + 1


BOTH = {"ab": brighter, "ba": lambda image: image - 1}


def test_names_carry_protocol_and_direction(tmp_path: Path) -> None:
    protocol = TranslationProtocol(Areas(), EfficientNetLite0(image_size=32), num_images=3)
    values = evaluate(tmp_path, BOTH, protocol=protocol)
    judged = [*PIXELS, "perceptual_efficientnet_lite0_32px"]
    sets = ["fd_areas", "kid_areas", *SETS]
    expected = [
        f"{name}_{direction}"
        for direction in ("ab", "ba")
        for name in (*judged, "psnr_y_crop0_over_untranslated", *sets, "cycle_error")
    ]
    assert list(values) == [f"{name}_n3" for name in (*expected, *(f"{n}_untranslated" for n in (*judged, *sets)))]
    assert all(type(value) is float for value in values.values())
    assert protocol.name == "translation_areas_efficientnet_lite0_32px_n3"
    assert protocol.small().name == "translation_areas_efficientnet_lite0_32px_n2"
    assert TranslationProtocol(lpips="alex").name == "translation_lpips_alex"
    rising = {name for name in values if higher_is_better(name)}
    assert {name.partition("_")[0] for name in rising} == {"psnr", "ssim"}


def test_pairs_get_the_numbers_of_restoration(tmp_path: Path) -> None:
    values = evaluate(tmp_path, {"ab": brighter})
    pairs = [{"image_low": image("a", n), "image": image("b", n), "name": str(n)} for n in range(7)]
    known: Any = {"fingerprint": "these", "cache_dir": tmp_path}
    for function, suffix in ((brighter, "ab"), (lambda low: low, "untranslated")):
        alone = RestorationProtocol().evaluate(function, lambda: pairs, **known)
        assert {f"{name}_{suffix}": value for name, value in alone.items()}.items() <= values.items()
    gain = values["psnr_y_crop0_ab"] - values["psnr_y_crop0_untranslated"]
    assert values["psnr_y_crop0_over_untranslated_ab"] == pytest.approx(gain)


@pytest.mark.parametrize("paired", [True, False])
def test_sets_are_compared_with_the_target_domain(tmp_path: Path, paired: bool) -> None:
    data = Data(paired=paired)
    values = evaluate(tmp_path, BOTH, data=data)
    domains = {d: torch.cat([p["image"] for p in data.evaluation_domain("val", d)]) for d in "ab"}
    for suffix, made, target in (
        ("ab", to_eight_bit(brighter(domains["a"])), domains["b"]),
        ("ba", to_eight_bit(domains["b"] - 1), domains["a"]),
        ("untranslated", domains["a"], domains["b"]),
    ):
        alone = FeatureDistances(Areas(), k=1)
        alone.update(target, real=True)
        alone.update(made, real=False)
        found = alone.compute()
        for name in ("fd", "kid"):
            count = f"n{data.counts[suffix[0] if suffix in BOTH else 'a']}"
            assert values[f"{name}_areas_{suffix}_{count}"] == pytest.approx(float(found[name]), rel=1e-5, abs=1e-6)
        shift = colour_shift(colour_moments(made), colour_moments(target))
        assert {name: values[f"{name}_{suffix}"] for name in SETS} == pytest.approx(shift)


def test_without_targets_there_is_nothing_to_be_like(tmp_path: Path) -> None:
    values = evaluate(tmp_path, {"ba": brighter}, data=Data(paired=False))
    assert list(values) == [
        *("fd_areas_ba_n5", "kid_areas_ba_n5", *(f"{name}_ba" for name in SETS)),
        *("fd_areas_untranslated_n7", "kid_areas_untranslated_n7", *(f"{name}_untranslated" for name in SETS)),
    ]


def test_the_way_back_begins_at_the_result_as_a_png_keeps_it(tmp_path: Path) -> None:
    exact = evaluate(tmp_path, {"ab": lambda x: x * 0.5, "ba": lambda x: x * 2})
    assert 0 < exact["cycle_error_ab"] <= 0.5 + 1e-6  # rounded once, and then doubled
    assert exact["cycle_error_ba"] > 0.5  # all that is beyond the range is lost

    def hidden(image: Tensor) -> Tensor:
        return image * 1e-4

    assert evaluate(tmp_path, {"ab": hidden, "ba": lambda x: x * 1e4})["cycle_error_ab"] > 30
    off = evaluate(tmp_path, {"ab": lambda x: x, "ba": lambda x: x + 10 / 127.5})
    assert off["cycle_error_ab"] == pytest.approx(10, abs=1e-3)
    assert "cycle_error_ab" not in evaluate(tmp_path, {"ab": brighter})


def test_a_perfect_translation_is_perfect(tmp_path: Path) -> None:
    known = {image("a", n).numpy().tobytes(): image("b", n) for n in range(7)}
    values = evaluate(tmp_path, {"ab": lambda x: known[x.numpy().tobytes()]})
    perfect = {"psnr_y_crop0_ab": 100, "ssim_rgb_crop0_ab": 1, "gmsd_y_crop0_ab": 0, "fd_areas_ab_n7": 0}
    perfect |= {"colour_shift_mean_ab": 0, "colour_shift_covariance_ab": 0}
    assert {name: values[name] for name in perfect} == pytest.approx(perfect, abs=1e-4)


def test_what_does_not_depend_on_the_system_is_measured_once(tmp_path: Path) -> None:
    data = Data()
    first = evaluate(tmp_path, {"ab": brighter}, data=data)
    begun, data.read = data.read, 0
    assert evaluate(tmp_path, {"ab": brighter}, data=data) == first
    assert data.read == 7 + 1 < begun
    evaluate(tmp_path, {"ab": brighter}, data=data, protocol=TranslationProtocol(Areas(), num_images=4))
    other = Areas()
    other.version = 2.0
    data.read = 0
    evaluate(tmp_path, {"ab": brighter}, data=data, protocol=TranslationProtocol(other))
    assert data.read > 3 * 7


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("paired", [True, False])
def test_several_processes_get_the_numbers_of_one(tmp_path: Path, paired: bool) -> None:
    alone = evaluate(tmp_path / "alone", BOTH, data=Data(paired=paired))
    first, second = on_ranks(2, tmp_path, lambda: evaluate(tmp_path / "both", BOTH, data=Data(paired=paired)))
    assert first == second == alone


def test_small_images_are_left_out_of_what_needs_windows(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"less than 11 px a side cannot be judged, .*: set data.root to larger ones"):
        evaluate(tmp_path, {"ab": brighter}, data=Data(side=8), protocol=TranslationProtocol())
    values = evaluate(tmp_path, {"ab": brighter}, data=Data(side=8, paired=False), protocol=TranslationProtocol())
    assert [*values] == [f"{name}_{of}" for of in ("ab", "untranslated") for name in SETS]


def test_mistakes_are_said(tmp_path: Path) -> None:
    with pytest.raises(DivergedError, match="a0: its translation is not finite"):
        evaluate(tmp_path, {"ab": lambda x: x * math.nan})
    with pytest.raises(UserError, match=r"one has a single image: raise data\.val_fraction, or set metrics"):
        evaluate(tmp_path, {"ab": brighter}, data=Data(paired=False, counts={"a": 4, "b": 1}))


def test_real_data_of_two_domains(tmp_path: Path) -> None:
    settings: Any = {"image_size": 16, "num_classes": 9, "batch_size": 4, "cache_dir": tmp_path}
    data = DataModule(source=partial(Scenes, length=40, domain="pair"), **settings)
    values = evaluate(tmp_path, BOTH, data=data, protocol=TranslationProtocol())
    assert values["psnr_y_crop0_ab"] < values["psnr_y_crop0_untranslated"] < 40
    single = DataModule(source=partial(Scenes, length=40, domain="a"), **settings)
    with pytest.raises(UserError, match=r"data\.source\.domain=pair"):
        evaluate(tmp_path, BOTH, data=single, protocol=TranslationProtocol())
