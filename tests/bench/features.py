"""What an evaluation costs: features per image, against the network as its package runs it; the distances."""

import statistics
from collections.abc import Callable

import torch
from efficientnet_lite_pytorch import EfficientNet

from freqgan.features import EfficientNetLite0, FeatureNetwork
from freqgan.metrics import BandStatisticsDistance, FeatureDistances, SpectrumDistance
from tests.bench.timing import ratios, times

BATCH = 16
IMAGES = 1000

Row = tuple[str, float, str]


@torch.no_grad()
def rows(rounds: int = 7) -> list[Row]:
    """Name, figure, unit; one thread."""
    return [*_networks(rounds), *_distances()]


def _networks(rounds: int) -> list[Row]:
    images = torch.rand(BATCH, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    ours = {"float32": EfficientNetLite0(), "bfloat16": EfficientNetLite0("bfloat16")}
    published = EfficientNet.from_name("efficientnet-lite0").eval()
    candidates: dict[str, Callable[[], object]] = {
        "published": lambda: published.extract_features(ours["float32"].prepare(images)).mean((2, 3)),
        **{f"{precision} features": _features(network, images) for precision, network in ours.items()},
    }
    milliseconds = {
        name: 1000 * statistics.median(seconds) / BATCH for name, seconds in times(candidates, rounds).items()
    }
    of_published = ratios(candidates, "published", rounds)
    return [
        *((f"efficientnet_lite0 {name}", value, "ms/image") for name, value in milliseconds.items()),
        *((f"efficientnet_lite0 {name}", of_published[name], "of published") for name in list(candidates)[1:]),
    ]


def _features(network: FeatureNetwork, images: torch.Tensor) -> Callable[[], object]:
    return lambda: network(images)


def _distances() -> list[Row]:
    """The rest of an evaluation of 1,000 images, once the features are there."""
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(IMAGES, 3, 32, 32, generator=generator) * 2 - 1
    metric = FeatureDistances(EfficientNetLite0())
    metric.real_features = [torch.rand(IMAGES, 1280, generator=generator)]
    metric.fake_features = [torch.rand(IMAGES, 1280, generator=generator)]
    spectrum, bands = SpectrumDistance(32), BandStatisticsDistance(lambda x: {"all": x}, (3, 32, 32))

    def distances() -> None:
        metric._computed = None  # torchmetrics remembers the result otherwise
        metric._update_count = 1
        metric.compute()

    candidates: dict[str, Callable[[], object]] = {
        "feature distances": distances,
        "spectrum": lambda: spectrum.update(images, real=True),
        "bands": lambda: bands.update(images, real=True),
    }
    return [
        (f"evaluation n={IMAGES}, {name}", statistics.median(seconds), "s")
        for name, seconds in times(candidates, rounds=3).items()
    ]
