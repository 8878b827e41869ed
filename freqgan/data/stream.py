"""The training stream: sample k of a run, for any k, on any worker and any rank.

Sample k is `permutation(seed, "order", k // n, n)[k % n]` and what is drawn for it is keyed by (seed, purpose, k), so
the number of images seen is the whole state: a resumed run goes on with exactly the samples it would have had. With r
crops from each image in succession, sample k is of the image that sample k // r would be of.
"""

from collections.abc import Iterator
from itertools import count
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler, get_worker_info

from freqgan.data.base import ImageDataset, Sample
from freqgan.data.stage import Stage
from freqgan.errors import FreqganError, UserError
from freqgan.ops.keyed_random import permutation

Batch = dict[str, Any]  # a tensor or a list for each key of the samples, or a failure alone
FAILURE = "failure"  # of a loading process, on its way to the training process


class TrainingStream(Dataset[Sample]):
    """An endless map-style data set over positions of a run; it has no length.

    A sample has in addition "position" (k) and "index" (in the data set), int64 in a batch.

    Args:
        dataset: the images, prepared.
        seed: of the order and the augmentation.
        augment: changes samples, or None.
        repeats: how many samples in succession are of the same image, which is then read once.
    """

    def __init__(self, dataset: ImageDataset, *, seed: int, augment: Stage | None = None, repeats: int = 1) -> None:
        self.dataset, self.seed, self.augment, self.repeats = dataset, seed, augment, repeats
        self._last: tuple[int, Sample] = -1, {}

    def __getitem__(self, position: int) -> Sample:
        epoch, place = divmod(position // self.repeats, len(self.dataset))
        index = int(permutation(self.seed, "order", epoch, len(self.dataset))[place])
        try:
            if self._last[0] != index:
                sample = self.dataset[index]
                self._last = (index, sample) if self.repeats > 1 else self._last
            else:
                sample = self._last[1]
        except FreqganError as error:
            if get_worker_info() is None:
                raise
            return {FAILURE: error}
        if self.augment is not None:
            sample = self.augment(sample, seed=self.seed, position=position)
        return {**sample, "position": position, "index": index}


class EndlessBatches(Sampler[list[int]]):
    """Positions of one rank's part of each global batch, for ever.

    Rank r of w takes K + r·b … K + (r + 1)·b - 1 of the global batch that starts at K, with b = batch_size /
    w.

    Args:
        images_seen: position of the first global batch.
        batch_size: the global batch.
        rank: of this process.
        world_size: number of processes.

    Raises:
        UserError: the processes cannot share the batch equally.
    """

    def __init__(self, *, images_seen: int, batch_size: int, rank: int = 0, world_size: int = 1) -> None:
        if batch_size % world_size:
            below = batch_size - batch_size % world_size
            fix = f"{below} or {below + world_size}" if below else f"{world_size}"
            raise UserError(
                f"data.batch_size={batch_size} is shared by {world_size} processes: set data.batch_size={fix}"
            )
        self.batch_size, self.local_size = batch_size, batch_size // world_size
        self.first = images_seen + rank * self.local_size

    def __iter__(self) -> Iterator[list[int]]:
        for start in count(self.first, self.batch_size):
            yield list(range(start, start + self.local_size))


def training_loader(stream: TrainingStream, batches: EndlessBatches, *, num_workers: int = 0) -> DataLoader[Sample]:
    """A loader without length that draws nothing from the global generators.

    Args:
        stream: samples by position.
        batches: positions by batch.
        num_workers: worker processes; 0 loads in this one. The batches are the same for any number.
    """
    return DataLoader(
        stream,
        batch_sampler=batches,
        num_workers=num_workers,
        collate_fn=collate,
        generator=torch.Generator(),
        persistent_workers=num_workers > 0,
        pin_memory=torch.cuda.is_available(),
    )


def collate(samples: list[Sample]) -> Batch:
    """Tensors stacked, integers as one int64 tensor, everything else as a list; the first failure stands for all."""
    if failed := [sample for sample in samples if FAILURE in sample]:
        return failed[0]
    return {name: _collated([sample[name] for sample in samples]) for name in samples[0]}


def _collated(values: list[Any]) -> Tensor | list[Any]:
    if isinstance(values[0], Tensor):
        return torch.stack(values)
    return torch.tensor(values) if isinstance(values[0], int) else values
