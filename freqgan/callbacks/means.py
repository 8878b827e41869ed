"""Means of what steps tell, over steps and processes."""

from collections.abc import Mapping
from typing import Any, final

from torch import Tensor

from freqgan.ops.global_batch import gather_rows, rank, world_size
from freqgan.systems.parallel import averaged


@final
class Means:
    """Adds up scalars by name; where they lie is not changed, so that a GPU is not waited for.

    >>> from torch import tensor
    >>> means = Means()
    >>> means.add({"loss": tensor(1.0)})
    >>> means.add({"loss": tensor(2.0), "penalty": tensor(4.0)})
    >>> means.take()
    {'loss': 1.5, 'penalty': 4.0}
    """

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}
        self._loaded = False  # sums that lie on the CPU

    def __bool__(self) -> bool:
        """Whether there is anything to take."""
        return bool(self._counts)

    def add(self, values: Mapping[str, Tensor]) -> None:
        """The values of one step."""
        if self._loaded and values:
            device = next(iter(values.values())).device
            self._sums, self._loaded = {name: total.to(device) for name, total in self._sums.items()}, False
        for name, value in values.items():
            self._sums[name] = value + self._sums[name] if name in self._sums else value
            self._counts[name] = self._counts.get(name, 0) + 1

    def take(self) -> dict[str, float]:
        """The mean of each over the steps that had it, and over processes; from here on it begins anew."""
        sums, counts = averaged(self._sums), self._counts
        self._sums, self._counts = {}, {}
        return {name: float(total) / counts[name] for name, total in sums.items()}

    def state_dict(self) -> dict[str, Any]:
        """What has been added up, by every process: sums of their means would end in other digits."""
        sums = {name: gather_rows(total.reshape(1)).cpu() for name, total in self._sums.items()}
        return {"sums": sums, "counts": dict(self._counts)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continues from `state_dict`; other processes than those that it is from begin with their mean.

        Raises:
            ValueError: it is none.
        """
        sums, counts = dict(state["sums"]), dict(state["counts"])
        scalars = all(isinstance(x, Tensor) and x.is_floating_point() and x.numel() for x in sums.values())
        whole = all(type(count) is int and count > 0 for count in counts.values())
        if not (scalars and whole and sums.keys() == counts.keys()):
            raise ValueError("sums and counts that are none")
        self._sums = {name: _own(total.reshape(-1)) for name, total in sums.items()}
        self._counts, self._loaded = counts, True


def _own(sums: Tensor) -> Tensor:
    return sums[rank()] if len(sums) == world_size() else sums.mean()
