import shutil
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from torch import Tensor, nn
from torch_fidelity import feature_extractor_inceptionv3 as published

from freqgan.errors import UserError
from freqgan.features import InceptionV3FID


@pytest.fixture(scope="module")
def extractor() -> nn.Module:
    """torch-fidelity's network as it comes, with arbitrary weights in place of the released ones."""
    with pytest.MonkeyPatch.context() as patch, torch.random.fork_rng():
        torch.manual_seed(0)
        patch.setattr(published, "load_state_dict_from_url", lambda *args, **kwargs: {})
        patch.setattr(published.FeatureExtractorInceptionV3, "load_state_dict", lambda *args: None)
        return published.FeatureExtractorInceptionV3("inception", ["64", "768", "2048"])


@pytest.fixture(scope="module")
def released(extractor: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("released") / "weights.pth"
    torch.save(extractor.state_dict(), file)
    return file


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the released file is looked for; nothing is there yet, and there is no network."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", _no_network)
    file = tmp_path / "hub" / "checkpoints" / "weights-inception-2015-12-05-6726825d.pth"
    file.parent.mkdir(parents=True)
    return file


def _no_network(*args: object, **kwargs: object) -> None:
    raise URLError("no route to host")


def _images() -> Tensor:
    bytes_ = torch.randint(0, 256, (2, 3, 40, 40), generator=torch.Generator().manual_seed(0))
    return bytes_ / 127.5 - 1


def test_equals_torch_fidelity(extractor: nn.Module, released: Path, cached: Path) -> None:
    shutil.copy(released, cached)
    x = _images()
    with torch.no_grad():
        _, middle, features = extractor(((x + 1) * 127.5).round().to(torch.uint8))
        outputs = InceptionV3FID().extract(x, ["Mixed_6e", "AvgPool"])
    assert features.std() > 0
    torch.testing.assert_close(outputs["AvgPool"], features, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(outputs["Mixed_6e"].mean((2, 3)), middle, rtol=1e-4, atol=1e-5)


def test_downloads_once_and_checks_the_hash(released: Path, cached: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def transport(url: str, dst: str, hash_prefix: str | None, progress: bool) -> None:
        calls.append((url, dst, hash_prefix))
        shutil.copy(released, dst)

    monkeypatch.setattr(torch.hub, "download_url_to_file", transport)
    state = torch.get_rng_state()
    hashes = {InceptionV3FID().weights_hash() for _ in range(2)}
    assert len(hashes) == 1
    assert calls == [(published.URL_INCEPTION_V3, str(cached), "6726825d")]
    assert torch.equal(torch.get_rng_state(), state)


def test_without_a_network_both_ways_out_are_named(cached: Path) -> None:
    with pytest.raises(UserError) as error:
        InceptionV3FID()(_images())
    message = str(error.value)
    assert str(cached) in message
    assert published.URL_INCEPTION_V3 in message
    assert "metrics=generation" in message
    assert "efficientnet_lite0" in message


def test_a_torn_file_is_the_same_clear_error(released: Path, cached: Path) -> None:
    cached.write_bytes(released.read_bytes()[:10_000])
    with pytest.raises(UserError, match="metrics=generation"):
        InceptionV3FID().weights_hash()


def test_a_foreign_file_is_refused(cached: Path) -> None:
    torch.save({"conv.weight": torch.zeros(3)}, cached)
    with pytest.raises(UserError, match="not the published one: delete it"):
        InceptionV3FID().weights_hash()
