"""Whole runs: a segmenter learns, judges what another model makes of label maps, and given label maps are drawn."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from freqgan.metrics import higher_is_better
from freqgan.ops.instances import derived
from freqgan.runs import RunDirectory, read_checkpoint
from freqgan.runs.stored import load_system
from tests.forked import command, only_run, train
from tests.models import MODELS

SHORT = ["data.val_fraction=0.3", "budget.images=16", "samples.every_images=1000", "checkpoint.every_images=1000"]
METRICS = ["metrics.features.image_size=32", "metrics.perceptual.image_size=32", "metrics.num_images=6"]


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    folder = tmp_path_factory.mktemp("segmenter")
    status, output = train(folder, *SHORT, *MODELS["segmenter"], "metrics=segmentation", "budget.images=32")
    assert status == 0, output
    return RunDirectory(only_run(folder))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, segmenter: RunDirectory) -> RunDirectory:
    folder = tmp_path_factory.mktemp("runs")
    judged = ["metrics=label_to_image", *METRICS, f"metrics.judge_run={segmenter.path.parent}"]
    status, output = train(folder, *SHORT, *MODELS["label_to_image"], *judged, "model.features=2")
    assert status == 0, output
    return RunDirectory(only_run(folder))


def verb(name: str, folder: Path, *arguments: str) -> tuple[int, str]:
    given = [f"paths.cache_dir={folder / 'cache'}", "hardware=cpu", "hardware.threads=1"]
    status, output = command([name, *given, *arguments], folder)
    return status, " ".join(output.split())


def test_the_best_checkpoint_is_that_of_the_highest_mean_iou(segmenter: RunDirectory) -> None:
    judged = {row["images_seen"]: row["val/mean_iou"] for row in segmenter.metrics if "val/mean_iou" in row}
    best = read_checkpoint(segmenter.path / "checkpoints" / "best.ckpt")["clock"]["images_seen"]
    assert judged[best] == max(judged.values())
    assert "val/iou_background" in segmenter.metrics[-1]
    assert (segmenter.path / "samples" / "input_result_target_000000032.png").is_file()


def test_images_are_judged_by_the_segmenter_beside_real_ones(run: RunDirectory, segmenter: RunDirectory) -> None:
    system, _ = load_system(str(segmenter.path), checkpoint="best", allow_targets=[])
    by = system.judge("").hash[:6]
    row = next(row for row in reversed(run.metrics) if f"val/mean_iou_{by}_n6" in row)
    names = [name.removeprefix("val/") for name in row if name.startswith("val/")]
    assert names[:2] == [f"mean_iou_{by}_n6", f"mean_iou_{by}_real_n6"]
    assert {"boundary_sharpness_n6", "diversity_efficientnet_lite0_32px_n6", "fd_efficientnet_lite0_32px_n6"} <= {
        *names
    }
    assert row["val/diversity_efficientnet_lite0_32px_n6"] > 0
    assert higher_is_better(names[0])
    stored = json.loads((run.path / "evaluation" / f"label_to_image_efficientnet_lite0_32px_{by}_n6.json").read_text())
    assert stored.items() >= {name: row[f"val/{name}"] for name in names}.items()


def test_it_is_judged_again(run: RunDirectory, tmp_path: Path) -> None:
    status, output = verb("evaluate", tmp_path, f"run={run.path}", f"output={tmp_path}")
    assert status == 0, output
    (file,) = tmp_path.glob("*.json")
    again = json.loads(file.read_text())
    last = next(row for row in reversed(run.metrics) if any(name.startswith("val/mean_iou") for name in row))
    for name in (name.removeprefix("val/") for name in last if name.startswith("val/")):
        assert again[name] == pytest.approx(last[f"val/{name}"], rel=1e-4, abs=1e-4)


@pytest.mark.slow
def test_translations_of_label_maps_are_judged_too(segmenter: RunDirectory, tmp_path: Path) -> None:
    pairs = ["data=scenes_labels", "data.source.source.length=64", "data.image_size=16", "data.batch_size=4"]
    judged = ["metrics=label_to_image", *METRICS, f"metrics.judge_run={segmenter.path}"]
    model = [setting for setting in MODELS["pix2pix"] if setting != "data.source.domain=pair"]
    settings = [*pairs, *judged, *model, *SHORT, "logger=none", "hardware=cpu", "hardware.threads=1", "samples.count=4"]
    places = [f"paths.output_dir={tmp_path}", f"paths.cache_dir={tmp_path / 'cache'}", "name=tiny"]
    status, output = command(["train", *settings, *places], tmp_path)
    assert status == 0, output
    row = RunDirectory(only_run(tmp_path)).metrics[-1]
    assert any(name.startswith("val/mean_iou_") and name.endswith("_n6_ab") for name in row)
    assert row["val/diversity_efficientnet_lite0_32px_n6_ab"] == 0.0
    back = [setting for setting in settings if not setting.startswith("metrics.num")]
    status, output = command(["train", *back, *places, "model.direction=ba", "name=back"], tmp_path)
    assert status == 2
    assert "what is translated are none" in " ".join(output.split())


def test_training_needs_the_judge_that_checking_speaks_of(tmp_path: Path) -> None:
    given = ["experiment=label_to_image/scenes", f"paths.output_dir={tmp_path}", f"paths.cache_dir={tmp_path}"]
    status, output = command(["check", *given, "logger=none"], tmp_path)
    assert status == 0, output
    place = f"metrics.judge_run={tmp_path / 'segmenter_scenes'} holds no finished run: train a segmenter"
    told = " ".join(output.split())
    assert f"note: {place}, `freqgan train experiment=segmenter/scenes`, name its run" in told
    status, output = command(["train", *given, "logger=none"], tmp_path)
    assert status == 2
    assert output.startswith(f"freqgan: {place}")
    assert not [*tmp_path.rglob("run.json")]


@pytest.mark.parametrize("metrics", [pytest.param("label_to_image", marks=pytest.mark.slow), "segmentation"])
def test_other_models_refuse_these_protocols(metrics: str, tmp_path: Path) -> None:
    status, output = train(tmp_path, *SHORT, f"metrics={metrics}", "model=frequency_gan")
    assert status == 2, output
    assert f"metrics={metrics} does not judge what FrequencyGAN makes" in " ".join(output.split())


# sample labels=


@pytest.fixture(scope="module")
def maps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("maps")
    for number in range(3):
        labels = np.random.default_rng(number).integers(9, size=(4, 4)).repeat(5, 0).repeat(5, 1)
        (folder / "deep").mkdir(exist_ok=True)
        Image.fromarray(labels.astype(np.uint8)).save(folder / ("deep" if number else ".") / f"{number}.png")
    return folder


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


def draw(run: RunDirectory, folder: Path, *arguments: str) -> Path:
    status, output = verb("sample", folder, f"run={run.path}", f"output={folder / 'drawn'}", *arguments)
    assert status == 0, output
    return folder / "drawn"


def test_a_picture_for_each_map_and_seed_and_a_sheet(run: RunDirectory, maps: Path, tmp_path: Path) -> None:
    drawn = draw(run, tmp_path, f"labels={maps}", "seeds=2", "seed=5")
    names = {str(path.relative_to(drawn)) for path in drawn.rglob("*.png")}
    assert names == {f"{stem}_seed{seed}.png" for stem in ("0", "deep/1", "deep/2") for seed in (5, 6)}
    system, _ = load_system(str(run.path), checkpoint="last", allow_targets=[])
    labels = torch.from_numpy(pixels(maps / "0.png").astype(np.int64))
    rows = torch.arange(16) * 20 // 16  # the nearest pixels of 20, at a size of 16
    picture = pixels(drawn / "0_seed5.png")
    assert picture.shape == (16, 16, 3)
    small = labels[rows][:, rows][None]
    expected = system.synthesize_labels(small, derived(small, things=range(1, 9)), seed=5)[0]
    assert np.abs(picture.transpose(2, 0, 1) - (expected.numpy() + 1) * 127.5).max() <= 1
    with Image.open(tmp_path / "drawn.png") as sheet:
        assert sheet.size[0] == sheet.size[1]  # three maps, each with two results


def test_folders_of_one_name_are_drawn_into_two(run: RunDirectory, maps: Path, tmp_path: Path) -> None:
    for part in ("train", "val"):
        shutil.copytree(maps, tmp_path / part / "labels")
        status, output = verb("sample", tmp_path, f"run={run.path}", f"labels={tmp_path / part / 'labels'}", "seed=77")
        assert status == 0, output
    assert len([place for place in (run.path / "samples").glob("seed77*_labels_*") if place.is_dir()]) == 2


def test_looks_may_be_chosen_by_class(run: RunDirectory, maps: Path, tmp_path: Path) -> None:
    files = {}
    for name, look in {"first": 0, "again": 0, "second": 1}.items():
        (tmp_path / name).mkdir()
        every = ",".join(f"{label}: {look}" for label in range(1, 9))
        drawn = draw(run, tmp_path / name, f"labels={maps / '0.png'}", f"looks={{background: {look}, {every}}}")
        files[name] = pixels(drawn / "0_seed1.png")
    assert np.array_equal(files["first"], files["again"])
    assert not np.array_equal(files["first"], files["second"])


def test_maps_may_stay_as_they_are(run: RunDirectory, maps: Path, tmp_path: Path) -> None:
    drawn = draw(run, tmp_path, f"labels={maps}", f"instances={maps}", "fit=whole")
    assert pixels(drawn / "deep" / "2_seed1.png").shape == (20, 20, 3)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["labels=nowhere"], "labels=nowhere is not there"),
        (["looks={circle: 1}"], "looks is of label maps: give some with labels=<file or folder>"),
        (["labels={maps}", "looks={dragon: 1}"], "no class is called dragon"),
        (["labels={maps}", "target=shared"], "target is for models that draw images of chance"),
        (["seeds=2"], "seeds=2 are for captions and label maps"),
        (["captions=a red circle"], "captions are for models that read them"),
    ],
)
def test_mistakes_are_told_in_a_line(
    run: RunDirectory, maps: Path, tmp_path: Path, arguments: list[str], line: str
) -> None:
    given = [argument.replace("{maps}", str(maps)) for argument in arguments]
    status, output = verb("sample", tmp_path, f"run={run.path}", f"output={tmp_path / 'drawn'}", *given)
    assert status == 2, output
    assert line in output
    assert not (tmp_path / "drawn").exists()


def test_ids_that_are_no_class_are_told_before_the_first_picture(run: RunDirectory, maps: Path, tmp_path: Path) -> None:
    (tmp_path / "maps").mkdir()
    Image.fromarray(np.zeros((20, 20), np.uint8)).save(tmp_path / "maps" / "a.png")
    Image.fromarray(np.full((20, 20), 77, np.uint8)).save(tmp_path / "maps" / "b.png")
    status, output = verb(
        "sample", tmp_path, f"run={run.path}", f"output={tmp_path / 'drawn'}", f"labels={tmp_path / 'maps'}"
    )
    assert status == 2
    assert "b.png has ids that are no class: 77" in output
    assert not (tmp_path / "drawn").exists()


@pytest.mark.slow
def test_models_that_draw_no_label_maps_refuse_them(
    segmenter: RunDirectory, run: RunDirectory, maps: Path, tmp_path: Path
) -> None:
    status, output = verb("sample", tmp_path, f"run={segmenter.path}", f"labels={maps}")
    assert status == 2
    assert "labels are for models that draw them" in output
    single = ["model.features=0", "metrics=none"]
    status, output = train(tmp_path, *SHORT, *MODELS["label_to_image"], *single)
    assert status == 0, output
    made: Any = RunDirectory(only_run(tmp_path))
    status, output = verb("sample", tmp_path, f"run={made.path}", f"labels={maps}", "seeds=2")
    assert status == 2
    assert "makes one picture of a label map, it has learnt no looks" in output
    assert {path.name for path in draw(made, tmp_path, f"labels={maps / '0.png'}").iterdir()} == {"0.png"}
