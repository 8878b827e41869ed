import io
import logging
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from freqgan.errors import DivergedError, UserError
from freqgan.metrics import GenerationProtocol, NoEvaluation

_FAKE = torch.rand(64, 3, 4, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1
_REAL = torch.rand(50, 3, 4, 4, generator=torch.Generator().manual_seed(1)).square() * 2 - 1


def _generate(start: int, count: int) -> Tensor:
    return _FAKE[start : start + count]


class _Real:
    """Batches of real images, counting how often they are asked for."""

    def __init__(self, images: Tensor = _REAL, batch_size: int = 8) -> None:
        self.images, self.batch_size, self.calls = images, batch_size, 0

    def __call__(self) -> Iterator[Tensor]:
        self.calls += 1
        yield from self.images.split(self.batch_size) if len(self.images) else ()


def _bands(images: Tensor) -> dict[str, Tensor]:
    return {"low": images.mean((2, 3)), "high": images - images.mean((2, 3), keepdim=True)}


@pytest.fixture
def protocol(pixels: Any) -> GenerationProtocol:
    return GenerationProtocol(pixels(48), num_images=40, batch_size=16)


@pytest.fixture
def evaluate(tmp_path: Path) -> Callable[..., dict[str, float]]:
    def run(
        protocol: GenerationProtocol, real: _Real | None = None, fingerprint: str = "set", **options: Any
    ) -> dict[str, float]:
        generate = options.pop("generate", _generate)
        options.setdefault("cache_dir", tmp_path / "cache")
        return protocol.evaluate(generate, real or _Real(), fingerprint=fingerprint, **options)

    return run


def test_names_carry_the_protocol(protocol: GenerationProtocol, evaluate: Any) -> None:
    values = evaluate(protocol, bands=_bands)
    assert protocol.name == "generation_pixels_n40"
    assert list(values) == [
        "fd_pixels_n40",
        "kid_pixels_n40",
        "precision_pixels_n40",
        "recall_pixels_n40",
        "density_pixels_n40",
        "coverage_pixels_n40",
        "spectrum_distance_n40",
        "detail_distance_n40",
        "grey_distance_n40",
        "colour_distance_n40",
        "band_distance_low_n40",
        "band_distance_high_n40",
    ]
    assert all(type(value) is float for value in values.values())
    assert values["fd_pixels_n40"] > 0


def test_unusual_settings_are_named_too(pixels: Any, evaluate: Any) -> None:
    protocol = GenerationProtocol(pixels(48), num_images=40, num_real=20, k=3)
    values = evaluate(protocol)
    assert protocol.name == "generation_pixels_n40_real20_k3"
    assert {"fd_pixels_n40_real20", "recall_pixels_n40_real20_k3", "spectrum_distance_n40_real20"} <= set(values)


def test_the_published_inception_is_called_fid(pixels: Any, evaluate: Any) -> None:
    network = pixels(48)
    network.name, network.frechet_name = "inception", "fid"
    assert next(iter(evaluate(GenerationProtocol(network, num_images=40)))) == "fid_inception_n40"


def test_each_sample_is_asked_for_once_and_seen_once(protocol: GenerationProtocol, evaluate: Any) -> None:
    asked = []

    def generate(start: int, count: int) -> Tensor:
        asked.append((start, count))
        return _generate(start, count)

    evaluate(protocol, generate=generate)
    assert asked == [(0, 1), (0, 16), (16, 16), (32, 8)]  # the first shows the shape
    assert protocol.features.images_seen == 40 + len(_REAL)


def test_real_images_are_measured_once(protocol: GenerationProtocol, evaluate: Any) -> None:
    real = _Real()
    first = evaluate(protocol, real, bands=_bands)
    assert evaluate(protocol, real, bands=_bands) == first
    assert real.calls == 1


def test_another_transform_measures_only_the_bands_anew(protocol: GenerationProtocol, evaluate: Any) -> None:
    real = _Real()
    evaluate(protocol, real, bands=_bands)
    before = protocol.features.images_seen
    values = evaluate(protocol, real, bands=lambda x: {"all": x})
    assert real.calls == 2
    assert protocol.features.images_seen - before == 40, "the network ran over the real images again"
    assert "band_distance_all_n40" in values


def test_the_cache_is_keyed_by_data_weights_size_and_number(pixels: Any, evaluate: Any) -> None:
    real = _Real()
    evaluate(GenerationProtocol(pixels(48), num_images=40), real)
    evaluate(GenerationProtocol(pixels(48), num_images=30), real)
    assert real.calls == 1, "the number of generated images does not concern the real ones"
    evaluate(GenerationProtocol(pixels(48), num_images=40), real, fingerprint="other")
    evaluate(GenerationProtocol(pixels(48), num_images=40, num_real=30), real)
    retrained = pixels(48)
    retrained.version = 2.0
    evaluate(GenerationProtocol(retrained, num_images=40), real)
    assert real.calls == 4
    larger = _Real(_REAL.repeat(1, 1, 2, 2))
    evaluate(
        GenerationProtocol(pixels(192), num_images=40),
        larger,
        generate=lambda i, n: _FAKE.repeat(1, 1, 2, 2)[i : i + n],
    )
    assert larger.calls == 1


def cut(content: bytes) -> bytes:
    return content[:100]


def with_a_flipped_bit(content: bytes) -> bytes:
    """The bytes of an archive, one of them another one in the middle of its largest record."""
    largest = max(zipfile.ZipFile(io.BytesIO(content)).infolist(), key=lambda record: record.file_size)
    name, extra = struct.unpack_from("<HH", content, largest.header_offset + 26)
    place = largest.header_offset + 30 + name + extra + largest.file_size // 2
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


@pytest.mark.parametrize("damage", [cut, with_a_flipped_bit])
@pytest.mark.fault("data", "damaged cache")
def test_a_damaged_cache_is_measured_again_with_a_warning(
    damage: Any, protocol: GenerationProtocol, evaluate: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    real = _Real()
    expected = evaluate(protocol, real)
    for file in (tmp_path / "cache").iterdir():
        file.write_bytes(damage(file.read_bytes()))
    with caplog.at_level(logging.WARNING):
        assert evaluate(protocol, real) == expected
    assert caplog.text.count("is damaged") == 3
    assert evaluate(protocol, real) == expected
    assert real.calls == 2
    assert not list((tmp_path / "cache").glob(".*")), "a temporary file was left behind"


def test_a_cache_that_cannot_be_written_only_warns(
    protocol: GenerationProtocol, evaluate: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    with caplog.at_level(logging.WARNING):
        values = evaluate(protocol, cache_dir=tmp_path / "file" / "cache")
    assert values == evaluate(protocol)
    assert "set paths.cache_dir" in caplog.text


def test_numbers_repeat_whatever_the_global_generator_does(pixels: Any, evaluate: Any) -> None:
    protocol = GenerationProtocol(pixels(48), num_images=40, kid_subset_size=10)
    first = evaluate(protocol, bands=_bands)
    torch.rand(3)
    state = torch.get_rng_state()
    assert evaluate(protocol, bands=_bands) == first
    assert torch.equal(torch.get_rng_state(), state)


def test_images_are_compared_as_a_png_keeps_them(protocol: GenerationProtocol, evaluate: Any) -> None:
    def rounded(start: int, count: int) -> Tensor:
        return ((_generate(start, count) + 1) * 127.5).round() / 127.5 - 1

    assert evaluate(protocol, generate=rounded) == evaluate(protocol)
    assert evaluate(protocol, generate=lambda i, n: rounded(i, n) * 3) == evaluate(
        protocol, generate=lambda i, n: (rounded(i, n) * 3).clamp(-1, 1)
    )


def test_only_the_first_real_images_if_so_wished(pixels: Any, evaluate: Any) -> None:
    some = evaluate(GenerationProtocol(pixels(48), num_images=40, num_real=21))
    same = evaluate(GenerationProtocol(pixels(48), num_images=40), _Real(_REAL[:21]), fingerprint="first 21")
    assert list(some.values()) == list(same.values())


@pytest.mark.parametrize(
    ("real", "message"),
    [
        (_Real(_REAL[:, :1]), "real images are 1×4×4 .* generated ones 3×4×4: set data.image_size"),
        (_Real(_REAL[:4]), "needs 6 real and 6 generated images or more, got 4 and 40"),
        (_Real(_REAL[:0]), "got 0 and 40"),
    ],
)
def test_unfit_real_images_are_the_users_mistake(
    protocol: GenerationProtocol, evaluate: Any, real: _Real, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        evaluate(protocol, real)


@pytest.mark.fault("divergence", "NaN or infinity")
def test_images_that_are_not_finite_are_a_divergence(protocol: GenerationProtocol, evaluate: Any) -> None:
    def generate(start: int, count: int) -> Tensor:
        return _generate(start, count) * (float("nan") if start == 32 else 1)

    with pytest.raises(DivergedError, match="ids 32 to 39 are not finite"):
        evaluate(protocol, generate=generate)


def test_a_generator_that_miscounts_is_an_error(protocol: GenerationProtocol, evaluate: Any) -> None:
    with pytest.raises(ValueError, match="asked for 16 images from 0 on, got 15"):
        evaluate(protocol, generate=lambda i, n: _generate(i, max(n - 1, 1)))


def test_every_impossible_number_is_reported(pixels: Any) -> None:
    with pytest.raises(UserError) as error:
        GenerationProtocol(pixels(48), num_images=3, num_real=0, k=5)
    assert error.value.lines == (
        "metrics.num_images=3 leaves an image no 5 neighbours: set it to 6 or more, or metrics.k lower",
        "metrics.num_real=0 leaves an image no 5 neighbours: set it to 6 or more, or metrics.k lower",
    )


def test_small_exercises_the_same_on_a_few_images(pixels: Any, evaluate: Any) -> None:
    protocol = GenerationProtocol(pixels(48), num_images=10_000, k=7)
    few = evaluate(protocol.small(), bands=_bands)
    assert len(few) == 12
    assert protocol.features.images_seen <= 100


def test_no_evaluation_does_nothing(evaluate: Any) -> None:
    def fails(*args: object) -> Tensor:
        raise AssertionError("asked for images")

    assert evaluate(NoEvaluation(), generate=fails) == {}
    assert NoEvaluation(judge_run="of an experiment").small().name == "none"
