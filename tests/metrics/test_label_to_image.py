"""The protocol of images made of label maps: what a judge finds in them, and how near they are to real ones."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from freqgan.errors import DivergedError, UserError
from freqgan.features import EfficientNetLite0
from freqgan.metrics import JudgeSegmenter, LabelToImageProtocol, higher_is_better
from freqgan.metrics.boundary_sharpness import gradient_energies
from freqgan.metrics.eight_bit import to_eight_bit
from freqgan.metrics.feature_distances import FeatureDistances
from freqgan.metrics.perceptual import perceptual_distance
from freqgan.ops.instances import regions
from tests.forked import on_ranks
from tests.metrics.conftest import Pixels

COUNT, SIZE, CLASSES = 7, (8, 12), 3
NETWORK = EfficientNetLite0(image_size=32)
JUDGED = [f"{name}_abcdef{of}_n7" for name in ("mean_iou", "pixel_accuracy", "class_accuracy") for of in ("", "_real")]


def noise(seed: int, scale: float = 1.0) -> Tensor:
    return (torch.rand(1, 3, *SIZE, generator=torch.Generator().manual_seed(seed)) * 2 - 1) * scale


def sample(number: int) -> dict[str, Any]:
    """Label maps of blocks, and images whose level says the label, with noise."""
    blocks = torch.randint(CLASSES, (1, 2, 3), generator=torch.Generator().manual_seed(100 + number))
    labels = blocks.repeat_interleave(4, 1).repeat_interleave(4, 2)
    image = (labels[:, None] - 1) * 0.6 + noise(number, 0.35)
    return {"image": image, "label_map": labels, "instance_map": labels, "name": str(number)}


class Data:
    """Counts how often samples are gone through."""

    def __init__(self) -> None:
        self.read = 0

    def __call__(self, limit: int | None = None) -> Iterator[dict[str, Any]]:
        self.read += 1
        yield from map(sample, range(COUNT if limit is None else limit))


def synthesize(of: Any, number: int, look: int) -> Tensor:
    """Half as much noise as real images have, another one for each look."""
    return (of["label_map"][:, None] - 1) * 0.6 + noise(1000 + 10 * number + look, 0.175)


def judge(**given: Any) -> JudgeSegmenter:
    def segment(image: Tensor) -> Tensor:
        assert torch.equal(image, to_eight_bit(image))
        return (image[:, 0] / 0.6 + 1).round().clamp(0, CLASSES - 1).long()

    return JudgeSegmenter(**{"segment": segment, "num_classes": CLASSES, "hash": "abcdef012", "run": "runs/s"} | given)


def protocol(**settings: Any) -> LabelToImageProtocol:
    return LabelToImageProtocol(Pixels(3 * SIZE[0] * SIZE[1]), **{"judge": judge(), "perceptual": NETWORK} | settings)


def evaluate(folder: Path, built: LabelToImageProtocol | None = None, **given: Any) -> dict[str, float]:
    how: dict[str, Any] = {"synthesize": synthesize, "samples": Data(), "varied": True} | given
    return (built or protocol()).evaluate(
        how["synthesize"],
        how["samples"],
        num_classes=CLASSES,
        varied=how["varied"],
        fingerprint="these",
        cache_dir=folder,
    )


def test_every_number_and_its_name(tmp_path: Path) -> None:
    values = evaluate(tmp_path)
    looked_at = ["diversity_efficientnet_lite0_32px_n7", "boundary_sharpness_n7", "elsewhere_sharpness_n7"]
    assert [*values] == [*JUDGED, "fd_pixels_n7", "kid_pixels_n7", *looked_at]
    assert all(higher_is_better(name) for name in values if not name.startswith(("fd", "kid")))
    assert values["mean_iou_abcdef_n7"] == 1.0 > values["mean_iou_abcdef_real_n7"] > 0.7


def test_the_judge_s_numbers_are_those_of_all_pixels(tmp_path: Path) -> None:
    values = evaluate(tmp_path)
    found = [judge().segment(to_eight_bit(sample(n)["image"])) == sample(n)["label_map"] for n in range(COUNT)]
    assert values["pixel_accuracy_abcdef_real_n7"] == pytest.approx(float(torch.stack(found).double().mean()))


def test_distances_are_those_to_the_images_of_the_same_label_maps(tmp_path: Path) -> None:
    values = evaluate(tmp_path)
    alone = FeatureDistances(Pixels(0), k=1)
    for number in range(COUNT):
        alone.update(to_eight_bit(sample(number)["image"]), real=True)
        alone.update(to_eight_bit(synthesize(sample(number), number, 0)), real=False)
    expected = alone.compute()
    assert values["fd_pixels_n7"] == pytest.approx(float(expected["fd"]), rel=1e-6)
    assert values["kid_pixels_n7"] == pytest.approx(float(expected["kid"]), rel=1e-6)


def test_diversity_is_the_distance_between_neighbouring_results(tmp_path: Path) -> None:
    values = evaluate(tmp_path, protocol(looks=3))
    pairs = [(n, look) for n in range(COUNT) for look in range(2)]
    results = [[to_eight_bit(synthesize(sample(n), n, look + i)) for i in range(2)] for n, look in pairs]
    mean = sum(float(perceptual_distance(a, b, NETWORK)) for a, b in results) / len(results)
    assert values["diversity_efficientnet_lite0_32px_n7"] == pytest.approx(mean)


def test_where_results_do_not_differ_it_is_plainly_0(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    drawn: list[int] = []

    def once(of: Any, number: int, look: int) -> Tensor:
        drawn.append(number)
        return synthesize(of, number, look)

    with caplog.at_level("INFO"):
        values = evaluate(tmp_path, varied=False, synthesize=once)
    assert values["diversity_efficientnet_lite0_32px_n7"] == 0.0
    assert drawn == [*range(COUNT)]
    assert "their diversity is 0, and is not measured" in caplog.text
    assert not any("diversity" in name for name in evaluate(tmp_path, protocol(perceptual=None)))


def test_sharpness_is_a_ratio_of_energies(tmp_path: Path) -> None:
    values = evaluate(tmp_path)
    sums = torch.zeros(2, 3, dtype=torch.float64)
    for number in range(COUNT):
        of = sample(number)
        where = regions(of["label_map"], of["instance_map"])
        images = synthesize(of, number, 0), of["image"]
        sums += torch.tensor([gradient_energies(to_eight_bit(image), where) for image in images], dtype=torch.float64)
    assert values["boundary_sharpness_n7"] == pytest.approx(float(sums[0, 0] / sums[1, 0]))
    assert values["elsewhere_sharpness_n7"] == pytest.approx(float(sums[0, 2] / sums[1, 2]))
    assert values["elsewhere_sharpness_n7"] < 0.5 < values["boundary_sharpness_n7"]
    same = evaluate(tmp_path, synthesize=lambda of, number, look: of["image"])
    assert same["boundary_sharpness_n7"] == same["elsewhere_sharpness_n7"] == 1.0


def test_where_instances_of_one_class_touch_there_is_a_sharpness_of_its_own(tmp_path: Path) -> None:
    def halved() -> Iterator[dict[str, Any]]:
        """One class with two instances, and white noise at each of its pixels."""
        columns = (torch.arange(SIZE[1]) < 6).long().expand(1, *SIZE)
        for number, of in enumerate(Data()()):
            yield of | {"image": noise(number), "label_map": torch.zeros_like(columns), "instance_map": columns}

    def faint_there(of: Any, number: int, look: int) -> Tensor:
        image: Tensor = of["image"].clone()
        image[..., 4:9] *= 0.5
        return image

    found = evaluate(tmp_path, protocol(judge=None), samples=lambda limit: halved(), synthesize=faint_there)
    assert found["touching_sharpness_n7"] == found["boundary_sharpness_n7"] == pytest.approx(0.25, rel=0.05)
    assert found["elsewhere_sharpness_n7"] > 0.5


def test_real_images_get_what_real_images_get(tmp_path: Path) -> None:
    values = evaluate(tmp_path, synthesize=lambda of, number, look: of["image"])
    for name in JUDGED[::2]:
        assert values[name] == values[name.replace("_n7", "_real_n7")]
    assert values["fd_pixels_n7"] == pytest.approx(0.0, abs=1e-3)


def test_processes_change_nothing(tmp_path: Path) -> None:
    values = evaluate(tmp_path / "one")
    parallel = on_ranks(2, tmp_path, lambda: evaluate(tmp_path / "two"))
    assert parallel[0] == parallel[1]
    assert [*parallel[0]] == [*values]
    assert parallel[0] == pytest.approx(values, rel=1e-6)


def test_what_is_found_of_real_images_is_kept(tmp_path: Path) -> None:
    data, seen = Data(), Pixels(3 * SIZE[0] * SIZE[1])
    built = LabelToImageProtocol(seen, judge=judge())
    values = evaluate(tmp_path, built, samples=data)
    first = seen.images_seen
    assert evaluate(tmp_path, built, samples=data) == values
    assert (first, seen.images_seen) == (2 * COUNT, 3 * COUNT)
    assert data.read == 3  # once for the judge, and once for each evaluation


def test_without_a_judge_or_on_fewer_maps(tmp_path: Path) -> None:
    values = evaluate(tmp_path, protocol(judge=None, num_images=4))
    assert next(iter(values)) == "fd_pixels_n4"
    assert protocol(num_images=4).name == "label_to_image_pixels_abcdef_n4"
    assert protocol(judge=None).name == "label_to_image_pixels"
    assert protocol().small().num_images == 4


def test_mistakes(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"metrics\.judge_run=runs/s tells 19 classes apart, the data have 3"):
        evaluate(tmp_path, protocol(judge=judge(num_classes=19)))
    with pytest.raises(UserError, match=r"a result is 1×8×12 .*, the real image 3×8×12"):
        evaluate(tmp_path, synthesize=lambda of, number, look: of["image"][:, :1])
    with pytest.raises(DivergedError, match="the result for label map 0 is not finite"):
        evaluate(tmp_path, synthesize=lambda of, number, look: of["image"] * torch.nan)
