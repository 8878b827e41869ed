"""How much memory tensors take while something is computed, on any device."""

import weakref
from collections.abc import Callable
from typing import Any, final

from torch import Tensor, UntypedStorage
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def peak_bytes(compute: Callable[[], object]) -> int:
    """The most bytes of tensors made by `compute` that were alive at once; what convolutions work with is left out."""
    live = _Live()
    with live:
        compute()
    return live.peak


@final
class _Live(TorchDispatchMode):
    """Sums the storages of all results from when they appear until they are freed."""

    def __init__(self) -> None:
        super().__init__()
        self.peak = 0
        self._alive: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        given = {storage._cdata for storage in _storages((args, kwargs))}
        for storage in _storages(result):
            if storage._cdata not in given and storage._cdata not in self._alive:
                self._alive[storage._cdata] = storage.nbytes()
                weakref.finalize(storage, self._alive.pop, storage._cdata)
                self.peak = max(self.peak, sum(self._alive.values()))
        return result


def _storages(values: Any) -> list[UntypedStorage]:
    return [value.untyped_storage() for value in tree_leaves(values) if isinstance(value, Tensor)]
