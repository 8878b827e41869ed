"""The two studies of translation: what they would run fits the config, and what their scripts say is right."""

import importlib
import json
import os
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from freqgan import config
from freqgan.comparison import Run
from freqgan.config.application import compose
from freqgan.data import PhotoFolder
from tests.comparison.written import write_ledger, write_run
from tests.test_studies import EXPERIMENTS, asked

DEBLURRING, METHODS = EXPERIMENTS / "deblur_generalisation", EXPERIMENTS / "translation_methods"


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(EXPERIMENTS.parent)
    for folder in (METHODS, DEBLURRING, EXPERIMENTS):
        monkeypatch.syspath_prepend(folder)


def script(name: str) -> ModuleType:
    return importlib.import_module(name)


def settings_of(study: str, part: str, **environment: str) -> list[dict[str, Any]]:
    """The resolved and checked configs of a part's jobs."""
    command, jobs = asked(study, part, **environment)
    composed = [command.compose(job.chosen) for job in jobs]
    for one in composed:
        config.check(one)
    assert command.folder == Path("outputs") / study / part
    return [config.resolve(one) for one in composed]


# What would run


@pytest.mark.parametrize(("part", "arms", "seeds"), [("matrix", 4, 3), ("kinds", 2, 3), ("samples", 12, 2)])
def test_parts_of_the_deblurring_study(part: str, arms: int, seeds: int) -> None:
    arms_of_study = script("arms")
    found = [(arms_of_study.arm_of(job), job["seed"]) for job in settings_of("deblur_generalisation", part)]
    assert len({arm for arm, _ in found}) == arms
    assert len({*found}) == len(found) == arms * seeds
    learnt = arms_of_study.SIZES if part == "samples" else arms_of_study.LEARNT
    assert {arm.kind for arm, _ in found} <= {*learnt}


@pytest.mark.parametrize(("part", "arms"), [("lines", 4), ("styles", 6)])
def test_parts_of_the_study_of_methods(part: str, arms: int) -> None:
    jobs = settings_of("translation_methods", part, NOTO="font.ttf")
    kinds = {json.dumps([job["model"], job["optim"], job["loss"]], sort_keys=True) for job in jobs}
    assert (len(kinds), len(jobs)) == (arms, 2 * arms)
    assert all(job["evaluation"]["every_images"] > job["budget"]["images"] for job in jobs), "judged at the end alone"
    sources = {json.dumps(job["data"]["source"], sort_keys=True) for job in jobs}
    assert len(sources) == 1
    assert ("font.ttf" in sources.pop()) == (part == "styles")


@pytest.mark.parametrize("study", ["deblur_generalisation", "translation_methods"])
def test_a_long_run_of_the_best(study: str) -> None:
    variables = os.environ | {"FREQGAN": "echo", "BEST": "pix2pix"}
    words = [str(EXPERIMENTS / study / "run.sh"), "long"]
    verb, *given = subprocess.run(words, env=variables, capture_output=True, text=True, check=True).stdout.split()
    flag, folder, *overrides = given
    assert (verb, flag) == ("train", "--config-dir")
    settings = compose("train", overrides, folder=folder)
    config.check(settings)
    assert settings["model"]["generator"]["_target_"].endswith(".UNet")
    assert settings["budget"]["minutes"] >= 20
    assert settings["name"] == f"{study}_long"


@pytest.mark.parametrize(
    ("study", "part", "missing"),
    [
        ("deblur_generalisation", "pictures", "PHOTOS"),
        ("deblur_generalisation", "x", "matrix|kinds"),
        ("translation_methods", "x", "lines|styles"),
    ],
)
def test_what_a_part_needs_is_said(study: str, part: str, missing: str) -> None:
    words = [str(EXPERIMENTS / study / "run.sh"), part]
    done = subprocess.run(words, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert missing in done.stderr


# Pictures and tests of the deblurring study


def test_squares_of_photographs(tmp_path: Path) -> None:
    pictures = script("pictures")
    ramp = np.arange(70 * 200, dtype=np.uint32).reshape(70, 200) % 251
    Image.fromarray(ramp.astype(np.uint8)).convert("RGB").save(tmp_path / "a.png")
    folder = PhotoFolder(root=tmp_path, image_size=64, cache_dir=tmp_path / "cache")
    folder.prepare()
    places = pictures.grid(folder)
    assert places == [(0, 3, 4), (0, 3, 68), (0, 3, 132)]  # 6 rows and 8 columns are left, a half before and behind
    assert pictures.centres(folder) == [(0, 3, 68)]
    named = list(pictures.squares(folder, places))
    assert [name for name, _ in named] == ["a_3_4", "a_3_68", "a_3_132"]
    assert torch.equal(named[1][1][0], torch.from_numpy(ramp.astype(np.uint8))[3:67, 68:132])
    pictures.write(tmp_path / "grey", named, grey=True)
    with Image.open(tmp_path / "grey" / "a_3_4.png") as written:
        assert (written.mode, written.size) == ("RGB", (64, 64))
    few, more = (pictures.some(range(5000), count) for count in (100, 1000))
    assert {*few} < {*more}


def test_every_arm_has_its_tests() -> None:
    arms = script("arms")
    people = [*arms.tests_of(arms.Arm("encoder_decoder", "people", "gaussian_blur"))]
    assert len({test.name for test in people}) == len(people) == 4 + 9
    assert len([*arms.tests_of(arms.Arm("encoder_decoder", "people", "resize"))]) == 4
    sizes = [*arms.tests_of(arms.Arm("cyclegan", "photographs_100", "gaussian_blur"))]
    assert [(test.folder, test.by_networks) for test in sizes] == [
        ("test/photographs", True),
        ("train/photographs_100", False),
    ]


def test_filters_undo_the_blur_that_they_are_told_of() -> None:
    classical, blur = script("classical"), importlib.import_module("freqgan.data.degradations.blur")
    random = torch.Generator().manual_seed(1)
    sharp = torch.nn.functional.interpolate(torch.rand(1, 3, 8, 8, generator=random), size=48, mode="nearest")
    blurred = blur.convolve(sharp[0], blur.gaussian_kernel(1.6, 1.6, 0.0))[None].float()
    pair = [(blurred * 2 - 1, sharp * 2 - 1)]
    assert classical.gain(pair, lambda image: image) == 0.0
    choices = classical.choices()
    assert classical.gain(pair, choices["wiener"]["sigma=1.6 balance=0.001"]) > 3
    assert classical.gain(pair, choices["richardson_lucy"]["sigma=1.6 iterations=20"]) > 1.5
    assert classical.gain(pair, choices["unsharp"]["radius=2 amount=1"]) > 0.5
    assert classical.gain(pair, choices["wiener"]["sigma=3.2 balance=0.001"]) < -3, "of another blur"


def test_looks_tell_steepness_and_colour() -> None:
    look = script("judge").look
    steps = torch.tensor([-1.0, 1.0]).repeat(8, 4).view(1, 1, 8, 8).expand(1, 3, 8, 8)
    assert look(steps / 2)[0] == pytest.approx(float(look(steps)[0]) / 2)
    blue, yellow = (look(torch.tensor(c).view(1, 3, 1, 1).expand(1, 3, 4, 4)) for c in ([-1.0, -1, 1], [1.0, 1, -1]))
    assert blue[2] < -50 < 50 < yellow[2]


# Tables


def results_of(*gains: tuple[str, str, int, float]) -> Any:
    """What tests said of runs on people: made for, tested on, seed, gain."""
    arms, tables = script("arms"), script("tables")
    found = []
    for made, tested, seed, gain in gains:
        facts: dict[str, Any] = {"config": {"seed": seed}, "record": {"cpu_seconds": 5.0}, "rows": []}
        run = Run(f"{made}_{seed}", "", "finished", overrides=None, line="", **facts)
        values = {tables.GAIN: gain, "fd_x_96px_ab_n200": 3.0, "protocol": "x"}
        arm = arms.Arm("encoder_decoder", "people", made)
        found.append(tables.Found(run, arm, arms.Test("test/people", tested), values))
    return tables.Results(found)


def test_the_matrix_is_of_means_over_seeds(tmp_path: Path) -> None:
    tables = script("tables")
    of_resize = [("resize", 1, 2.0), ("resize", 2, 4.0), ("gaussian_blur", 1, -1.0)]
    results = results_of(*(("resize", *gain) for gain in of_resize))
    names = script("arms").DEGRADATIONS
    classical = [{"filter": "wiener", "set_for": a, "tested_on": b, "gain": "1.5"} for a in names for b in names]
    gains = tables.matrix(results, classical)
    assert gains["networks"][2, 2] == 3.0
    assert gains["networks"][2, 0] == -1.0
    assert np.isnan(gains["networks"]).sum() == 14
    assert (gains["wiener"] == 1.5).all()
    table = tables.matrix_table(results, gains)
    assert table[3] == ["network, resize", "-1", "–", "3 ± 1.4", "–"]
    assert table[5] == ["wiener, gaussian_blur", *["1.50"] * 4]
    assert len(table) == 1 + 4 + 4
    tables.heat_maps(gains, tmp_path / "matrix.png")
    with Image.open(tmp_path / "matrix.png") as picture:
        assert len(picture.convert("RGB").getcolors(1 << 20)) > 100
    rows = tables.rows(results)
    assert [(row["seed"], row["test"], row[tables.GAIN]) for row in rows][:1] == [(1, "test_people_resize", 2.0)]
    assert "protocol" not in rows[0]
    assert results.found[0].value("fd_") == 3.0


def test_methods_are_compared_at_their_ends(tmp_path: Path) -> None:
    jobs: list[dict[str, Any]] = []
    for method, directions, images in (("pix2pix", ("ab",), 50), ("cyclegan", ("ab", "ba"), 20)):
        for seed in (1, 2):
            ends = {f"val/psnr_y_crop0_{d}": 10.0 * seed for d in directions}
            ends |= {f"val/psnr_y_crop0_over_untranslated_{d}": 99.0 for d in directions}
            ends |= {f"val/fd_x_{d}_n9": 3.0 for d in directions}
            ends |= {f"val/colour_shift_mean_{d}": 1.0 for d in directions}
            row = {"images_seen": images, "time/seconds": 9.0, "val/psnr_y_crop0_untranslated": 7.0, **ends}
            write_run(tmp_path / f"{method}_{seed}", [row], changes={"seed": seed, "model.method": method})
            texts = [f"seed={seed}", f"experiment=translation_methods/{method}"]
            jobs.append({"key": f"{method}_{seed}", "overrides": texts, "state": "finished"})
    write_ledger(tmp_path, jobs)
    table = script("methods").table
    header, *lines = table([str(tmp_path)], "ab")
    said = {line[0]: dict(zip(header, line, strict=True)) for line in lines}
    assert {*said} == {"pix2pix", "cyclegan", "untranslated"}
    assert said["pix2pix"]["psnr ↑"] == "15 ± 7.1"
    assert (said["pix2pix"]["images"], said["cyclegan"]["images"]) == ("50", "20")
    assert (said["cyclegan"]["fd ↓"], said["untranslated"]["psnr ↑"]) == ("3 ± 0", "7")
    assert [line[0] for line in table([str(tmp_path)], "ba")[1:]] == ["cyclegan"]


def test_a_sheet_has_a_column_for_each_run() -> None:
    sheet = script("beside").sheet

    def one(value: float) -> Tensor:
        return torch.full((1, 3, 8, 8), value)

    samples = [{"image": one(-1.0), "target": one(1.0), "name": "x"}]
    picture = sheet(samples, {"grey": lambda image: image + 1, "input again": lambda image: image})
    levels = {colour[0] for _, colour in picture.getcolors(1 << 20)}
    assert {0, 128, 255} <= levels
    assert picture.width > 4 * 96
