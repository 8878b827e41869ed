"""The moving average of a generator's weights, which is what is kept (Karras et al. 2018, §F.2)."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from freqgan.lifetime import shielded


@final
class MovingAverage(AveragedModel):
    """Exponential average with a half-life in images, shorter at the beginning (Karras et al. 2020, StyleGAN2).

    Args:
        network: is averaged; its buffers are copied.
        halflife: images after which a weight counts half.
        rampup: the half-life is at most this share of the images seen so far.
    """

    def __init__(self, network: nn.Module, *, halflife: float, rampup: float) -> None:
        super().__init__(network, multi_avg_fn=self._average)
        self.requires_grad_(False)
        self.halflife = halflife
        self.rampup = rampup
        self._share = 1.0

    def restart(self, network: nn.Module) -> None:
        """Forgets: the average is the network as it is now."""
        self.module.load_state_dict(network.state_dict())
        self.n_averaged.zero_()

    def update(self, network: nn.Module, images: int, *, seen: int) -> None:
        """Takes the weights of this moment in.

        Args:
            network: the averaged one.
            images: since the last update.
            seen: in all, before this step.
        """
        halflife = max(min(self.halflife, self.rampup * seen), 1e-8)
        self._share = 1 - 0.5 ** (images / halflife)
        self.update_parameters(network)

    def _average(self, averages: Any, weights: Any, _: Any) -> None:
        torch._foreach_lerp_(list(averages), list(weights), self._share)

    @contextmanager
    def in_place(self, network: nn.Module) -> Iterator[None]:
        """The network has the averages for weights meanwhile, and whatever else holds the network has them too."""
        exchanged = False
        try:
            with shielded():
                self._exchange(network)
                exchanged = True
            yield
        finally:
            with shielded():
                if exchanged:
                    self._exchange(network)

    def _exchange(self, network: nn.Module) -> None:
        for mine, theirs in zip(_tensors(self.module), _tensors(network), strict=True):
            mine.data, theirs.data = theirs.data, mine.data
        # Cast copies of weights that autocast keeps belong to the others now.
        torch.clear_autocast_cache()


def _tensors(network: nn.Module) -> Iterator[Tensor]:
    return chain(network.parameters(), network.buffers())
