"""What evaluations see of two domains, and what training sees beside it."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from freqgan.data import (
    DataModule,
    DomainCrops,
    ImageFolder,
    PairedFolders,
    PhotoFolder,
    Scenes,
    TwoDomains,
    TwoViews,
    UnpairedFolders,
)
from freqgan.data.degradations import GaussianBlur, GaussianNoise, Grey
from freqgan.errors import UserError

SOURCES = (PairedFolders, partial(PairedFolders, fit="whole"), partial(TwoViews, source=ImageFolder))


@pytest.fixture
def make(tmp_path: Path) -> Any:
    for number in range(24):
        for folder, seed in (("a", number), ("b", 100 + number)):
            pixels = np.random.default_rng(seed).integers(0, 256, (20, 26, 3), np.uint8)
            (tmp_path / folder).mkdir(exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / folder / f"{number}.png")

    def make(source: Any, *, degradation: Any = None, **settings: Any) -> DataModule:
        given = {"root": str(tmp_path / "a"), "image_size": 16, "batch_size": 4, "val_fraction": 0.3}
        if getattr(source, "func", source) in (PairedFolders, UnpairedFolders):
            given["root_b"] = str(tmp_path / "b")
        given |= {"cache_dir": tmp_path / "cache"} | settings
        crops = DomainCrops(image_size=given["image_size"], degradation=degradation, flip=True)
        return DataModule(source=source, augment=crops, **given)

    return make


def _bytes(image: torch.Tensor) -> torch.Tensor:
    return ((image + 1) * 127.5).round().byte()


@pytest.mark.parametrize("source", SOURCES)
def test_evaluation_is_the_same_in_every_run(make: Any, source: Any) -> None:
    runs = [make(source, degradation=GaussianNoise(20.0), seed=seed) for seed in (0, 1)]
    pairs = [list(run.evaluation_pairs("val", limit=5)) for run in runs]
    assert [pair["name"] for pair in pairs[0]] == [pair["name"] for pair in pairs[1]]
    assert len(pairs[0]) == 5
    for first, second in zip(*pairs, strict=True):
        for name in ("image", "image_b"):
            assert torch.equal(first[name], second[name])
            assert first[name].shape == (1, 3, *first["image"].shape[2:])
            assert -1 <= first[name].min() < first[name].max() <= 1
        assert not torch.equal(first["image"], first["image_b"])
    assert runs[0].fingerprint() == runs[1].fingerprint()
    assert runs[0].fingerprint() != make(source, degradation=Grey()).fingerprint()


def test_domains_are_evaluated_one_by_one(make: Any) -> None:
    run = make(UnpairedFolders, degradation=Grey())
    seen = {domain: list(run.evaluation_domain("val", domain)) for domain in "ab"}
    assert [len(seen[domain]) for domain in "ab"] == list(run.dataset("val").lengths)
    for domain, pictures in seen.items():
        for picture in pictures:
            assert picture.keys() == {"image", "name"}
            assert picture["image"].shape == (1, 3, 16, 16)
            grey = picture["image"][0, 0] == picture["image"][0, 1]
            assert bool(grey.all()) == (domain == "a")
    assert len(list(run.evaluation_domain("val", "b", limit=2))) == 2
    paired = make(PairedFolders, degradation=Grey())
    for pair, a, b in zip(
        paired.evaluation_pairs("val"),
        paired.evaluation_domain("val", "a"),
        paired.evaluation_domain("val", "b"),
        strict=True,
    ):
        assert torch.equal(pair["image"], a["image"])
        assert torch.equal(pair["image_b"], b["image"])
        assert pair["name"] == a["name"] == b["name"]


@pytest.mark.parametrize("source", [*SOURCES, UnpairedFolders])
def test_a_picture_comes_with_its_target_where_it_has_one(make: Any, source: Any) -> None:
    run = make(source, degradation=GaussianNoise(20.0))
    for domain, other in (("a", "b"), ("b", "a")):
        alone = list(run.evaluation_domain("val", domain, limit=3))
        pictures = list(run.evaluation_domain("val", domain, limit=3, targets=True))
        targets = list(run.evaluation_domain("val", other, limit=3))
        assert len(pictures) == 3
        for picture, same, target in zip(pictures, alone, targets, strict=True):
            assert picture["name"] == same["name"]
            assert torch.equal(picture["image"], same["image"])
            assert ("target" in picture) == (source is not UnpairedFolders)
            assert "target" not in picture or torch.equal(picture["target"], target["image"])


def test_photographs_are_evaluated_whole_and_trained_on_in_crops(make: Any) -> None:
    run = make(partial(TwoViews, source=PhotoFolder), degradation=GaussianBlur(1.0), image_size=(8, 12))
    pair = next(iter(run.evaluation_pairs("val")))
    assert pair["image"].shape == pair["image_b"].shape == (1, 3, 20, 26)
    batch = next(iter(run.train_dataloader()))
    assert batch["image"].shape == batch["image_b"].shape == (4, 3, 8, 12)


@pytest.mark.parametrize("workers", [1, 2])
def test_batches_are_the_same_for_any_workers_and_on_resume(make: Any, workers: int) -> None:
    def batches(count: int, *, images_seen: int = 0, **settings: Any) -> list[dict[str, Any]]:
        run = make(PairedFolders, degradation=GaussianNoise(9.0), **settings)
        run.images_seen = images_seen
        loader = iter(run.train_dataloader())
        return [next(loader) for _ in range(count)]

    whole = batches(6)
    for got, expected in zip(batches(6, num_workers=workers), whole, strict=True):
        assert torch.equal(got["image"], expected["image"])
        assert torch.equal(got["image_b"], expected["image_b"])
    for got, expected in zip(batches(2, images_seen=16), whole[4:], strict=True):
        assert torch.equal(got["image"], expected["image"])


def test_own_folders_for_validation(make: Any, tmp_path: Path) -> None:
    run = make(PairedFolders, val_root=str(tmp_path / "b"), val_root_b=str(tmp_path / "a"))
    assert len(run.dataset("train")) == len(run.dataset("val")) == 24
    for index in range(24):
        train, val = (run.dataset(split)[index] for split in ("train", "val"))
        assert train["name"] == val["name"]
        assert torch.equal(train["image"], val["image_b"])


def test_scenes_offer_both_styles_alone(make: Any) -> None:
    run = make(partial(Scenes, length=60, domain="pair"), root=None, num_classes=9)
    scenes = run.dataset("train")
    assert isinstance(scenes, TwoDomains)
    assert scenes.paired
    for index in (0, 5):
        pair = scenes[index]
        assert torch.equal(scenes.domain_a(index)["image"], pair["image"])
        assert torch.equal(scenes.domain_b(index)["image_b"], pair["image_b"])
        assert scenes.domain_a(index)["name"] == scenes.domain_b(index)["name_b"] == pair["name"]
    alone = make(partial(Scenes, length=60), root=None, num_classes=9).dataset("train")
    assert not alone.paired
    with pytest.raises(UserError, match=r"data\.source\.domain=a is one domain of two: set data\.source\.domain=pair"):
        alone.domain_b(0)


def test_what_is_missing_is_named(make: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"data\.source=ImageFolder has no two domains: choose data=paired_folders or"):
        next(iter(make(ImageFolder).evaluation_domain("val", "a")))
    (tmp_path / "one").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "one" / "x.png")
    few = make(UnpairedFolders, root_b=str(tmp_path / "one"))
    with pytest.raises(UserError, match=r"split=val has no image"):
        few.val_dataset()


def test_a_domain_without_validation_images_is_named(make: Any, tmp_path: Path) -> None:
    (tmp_path / "few").mkdir()
    (tmp_path / "b" / "0.png").rename(tmp_path / "few" / "0.png")
    data = make(UnpairedFolders, root_b=str(tmp_path / "few"), val_fraction=0.3)
    with pytest.raises(UserError, match=r"^split=val has no image of domain B with data\.val_fraction=0\.3: raise it"):
        data.val_dataset()
    assert len(list(data.evaluation_domain("all", "b"))) == 1


def test_folders_of_validation_images_go_by_their_own_names(make: Any, tmp_path: Path) -> None:
    given = {"val_root": str(tmp_path / "a"), "val_root_b": str(tmp_path / "nowhere")}
    for source in (PairedFolders, UnpairedFolders):
        with pytest.raises(UserError, match=r"^data\.val_root_b=.*nowhere is not there, .* exists and has no folder"):
            make(source, **given).prepare_data()
    (tmp_path / "b" / "0.png").write_bytes(b"no image")
    data = make(UnpairedFolders, root_b=str(tmp_path / "a"), val_root=given["val_root"], val_root_b=str(tmp_path / "b"))
    with pytest.raises(UserError, match=r"data\.val_root_b=.* has 1 unreadable among 24 images"):
        data.prepare_data()
    with pytest.raises(UserError, match=r"^data\.root=x is not there"):
        make(ImageFolder, root="x", val_root="y").prepare_data()
