"""The training stream: sample k of a run, for any k, on any worker and any rank.

Sample k is `permutation(seed, "order", k // n, n)[k % n]` and what is drawn for it is keyed by (seed, purpose, k), so
the number of images seen is the whole state: a resumed run goes on with exactly the samples it would have had. With r
crops from each image in succession, sample k is of the image that sample k // r would be of. An unpaired draw has its
picture of domain A by the same rule, and that of B by "domain b" in place of "order": neither knows of the other.
"""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler, get_worker_info

from freqgan.data.base import ImageDataset, Sample
from freqgan.data.domains import TwoDomains
from freqgan.data.quarantine import Found, Quarantine, Quarantines
from freqgan.data.stage import Stage
from freqgan.data.watched_loader import WatchedLoader
from freqgan.errors import FreqganError, UserError
from freqgan.ops.keyed_random import key, permutation

Batch = dict[str, Any]  # a tensor or a list for each key of the samples, or a failure alone
Draws = Literal["single", "paired", "unpaired"]  # what a model trains on: samples, pairs, or a picture of each domain
FAILURE = "failure"  # of a loading process, on its way to the training process
FOUND = "found"  # what a loading process has found bad, on the same way


class TrainingStream(Dataset[Sample]):
    """An endless map-style data set over positions of a run; it has no length.

    A sample has in addition "position" (k) and "index" (in the data set), int64 in a batch.

    Args:
        dataset: the images, prepared.
        seed: of the order and the augmentation.
        augment: changes samples, or None.
        repeats: how many samples in succession are of the same image, which is then read once.
        draws: `paired` and `unpaired` ones have "image" of domain A and "image_b" of B; an unpaired one has "index_b"
            too, and each picture is changed by itself.
        quarantines: of what cannot be read; None is one of its own, which raises.

    Raises:
        UserError: the data set has no second domain, or no pairs, and they are wanted.
    """

    def __init__(
        self,
        dataset: ImageDataset,
        *,
        seed: int,
        augment: Stage | None = None,
        repeats: int = 1,
        draws: Draws = "single",
        quarantines: Quarantines | None = None,
    ) -> None:
        if draws not in get_args(Draws):
            raise UserError(f"data.draws={draws} must be one of {', '.join(get_args(Draws))}")
        self.dataset, self.augment, self.repeats = dataset, augment, repeats
        self._parts = tuple(_parts(dataset, draws, seed, quarantines or Quarantines("raise", 0)))
        self._last: dict[str, tuple[int, Sample]] = {}

    def __getitem__(self, position: int) -> Sample:
        drawn: Sample = {}
        try:
            for part in self._parts:
                drawn |= self._drawn(part, position)
        except FreqganError as error:
            if get_worker_info() is None:
                raise
            return {FAILURE: error}
        found = [one for part in self._parts for one in part.quarantine.taken()]
        return {**drawn, "position": position} | ({FOUND: found} if found else {})

    def share(self) -> None:
        """What one loading process finds bad, the others know of."""
        for part in self._parts:
            part.quarantine.share()

    def _drawn(self, part: "_Part", position: int) -> Sample:
        epoch, place = divmod(position // self.repeats, part.length)
        index = int(permutation(part.seed, part.order, epoch, part.length)[place])
        last, sample = self._last.get(part.order, (-1, {}))
        if last != index:
            sample = part.quarantine.read(index, part.read)
            if self.repeats > 1:
                self._last[part.order] = index, sample
        if self.augment is not None:
            sample = self.augment(sample, seed=part.augment_seed, position=position)
        return {**sample, part.name: index}


class _Part(NamedTuple):
    """What is drawn by itself.

    Args:
        order: purpose of its permutation.
        name: of its index in a sample.
        length: how many there are.
        read: the one of an index.
        seed: of the order.
        augment_seed: of the augmentation.
        quarantine: what of them cannot be read.
    """

    order: str
    name: str
    length: int
    read: Callable[[int], Sample]
    seed: int
    augment_seed: int
    quarantine: Quarantine


def refuse_draws(dataset: ImageDataset, draws: Draws) -> None:
    """A data set has the domains and the pairs that are drawn of it; it need not be prepared.

    Raises:
        UserError: it has none.
    """
    name, pairs = type(dataset).__name__, "as data=paired_folders or data=scenes data.source.domain=pair"
    if draws != "single" and not (isinstance(dataset, TwoDomains) and dataset.both):
        raise UserError(f"data.source={name} has one domain, and the model translates: choose a set of two, {pairs}")
    if draws == "paired" and isinstance(dataset, TwoDomains) and not dataset.paired:
        fix = f"choose a set of pairs, {pairs}, or a model that needs none, as model=cyclegan"
        raise UserError(f"data.source={name} has no pairs, and the model learns from pairs: {fix}")


def _parts(dataset: ImageDataset, draws: Draws, seed: int, quarantines: Quarantines) -> Iterator[_Part]:
    """Samples or pairs; or pictures of A, and pictures of B."""
    refuse_draws(dataset, draws)
    if draws == "unpaired" and isinstance(dataset, TwoDomains):
        a, b = dataset.lengths
        in_a, in_b = quarantines.of("train", a), quarantines.of("train of B", b)
        yield _Part("order", "index", a, dataset.domain_a, seed, seed, in_a)
        yield _Part("domain b", "index_b", b, dataset.domain_b, seed, key(seed, "domain b"), in_b)
    else:
        alone = quarantines.of("train", len(dataset))
        yield _Part("order", "index", len(dataset), dataset.__getitem__, seed, seed, alone)


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

    def __init__(self, images_seen: int, *, batch_size: int, rank: int = 0, world_size: int = 1) -> None:
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


def training_loader(
    stream: TrainingStream, batches: EndlessBatches, *, num_workers: int = 0, worker_timeout: int = 600
) -> WatchedLoader:
    """A loader without length that draws nothing from the global generators.

    Args:
        stream: samples by position.
        batches: positions by batch.
        num_workers: worker processes; 0 loads in this one. The batches are the same for any number.
        worker_timeout: seconds after which worker processes that bring no batch are given up.
    """
    if num_workers:
        stream.share()
    return WatchedLoader(
        stream,
        patience=worker_timeout,
        batch_sampler=batches,
        num_workers=num_workers,
        collate_fn=collate,
        generator=torch.Generator(),
        pin_memory=torch.cuda.is_available(),
    )


def collate(samples: list[Sample]) -> Batch:
    """Tensors stacked, integers as one int64 tensor, everything else as a list; the first failure stands for all."""
    if failed := [sample for sample in samples if FAILURE in sample]:
        return failed[0]
    found: list[Found] = [one for sample in samples for one in sample.pop(FOUND, [])]
    batch = {name: _collated([sample[name] for sample in samples]) for name in samples[0]}
    return batch | ({FOUND: found} if found else {})


def _collated(values: list[Any]) -> Tensor | list[Any]:
    if isinstance(values[0], Tensor):
        return torch.stack(values)
    return torch.tensor(values) if isinstance(values[0], int) else values
