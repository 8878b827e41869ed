"""The one DataModule: it splits, checks, loads and converts the images of any source."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import DataLoader

from freqgan.data.base import ImageDataset, OnError, Sample
from freqgan.data.cache import digest
from freqgan.data.captions import captioned
from freqgan.data.domains import Domain, TwoDomains
from freqgan.data.evaluation import chosen, converted, one_by_one
from freqgan.data.quarantine import Quarantines
from freqgan.data.ranges import to_signed_range
from freqgan.data.requirements import named_as_given, refuse_classes, refuse_empty, refuse_unfit, roots_problems
from freqgan.data.splits import Split
from freqgan.data.stage import Stage
from freqgan.data.stream import FAILURE, FOUND, Batch, Draws, EndlessBatches, TrainingStream, training_loader
from freqgan.errors import FreqganError, UserError
from freqgan.limits import Count, Natural, Share


class DataModule(pl.LightningDataModule):
    """Images of one source, for training as an endless stream and for evaluation in the order of the source.

    Whoever resumes a run sets `images_seen` before the training loader is made; nothing else is state.
    Networks, losses and metrics get the images as float32 in [-1, 1], and label and instance maps as int64.

    Args:
        source: makes the data set when called with the facts below, such as a `_partial_` of
            `freqgan.data.OpenMoji`.
        image_size: side of the square images, or of the crops that training makes of them; for sources that have
            rectangles, it may be height and width.
        scale: how many times shorter the sides of "image_low" are, where there is one.
        channels: 1 (grey) or 3 (RGB).
        num_classes: values of the source's label maps, 0 included; None for sources without.
        root: folder or files of the images, for sources that read any.
        low_root: folder of the same images with fewer pixels, for sources that read one.
        root_b: folder of the images of domain B, for sources that read one.
        val_root: the same for the validation images; None takes `val_fraction` of `root` by a hash of the names.
        val_low_root: the low images of `val_root`.
        val_root_b: the images of domain B that belong to `val_root`.
        val_fraction: share of the images that is never trained on.
        batch_size: images per optimiser update over all processes.
        crops_per_image: samples in succession that are of the same image, each with draws of its own.
        num_workers: loading processes per training process; the batches are the same for any number.
        worker_timeout: seconds after which loading processes that bring no batch end the run.
        augment: changes training samples, or None.
        on_error: raise on unreadable files, or skip them: the next good one takes the place.
        max_skipped: more skipped ones than this are an error: a share of a split, or if it is an integer, their number.
        cache_dir: where decoded images are kept.
        seed: of the order and the augmentation.
        draws: what training takes of the source, see `TrainingStream`; a model's own matter, so that it is no setting.
            Fingerprint and evaluation do not depend on it.
    """

    def __init__(
        self,
        *,
        source: Callable[..., ImageDataset],
        image_size: int | tuple[int, int],
        scale: Count = 1,
        channels: int = 3,
        num_classes: Count | None = None,
        root: str | None = None,
        low_root: str | None = None,
        root_b: str | None = None,
        val_root: str | None = None,
        val_low_root: str | None = None,
        val_root_b: str | None = None,
        val_fraction: Share = 0.1,
        batch_size: Count = 64,
        crops_per_image: Count = 1,
        num_workers: Natural = 0,
        worker_timeout: Count = 600,
        augment: Stage | None = None,
        on_error: OnError = "raise",
        max_skipped: int | float = 0.5,
        cache_dir: str | Path = "~/.cache/freqgan",
        seed: Natural = 0,
        draws: Draws = "single",
    ) -> None:
        super().__init__()
        roots = {"val_root": val_root, "low_root": low_root, "val_low_root": val_low_root}
        roots |= {"root_b": root_b, "val_root_b": val_root_b}
        if problems := list(roots_problems(roots)):
            raise UserError(*problems)
        self.source, self.root, self.val_root = source, root, val_root
        self.low_root, self.val_low_root = low_root, val_low_root
        self.root_b, self.val_root_b = root_b, val_root_b
        self.image_size, self.scale, self.channels, self.num_classes = image_size, scale, channels, num_classes
        self.val_fraction, self.on_error, self.cache_dir = val_fraction, on_error, cache_dir
        self.batch_size, self.crops_per_image, self.num_workers = batch_size, crops_per_image, num_workers
        self.augment, self.seed, self.draws, self.worker_timeout = augment, seed, draws, worker_timeout
        self.images_seen = 0
        self.quarantines = Quarantines(on_error, max_skipped)
        self._datasets: dict[Split, ImageDataset] = {}

    def prepare_data(self) -> None:
        """Do the heavy work of the source on one process per machine, before the others start."""
        _ = self.dataset("train"), self.dataset("val")

    def setup(self, stage: str) -> None:
        """Make one training sample here and now: what would fail in a worker fails with a plain message."""
        if stage == "fit":
            self.quarantines.note(self._stream()[self.images_seen].get(FOUND, ()))

    def state_dict(self) -> dict[str, Any]:
        """What was found bad since the run began, so that a resumed one leaves it out too."""
        return {"quarantine": self.quarantines.state()} if self.quarantines.found else {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Leaves out what `state_dict` names."""
        self.quarantines.restore(state_dict["quarantine"])

    def dataset(self, split: Split) -> ImageDataset:
        """A split of the source, prepared; it may be empty.

        Raises:
            UserError: the source cannot be read, or is not what the configuration says.
        """
        if split not in self._datasets:
            with named_as_given(val=split == "val" and self.val_root is not None):
                dataset = self.unprepared(split)
                refuse_classes(dataset, self.num_classes)
                dataset.prepare()
            told = self.trainer is None or self.trainer.is_global_zero
            self.quarantines.prepared(split, dataset, told=told)
            self._datasets[split] = dataset
        return self._datasets[split]

    def unprepared(self, split: Split) -> ImageDataset:
        """A split of the source that nothing has been read of."""
        own = split == "val" and self.val_root is not None
        return self.source(
            root=self.val_root if own else self.root,
            low_root=self.val_low_root if own else self.low_root,
            root_b=self.val_root_b if own else self.root_b,
            split=split if self.val_root is None else "all",
            image_size=self.image_size,
            channels=self.channels,
            val_fraction=self.val_fraction,
            on_error=self.on_error,
            cache_dir=self.cache_dir,
        )

    def sample(self, split: Split, index: int, *, domain: Domain | None = None) -> Sample:
        """The sample of an index, or the one that stands in for it if it cannot be read; of one domain, or whole."""
        dataset, part = self.dataset(split), f"{split} of B" if domain == "b" else split
        length, read = len(dataset), dataset.__getitem__
        if domain is not None and isinstance(dataset, TwoDomains):
            length, read = dataset.lengths[domain == "b"], dataset.domain_a if domain == "a" else dataset.domain_b
        quarantine = self.quarantines.of(part, length)
        sample = quarantine.read(index, read)
        self.quarantines.note(quarantine.taken())
        return sample

    def train_dataset(self) -> ImageDataset:
        """The training images, at least a batch of them; of images to crop, at least one.

        Raises:
            UserError: fewer than that, or images of any size that nothing crops.
        """
        dataset, cropped = self.dataset("train"), self.augment is not None and self.augment.crops
        refuse_unfit(dataset, batch_size=self.batch_size, cropped=cropped)
        return dataset

    def val_dataset(self) -> ImageDataset:
        """The validation images, at least one.

        Raises:
            UserError: the split left none.
        """
        return self._not_empty("val")

    def evaluation_images(
        self, split: Split, *, limit: int | None = None, batch_size: int = 64
    ) -> Iterator[Float[Tensor, "b c h w"]]:
        """Batches of images in [-1, 1], in the order of the data set, without augmentation.

        Args:
            split: what to read; "all" leaves the images of `val_root` out.
            limit: at most so many: the same evenly drawn subset in every run, whatever its seed.
            batch_size: of all batches but the last.
        """
        dataset = self._not_empty(split)
        if dataset.any_size:
            name = type(dataset).__name__
            raise UserError(f"data.source={name} has images of any size, wanted squares: choose data=image_folder")
        indices = chosen(len(dataset), limit)
        for start in range(0, len(indices), batch_size):
            images = [self.sample(split, index)["image"] for index in indices[start : start + batch_size]]
            yield to_signed_range(torch.stack(images))

    def evaluation_pairs(self, split: Split, *, limit: int | None = None) -> Iterator[Batch]:
        """Whole samples one by one, in the order of the data set: what is random in a pair is the same in every run.

        Each is a batch of one, its images in [-1, 1], with "name" (str) and what the source and the stage give:
        "image" (1, c, h, w) at its own size cut to multiples of the scale, and "image_low" (1, c, h / scale,
        w / scale), where pairs are made for super-resolution; "image" and "image_b", where there are two domains;
        "label_map" and "instance_map" int64 (1, h, w), where there are labels.

        Args:
            split: what to read; "all" leaves the images of `val_root` out.
            limit: at most so many, chosen as by `evaluation_images`.
        """
        dataset = self._not_empty(split)
        return one_by_one(partial(self.sample, split), chosen(len(dataset), limit), self.augment)

    def evaluation_domain(
        self, split: Split, domain: Domain, *, limit: int | None = None, targets: bool = False
    ) -> Iterator[Batch]:
        """Pictures of one domain, one by one and in order, each a batch of one with "image" in [-1, 1] and "name".

        Args:
            split: what to read; "all" leaves the images of `val_root` out.
            domain: which one; of the other, nothing is read.
            limit: at most so many, chosen as by `evaluation_images`.
            targets: add the picture of the other domain as "target", where there are pairs.

        Raises:
            UserError: the source has no two domains.
        """
        dataset = self._not_empty(split)
        if not isinstance(dataset, TwoDomains):
            name = type(dataset).__name__
            raise UserError(f"data.source={name} has no two domains: choose data=paired_folders or unpaired_folders")
        own, other = ("image", "image_b") if domain == "a" else ("image_b", "image")
        if targets and dataset.paired:
            for pair in self.evaluation_pairs(split, limit=limit):
                yield {"image": pair[own], "target": pair[other], "name": pair["name"]}
            return
        indices = chosen(dataset.lengths[domain == "b"], limit)
        for sample in one_by_one(partial(self.sample, split, domain=domain), indices, self.augment):
            yield {"image": sample[own], "name": sample[own.replace("image", "name")]}

    def captions(self, split: Split) -> list[list[str]]:
        """All captions of each image, in the order of the data set; no image is read for it.

        Raises:
            UserError: the source has none.
        """
        dataset, rows = captioned(self.dataset(split)), self._readable(split)
        return [dataset.captions(row) for row in rows]

    def classes(self, split: Split) -> list[int] | None:
        """The class of each image that has captions, in the same order, or None; no image is read for it."""
        dataset, rows = captioned(self.dataset(split)), self._readable(split)
        found = [number for row in rows if (number := dataset.class_of(row)) is not None]
        return found if len(found) == len(rows) else None

    def fingerprint(self) -> str:
        """A name for exactly these training and validation samples, wherever they lie, and for how pairs are made."""
        pairing = self.augment.pairing() if self.augment is not None else ""
        parts = [self.dataset("train").fingerprint(), self.dataset("val").fingerprint()]
        return digest(*parts, pairing) if pairing else digest(*parts)

    def train_dataloader(self) -> DataLoader[Sample]:
        """The stream from `images_seen` on, this process's part of it.

        Raises:
            UserError: the number of processes does not divide the batch.
        """
        rank, world_size = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        batches = EndlessBatches(self.images_seen, batch_size=self.batch_size, rank=rank, world_size=world_size)
        workers = {"num_workers": self.num_workers, "worker_timeout": self.worker_timeout}
        return training_loader(self._stream(), batches, **workers)

    def on_before_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Raise what went wrong in a loading process as it is; its own way of telling is a traceback."""
        if isinstance(error := batch.get(FAILURE), FreqganError):
            raise error
        self.quarantines.note(batch.pop(FOUND, ()))
        return batch

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Convert images and maps where the batch is used: bytes are a quarter of the transfer, or an eighth."""
        return converted(batch)

    def _stream(self) -> TrainingStream:
        dataset, repeats = self.train_dataset(), self.crops_per_image
        stage, draws, quarantines = self.augment, self.draws, self.quarantines
        return TrainingStream(
            dataset, seed=self.seed, augment=stage, repeats=repeats, draws=draws, quarantines=quarantines
        )

    def _readable(self, split: Split) -> list[int]:
        quarantine = self.quarantines.of(split, len(self.dataset(split)))
        return [quarantine.stand_in(index) for index in range(len(self.dataset(split)))]

    def _not_empty(self, split: Split) -> ImageDataset:
        dataset = self.dataset(split)
        refuse_empty(dataset, split, self.val_fraction)
        return dataset
