"""Networks that do not learn for a while."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def resting(*networks: nn.Module) -> Iterator[None]:
    """In evaluation mode meanwhile; afterwards every module is in the mode that it was in."""
    training = [module for network in networks for module in network.modules() if module.training]
    for network in networks:
        network.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
