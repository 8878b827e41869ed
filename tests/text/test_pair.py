"""The encoder pair: one space for captions and images, and what it is made of."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch

from freqgan.errors import UserError
from freqgan.networks import ResidualImageEncoder
from freqgan.text import END, EncoderPair, KeptCaptions, LSTMEncoder, PretrainedEncoder
from freqgan.text.cached import CachedEncoder

CAPTIONS = ["a red circle", "a small blue square below a large red ring", "ring"]


def pair(text: Any = None, **settings: Any) -> EncoderPair:
    torch.manual_seed(0)
    text = text or LSTMEncoder(dim=8, embedding_dim=6, max_words=9, vocabulary_size=32)
    built = EncoderPair(text=text, image=ResidualImageEncoder(image_size=16, dim=8, channels=4), **settings)
    built.calibrate(CAPTIONS)
    return built.eval()


@pytest.fixture(scope="module")
def with_minilm() -> EncoderPair:
    return pair(PretrainedEncoder(max_words=9), projected=True)


def images() -> torch.Tensor:
    return torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_captions_and_images_have_vectors_of_one_length() -> None:
    built = pair()
    text, features = built.encode_text(CAPTIONS), built.image_features(images())
    assert (built.dim, built.word_dim, built.max_words) == (8, 8, 9)
    assert text.sentence.shape == (3, 8)
    assert text.words.shape == (3, 9, 8)
    assert (features.overall.shape, features.regions.shape) == ((2, 8), (2, 8, 64))
    own = built.text.encode(CAPTIONS)
    assert torch.equal(text.sentence, own.sentence)
    assert torch.equal(text.words, own.words)


def test_projected_vectors_are_linear_in_the_encoders_rounded_ones(with_minilm: EncoderPair) -> None:
    text, own = with_minilm.encode_text(CAPTIONS), with_minilm.text.encode(CAPTIONS)
    assert with_minilm.project_sentence is not None
    assert with_minilm.project_words is not None
    torch.testing.assert_close(text.sentence, own.sentence.half().float() @ with_minilm.project_sentence.weight.T)
    torch.testing.assert_close(text.words, own.words.half().float() @ with_minilm.project_words.weight.T)
    assert text.words[~text.mask].abs().max() == 0
    assert not any(name.startswith("text.") for name in with_minilm.state_dict())


def test_frozen_vectors_are_the_same_once_they_are_kept(with_minilm: EncoderPair, tmp_path: Path) -> None:
    before, digest, state = with_minilm.encode_text(CAPTIONS), with_minilm.hash(), [*with_minilm.state_dict()]
    with_minilm.keep(CAPTIONS, cache_dir=tmp_path)
    assert isinstance(with_minilm.text, CachedEncoder)
    after = with_minilm.encode_text(CAPTIONS)
    torch.testing.assert_close(after.sentence, before.sentence, rtol=0, atol=1e-6)
    assert after.tokens == before.tokens
    assert with_minilm.hash() == digest
    assert [*with_minilm.state_dict()] == state
    trained = pair()
    trained.keep(CAPTIONS, cache_dir=tmp_path)
    assert isinstance(trained.text, LSTMEncoder)


def test_gradients_reach_both_towers() -> None:
    built = pair()
    features = built.image_features(images())
    loss = built.encode_text(CAPTIONS).sentence.sum() + features.overall.sum() + features.regions.sum()
    loss.backward()
    assert all(weight.grad is not None for weight in built.parameters())


def test_the_hash_follows_weights_and_settings() -> None:
    built, other = pair(), pair()
    assert built.hash() == other.hash()
    assert torch.equal(built.settings, built.digest())
    with torch.no_grad():
        other.image.to_overall.bias += 1
    assert built.hash() != other.hash()
    longer = pair(LSTMEncoder(dim=8, embedding_dim=6, max_words=10, vocabulary_size=32))
    assert not torch.equal(built.settings, longer.settings)


def test_a_pair_is_named_after_its_gammas_unless_they_are_the_published_ones() -> None:
    built = pair()
    settings = f"{built.text.identity()}, {built.image.identity()}, projected False"
    assert bytes(built.digest().tolist()) == hashlib.sha256(settings.encode()).digest()
    assert pair(gamma1=4, gamma2=5, gamma3=10).hash() == built.hash()
    names = [pair(**{f"gamma{n}": 20.0}).hash() for n in (1, 2, 3)]
    assert len({*names, built.hash()}) == 4
    assert pair(gamma3=20).hash() == names[2]


def test_on_the_meta_device_captions_are_as_long_as_they_may_be() -> None:
    with torch.device("meta"):
        built = EncoderPair(text=PretrainedEncoder(), image=ResidualImageEncoder(image_size=16), projected=True)
        text = built.encode_text(["a", "b"])
    assert text.words.shape == (2, 18, 256)
    assert text.words.is_meta
    assert text.tokens == [[END] * 18] * 2


def test_vectors_of_different_lengths_are_refused() -> None:
    text = LSTMEncoder(dim=4, vocabulary_size=8)
    with pytest.raises(UserError, match=r"sentences have 4 numbers, words 4, images 8: set model\.encoders\.projected"):
        EncoderPair(text=text, image=ResidualImageEncoder(image_size=16, dim=8))


def test_kept_captions_are_part_of_the_state() -> None:
    kept = KeptCaptions(3)
    assert kept.read() == []
    kept.keep(["a ring", "ein Flügelrad", "", "one too many"])
    assert kept.read() == ["a ring", "ein Flügelrad"]
    other = KeptCaptions(5)
    other.load_state_dict(kept.state_dict())
    assert other.read() == kept.read()
