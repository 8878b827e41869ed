"""The vectors that generators start from: noise in training, the target vector at use.

Reference: patent CN112529975A, claims 1, 4, 6 and 7, [0085], [0100]: noise is normal and pairwise orthogonal; at use
the same target vector goes to every generator, or noise to each, and it may be given from outside.
"""

from pathlib import Path
from typing import Literal, final
from zipfile import BadZipFile

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from freqgan.errors import UserError
from freqgan.ops.keyed_random import torch_generator
from freqgan.ops.noise import orthogonal_frame


@final
class TargetVectors:
    """A frame of n vectors of length d per sample, one for each generator.

    Args:
        count: n.
        dim: d.
        noise: the vectors of one sample are pairwise orthogonal, or independent; each is N(0, I) either way.
    """

    def __init__(self, count: int, dim: int, *, noise: Literal["orthogonal", "independent"]) -> None:
        self.count = count
        self.dim = dim
        self.noise = noise
        self._shared = False
        self._given: Tensor | None = None

    def draw(self, generator: torch.Generator, samples: int) -> Float[Tensor, "b n d"]:
        """Noise of `samples` samples."""
        directions, lengths = torch.randn(2, samples, self.dim, self.count, generator=generator)
        return orthogonal_frame(directions, lengths) if self.noise == "orthogonal" else directions.transpose(1, 2)

    def aim(self, target: str) -> None:
        """Chooses what samples are made from.

        Args:
            target: `frame`, noise per generator as in training; `shared`, one noise vector for all of them; or a `.npy`
                file with one vector (d,), one per generator (n, d), or those of several samples (m, n, d), of which
                sample k takes the k-th, round and round.

        Raises:
            UserError: a file that is none, or of another shape.
        """
        self._shared, self._given = target == "shared", None
        if target in ("frame", "shared"):
            return
        try:
            with Path(target).expanduser().open("rb") as file:
                given = torch.from_numpy(np.load(file, allow_pickle=False).astype(np.float32))
        except (OSError, EOFError, BadZipFile, ValueError, TypeError, AttributeError) as error:
            raise UserError(
                f"target={target} is neither frame nor shared nor a .npy file of numbers: {error}"
            ) from error
        n, d = self.count, self.dim
        if tuple(given.shape[-2:]) != (n, d)[-given.dim() :] or not 1 <= given.dim() <= 3 or not len(given):
            raise UserError(
                f"target={target} has the shape {tuple(given.shape)}, wanted ({d},), ({n}, {d}) or (m, {n}, {d})"
            )
        if not bool(given.isfinite().all()):
            raise UserError(f"target={target} holds numbers that are not finite")
        self._given = given if given.dim() == 3 else given.expand(1, n, d)

    def of_samples(self, first: int, count: int, *, seed: int) -> Float[Tensor, "b n d"]:
        """The frames of samples first … first + count, each a function of (seed, number)."""
        if self._given is not None:
            return self._given[torch.arange(first, first + count) % len(self._given)]
        numbers = range(first, first + count)
        frames = torch.cat([self.draw(torch_generator(seed, "sample", number), 1) for number in numbers])
        return frames[:, :1].expand_as(frames) if self._shared else frames
