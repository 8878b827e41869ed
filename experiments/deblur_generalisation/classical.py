"""What classical filters gain, each at its best for one degradation and tested on all: a CSV for tables.py.

    python experiments/deblur_generalisation/classical.py --kind people

Unsharp masking, Wiener's filter and Richardson–Lucy deconvolution, of scikit-image. The settings of each are chosen for
each degradation by their mean PSNR on pictures that networks learn from. Deconvolutions are told of a round Gaussian,
which is the truth for `gaussian_blur` and a guess for the others. Borders are mirrored, as the blurs mirror them.
"""

import argparse
import csv
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import torch
from arms import DEGRADATIONS, Test, pairs
from skimage import filters, restoration
from torch import Tensor

from freqgan.data.degradations.blur import gaussian_kernel
from freqgan.metrics.eight_bit import to_levels
from freqgan.metrics.full_reference import psnr
from freqgan.ops.color import studio_luminance

Filter = Callable[[np.ndarray], np.ndarray]  # (h, w, 3) in [0, 1]
Pair = tuple[Tensor, Tensor]  # a degraded picture (1, 3, h, w) in [-1, 1], and the sharp one
FILE = Path("outputs/deblur_generalisation/classical.csv")
MARGIN = 16
SIGMAS = (0.4, 0.8, 1.6, 2.4, 3.2)
TUNED_ON = 200


def unsharp(image: np.ndarray, *, radius: float, amount: float) -> np.ndarray:
    # Plane by plane: with channel_axis=-1 scikit-image 0.26 filters the first rows alone and leaves the others unset.
    return np.stack([filters.unsharp_mask(plane, radius, amount) for plane in np.moveaxis(image, -1, 0)], -1)


def wiener(image: np.ndarray, *, sigma: float, balance: float) -> np.ndarray:
    psf = gaussian_kernel(sigma, sigma, 0.0)
    return np.stack([restoration.wiener(plane, psf, balance) for plane in np.moveaxis(image, -1, 0)], -1)


def richardson_lucy(image: np.ndarray, *, sigma: float, iterations: int) -> np.ndarray:
    psf = gaussian_kernel(sigma, sigma, 0.0)
    planes = np.moveaxis(image, -1, 0)
    return np.stack([restoration.richardson_lucy(plane, psf, num_iter=iterations) for plane in planes], -1)


def choices() -> dict[str, dict[str, Filter]]:
    """Every filter with every setting that is tried."""
    return {
        "unsharp": {
            f"radius={r} amount={a}": partial(unsharp, radius=r, amount=a)
            for r, a in product((1, 2, 3), (0.25, 0.5, 1, 2, 4, 8))
        },
        "wiener": {
            f"sigma={s} balance={b}": partial(wiener, sigma=s, balance=b)
            for s, b in product(SIGMAS, (1e-7, 1e-6, 1e-5, 0.0001, 0.001, 0.01, 0.1))
        },
        "richardson_lucy": {
            f"sigma={s} iterations={n}": partial(richardson_lucy, sigma=s, iterations=n)
            for s, n in product(SIGMAS, (1, 3, 10, 20, 50))
        },
    }


def filtered(image: Tensor, with_filter: Filter) -> Tensor:
    """A picture (1, 3, h, w) in [-1, 1] after a filter."""
    pixels = (image[0].permute(1, 2, 0).double().numpy() + 1) / 2
    mirrored = np.pad(pixels, ((MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)), mode="symmetric")
    made = with_filter(mirrored)[MARGIN:-MARGIN, MARGIN:-MARGIN]
    return torch.from_numpy(made).permute(2, 0, 1)[None].clamp(0, 1).float() * 2 - 1


def gain(of: list[Pair], with_filter: Filter) -> float:
    """Mean PSNR of luminance in dB over that of the degraded pictures, as `freqgan evaluate` measures it."""
    gains = [quality(filtered(degraded, with_filter), sharp) - quality(degraded, sharp) for degraded, sharp in of]
    return sum(gains) / len(gains)


def quality(image: Tensor, target: Tensor) -> float:
    return float(psnr(*(studio_luminance(to_levels(x).double()) for x in (image, target))))


def read_pairs(folder: str, degradation: str, limit: int | None) -> list[Pair]:
    data = pairs(Test(folder, degradation))
    return [(pair["image"], pair["image_b"]) for pair in data.evaluation_pairs("all", limit=limit)]


def rows(kind: str, *, tuned_on: int = TUNED_ON, tested_on: int | None = None) -> Iterator[dict[str, str | float]]:
    """A filter's gain for each degradation that it was set for and each that it is tested on."""
    tests = {name: read_pairs(f"test/{kind}", name, tested_on) for name in DEGRADATIONS}
    for degradation in DEGRADATIONS:
        examples = read_pairs(f"train/{kind}", degradation, tuned_on)
        for name, settings in choices().items():
            best = max(settings, key=lambda text: gain(examples, settings[text]))
            for tested, test in tests.items():
                yield {
                    "filter": name,
                    "set_for": degradation,
                    "settings": best,
                    "tested_on": tested,
                    "gain": gain(test, settings[best]),
                }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kind", default="people", help="of pictures")
    parser.add_argument("--tuned-on", type=int, default=TUNED_ON, help="pictures that settings are chosen by")
    parser.add_argument("--tested-on", type=int, help="pictures of each test; all, if it is not given")
    parser.add_argument("--to", type=Path, default=FILE, help="CSV file")
    given = parser.parse_args()
    found = list(rows(given.kind, tuned_on=given.tuned_on, tested_on=given.tested_on))
    with given.to.open("w", newline="") as file:
        writer = csv.DictWriter(file, found[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(found)


if __name__ == "__main__":
    main()
