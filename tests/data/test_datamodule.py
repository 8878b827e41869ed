from functools import partial
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from PIL import Image

import freqgan.data
from freqgan.data import AlignedCrops, Augment, ImageFolder, PhotoFolder, Scenes, to_bytes, to_signed_range
from freqgan.data.datamodule import DataModule
from freqgan.data.degradations import Bicubic, Chain, GaussianNoise
from freqgan.data.stream import EndlessBatches
from freqgan.errors import UserError

CONF = Path(__file__).parents[2] / "conf" / "data"


@pytest.fixture
def scenes(tmp_path):
    def make(length=60, **settings):
        settings = {"image_size": 8, "num_classes": 9, "batch_size": 4, "cache_dir": tmp_path} | settings
        return DataModule(source=partial(Scenes, length=length), **settings)

    return make


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "pictures"
    root.mkdir()
    for i in range(10):
        Image.new("RGB", (8, 8), (i, 0, 0)).save(root / f"{i}.png")

    def make(**settings):
        settings = {
            "root": str(root),
            "image_size": 8,
            "batch_size": 2,
            "cache_dir": tmp_path / "cache",
        } | settings
        return DataModule(source=ImageFolder, **settings)

    return make


class Recorder(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.batches = []

    def training_step(self, batch):
        self.batches.append(batch)

    def configure_optimizers(self):
        return []


def fit(data, steps):
    recorder = Recorder()
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=-1,
        limit_train_batches=None,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        callbacks=[StopAfter(steps)],
    )
    trainer.fit(recorder, datamodule=data)
    return recorder.batches


class StopAfter(pl.Callback):
    def __init__(self, steps):
        self.steps = steps

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        trainer.should_stop = batch_idx + 1 >= self.steps


@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning", "ignore:.*does not have many workers")
def test_lightning_gets_one_endless_epoch_in_the_range_of_networks(scenes):
    whole = fit(scenes(length=20, augment=Augment(horizontal_flip=True)), 12)  # more than two passes
    assert len(whole) == 12
    assert torch.cat([batch["position"] for batch in whole]).tolist() == list(range(48))
    image = whole[0]["image"]
    assert image.dtype == torch.float32
    assert -1 <= image.min() < -0.5 < 0.5 < image.max() <= 1
    assert whole[0]["label_map"].dtype == whole[0]["instance_map"].dtype == torch.int64
    resumed = scenes(length=20, augment=Augment(horizontal_flip=True), num_workers=1)
    resumed.images_seen = 20
    for got, expected in zip(fit(resumed, 3), whole[5:], strict=False):
        assert torch.equal(got["image"], expected["image"])


def test_ranges():
    values = torch.arange(256, dtype=torch.uint8)
    signed = to_signed_range(values)
    assert torch.allclose(signed, values.float() * 2 / 255 - 1)
    assert torch.equal(to_bytes(signed), values)
    assert torch.equal(to_bytes(to_signed_range(values.float() / 255)), values)
    batch = {"image": values[None], "image_b": values[None] / 255, "label_map": values, "caption": [["x"]]}
    batch |= {"instance_map": values.int() * 1000, "position": values}
    converted = DataModule(source=Scenes, image_size=8).on_after_batch_transfer(batch, 0)
    assert torch.allclose(converted["image"], converted["image_b"])
    assert torch.equal(converted["label_map"], values.long())
    assert torch.equal(converted["instance_map"], values.long() * 1000)
    assert (converted["label_map"].dtype, converted["instance_map"].dtype) == (torch.int64, torch.int64)
    assert converted["position"] is values
    assert converted["caption"] == [["x"]]


def test_sides_of_the_split_are_told_by_name(folder):
    data = folder(val_fraction=0.4)
    names = {
        split: {data.dataset(split)[i]["image"][0, 0, 0].item() for i in range(len(data.dataset(split)))}
        for split in ("train", "val")
    }
    assert names["train"] | names["val"] == set(range(10))
    assert not names["train"] & names["val"]
    assert names["val"]


def test_a_validation_folder_leaves_all_of_root_for_training(folder, tmp_path):
    other = tmp_path / "held_out"
    other.mkdir()
    Image.new("RGB", (8, 8), (200, 0, 0)).save(other / "0.png")
    data = folder(val_root=str(other))
    assert len(data.train_dataset()) == len(data.dataset("all")) == 10
    assert data.val_dataset()[0]["image"][0, 0, 0] == 200


def test_evaluation_images_come_in_order_and_a_subset_is_always_the_same(folder):
    def values(seed, **options):
        batches = list(folder(seed=seed).evaluation_images("all", **options))
        return [len(batch) for batch in batches], [
            round(x) for x in ((torch.cat(batches)[:, 0, 0, 0] + 1) * 127.5).tolist()
        ]

    assert values(0, batch_size=4) == ([4, 4, 2], list(range(10)))
    sizes, chosen = values(0, limit=5, batch_size=4)
    assert sizes == [4, 1]
    assert chosen == sorted(set(chosen)) != list(range(5))
    assert values(9, limit=5, batch_size=4)[1] == chosen
    assert values(0, limit=99)[1] == list(range(10))


def test_fingerprint(folder, scenes):
    assert folder().fingerprint() == folder(batch_size=5, seed=3).fingerprint()
    assert len({folder().fingerprint(), folder(val_fraction=0.5).fingerprint(), folder(channels=1).fingerprint()}) == 3


def test_skipped_files_are_logged_once_by_name(folder, tmp_path, caplog):
    (tmp_path / "pictures" / "5_broken.png").write_text("no image")
    with pytest.raises(UserError, match=r"5_broken\.png cannot be read"):
        folder().prepare_data()
    data = folder(on_error="skip", val_fraction=0.0)
    data.prepare_data()
    data.setup("fit")
    data.train_dataset()
    assert caplog.text.count("5_broken.png") == 1
    assert "1 of 11 train images skipped" in caplog.text
    assert [error.name for error in data.train_dataset().skipped] == ["5_broken.png"]


def test_mistakes_are_told_before_the_first_step(folder, scenes, tmp_path):
    with pytest.raises(
        UserError,
        match=r"data\.batch_size=11 is more than the 10 training images: set data\.batch_size=10 or",
    ):
        folder(batch_size=11, val_fraction=0.0).setup("fit")
    with pytest.raises(UserError, match=r"split=val has no image with data\.val_fraction=0\.0"):
        folder(val_fraction=0.0).val_dataset()
    with pytest.raises(UserError, match=r"data\.num_classes=5, Scenes has 9: set data\.num_classes=9"):
        scenes(num_classes=5).prepare_data()
    with pytest.raises(UserError, match=r"data\.num_classes=5, ImageFolder has null"):
        folder(num_classes=5).prepare_data()
    with pytest.raises(UserError, match=r"data\.root is empty"):
        folder(root=None).prepare_data()
    with pytest.raises(UserError, match=r"data\.root=x is not read by Scenes"):
        scenes(root="x").prepare_data()
    with pytest.raises(UserError, match=r"data\.augment\.transforms"):
        scenes(
            num_workers=2,
            augment=Augment(transforms=[lambda sample: sample | {"image": sample["image"][:, 1:]}]),
        ).setup("fit")


def test_an_empty_validation_split_does_not_stop_training(folder):
    data = folder(val_fraction=0.0)
    data.prepare_data()
    data.setup("fit")
    assert len(data.fingerprint()) == 16
    assert next(iter(data.train_dataloader()))["image"].shape == (2, 3, 8, 8)


@pytest.mark.parametrize("name", ["openmoji", "image_folder", "scenes"])
def test_shipped_files_build_without_touching_data(name, tmp_path):
    shipped = OmegaConf.load(CONF / f"{name}.yaml")
    config = OmegaConf.create({"paths": {"cache_dir": str(tmp_path)}, "seed": 7, "data": shipped})
    data = instantiate(config.data)
    assert type(data) is freqgan.data.DataModule
    assert data.seed == 7
    assert not list(tmp_path.iterdir())
    if name == "scenes":
        data.setup("fit")
        assert len(data.train_dataset()) > 10_000


def test_importing_the_package_leaves_lightning_alone():
    import subprocess
    import sys

    code = "import sys, freqgan.data; print('pytorch_lightning' in sys.modules or 'torchvision' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"
    with pytest.raises(AttributeError, match="Nothing"):
        freqgan.data.Nothing  # noqa: B018


@pytest.fixture
def photos(tmp_path):
    root, low = tmp_path / "photos", tmp_path / "low"
    for folder in (root, low):
        folder.mkdir()
    for i in range(7):
        size = (30 + 5 * i, 41 - i)
        pixels = torch.randint(0, 256, (size[1], size[0], 3), generator=torch.Generator().manual_seed(i)).byte()
        picture = Image.fromarray(pixels.numpy())
        picture.save(root / f"{i}.png")
        picture.resize((size[0] // 4, size[1] // 4)).save(low / f"{i}x4.png")

    def make(*, paired=False, **settings):
        settings = {
            "root": str(root),
            "low_root": str(low) if paired else None,
            "image_size": 16,
            "scale": 4,
            "batch_size": 6,
            "val_fraction": 0.0,
            "cache_dir": tmp_path / "cache",
            "augment": AlignedCrops(image_size=16, scale=4, degradation=Chain([Bicubic(4), GaussianNoise(5.0)])),
        } | settings
        return DataModule(source=partial(PhotoFolder, scale=4), **settings)

    return make


@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning", "ignore:.*does not have many workers")
@pytest.mark.parametrize("crops_per_image", [1, 4])
def test_crops_are_the_same_for_any_workers_and_on_resume(photos, crops_per_image):
    settings = {"crops_per_image": crops_per_image, "batch_size": 4}
    whole = fit(photos(**settings), 6)
    assert whole[0]["image"].shape == (4, 3, 16, 16)
    assert whole[0]["image_low"].shape == (4, 3, 4, 4)
    for workers in (1, 2):
        for got, expected in zip(fit(photos(num_workers=workers, **settings), 6), whole, strict=True):
            assert torch.equal(got["image"], expected["image"])
            assert torch.equal(got["image_low"], expected["image_low"])
            assert got["name"] == expected["name"]
    resumed = photos(**settings)
    resumed.images_seen = 12
    for got, expected in zip(fit(resumed, 3), whole[3:], strict=True):
        assert torch.equal(got["image_low"], expected["image_low"])


def test_two_ranks_make_the_crops_of_one(photos):
    data = photos(crops_per_image=3)
    stream = data._stream()

    def crops(rank, world_size):
        batches = iter(EndlessBatches(images_seen=6, batch_size=6, rank=rank, world_size=world_size))
        return [torch.stack([stream[k]["image_low"] for k in next(batches)]) for _ in range(4)]

    for one, first, second in zip(crops(0, 1), crops(0, 2), crops(1, 2), strict=True):
        assert torch.equal(one, torch.cat((first, second)))


def test_several_crops_of_an_image_come_in_succession(photos, monkeypatch):
    data = photos(crops_per_image=3)
    stream, reads = data._stream(), []
    read = PhotoFolder.__getitem__
    monkeypatch.setattr(PhotoFolder, "__getitem__", lambda self, index: reads.append(index) or read(self, index))
    samples = [stream[k] for k in range(2 * 7 * 3)]
    names = [sample["name"] for sample in samples]
    assert names[::3] == names[1::3] == names[2::3]
    assert sorted(names[:21:3]) == sorted(set(names))
    assert len(reads) <= 14
    assert not torch.equal(samples[0]["image"], samples[1]["image"])
    assert photos()._stream()[1]["index"] == stream[3]["index"]


@pytest.mark.parametrize("paired", [False, True])
def test_evaluation_pairs_are_whole_and_the_same_in_every_run(photos, paired):
    first, second = (list(photos(paired=paired, seed=seed).evaluation_pairs("train")) for seed in (1, 2))
    assert [pair["name"] for pair in first] == [f"{i}.png" for i in range(7)]
    for i, (one, other) in enumerate(zip(first, second, strict=True)):
        height, width = (41 - i) // 4, (30 + 5 * i) // 4
        assert one["image"].shape == (1, 3, 4 * height, 4 * width)
        assert one["image_low"].shape == (1, 3, height, width)
        assert one["image_low"].dtype == torch.float32
        assert -1 <= one["image"].min() < -0.9 < 0.9 < one["image"].max() <= 1
        assert torch.equal(one["image_low"], other["image_low"])
    few = [pair["name"] for pair in photos(seed=5).evaluation_pairs("train", limit=3)]
    assert few == sorted(few) == [pair["name"] for pair in photos(seed=6).evaluation_pairs("train", limit=3)]
    assert len(few) == 3


def test_any_source_has_evaluation_pairs(scenes):
    data = scenes(length=30, augment=Augment(horizontal_flip=True), val_fraction=0.5)
    pairs = list(data.evaluation_pairs("val"))
    images = torch.cat(list(data.evaluation_images("val")))
    assert torch.equal(torch.cat([pair["image"] for pair in pairs]), images)
    assert pairs[0]["label_map"].shape == pairs[0]["instance_map"].shape == (1, 8, 8)
    assert pairs[0]["label_map"].dtype == pairs[0]["instance_map"].dtype == torch.int64
    crops = AlignedCrops(image_size=8, scale=2, degradation=Bicubic(2))
    (pair, *_) = scenes(length=30, augment=crops, val_fraction=0.5, scale=2).evaluation_pairs("val")
    assert pair["image_low"].shape == (1, 3, 4, 4)


def test_how_pairs_are_made_is_part_of_the_fingerprint(photos, scenes):
    names = {
        photos(augment=AlignedCrops(image_size=16, scale=4, degradation=d)).fingerprint() for d in (None, Bicubic(4))
    }
    assert len(names | {photos().fingerprint()}) == 3
    assert photos().fingerprint() == photos(seed=3, batch_size=5, crops_per_image=2).fingerprint()
    assert scenes().fingerprint() == scenes(augment=Augment(horizontal_flip=True)).fingerprint()


def test_mistakes_with_photos(photos):
    assert len(photos(batch_size=100).train_dataset()) == 7  # a photo has many crops
    with pytest.raises(UserError, match=r"data\.source=PhotoFolder .* and data\.augment does not crop"):
        photos(augment=None).setup("fit")
    with pytest.raises(UserError, match=r"data\.source=PhotoFolder has images of any size, wanted squares"):
        next(photos().evaluation_images("train"))
    with pytest.raises(UserError, match=r"data\.low_root=.*low, data\.val_root=x and data\.val_low_root=None: "):
        photos(paired=True, val_root="x")
    with pytest.raises(UserError, match=r"data\.root_b=z, data\.val_root=x and data\.val_root_b=None: "):
        photos(root_b="z", val_root="x")
    with pytest.raises(UserError, match=r"data\.val_low_root=y: data\.val_root has low images just if data\.root has"):
        photos(val_low_root="y")


def test_the_validation_folder_has_low_images_of_its_own(photos, tmp_path):
    data = photos(paired=True, val_root=str(tmp_path / "photos"), val_low_root=str(tmp_path / "low"))
    assert data.dataset("val").low_root == tmp_path / "low"
    assert len(data.val_dataset()) == len(data.train_dataset()) == 7
