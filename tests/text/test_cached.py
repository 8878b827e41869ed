import numpy as np
import pytest
import torch

from freqgan.text import CachedEncoder, LSTMEncoder

CAPTIONS = ["a red circle", "a small blue square below a large ring", "ring", "ring", "an unseen ring"]


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    encoder = LSTMEncoder(dim=8, embedding_dim=6, max_words=9, vocabulary_size=32)
    encoder.calibrate(CAPTIONS[:4])
    return encoder


@pytest.fixture
def cached(encoder, tmp_path):
    return CachedEncoder(encoder, CAPTIONS, cache_dir=tmp_path)


def test_what_is_kept_is_what_is_encoded(encoder, cached):
    kept, fresh = cached.encode(CAPTIONS), cached._encoded(CAPTIONS)
    torch.testing.assert_close(kept.sentence, fresh.sentence, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(kept.words, fresh.words, atol=1e-4, rtol=1e-3)
    assert torch.equal(kept.mask, fresh.mask)
    assert (kept.tokens, kept.unknown) == (fresh.tokens, fresh.unknown)
    assert kept.unknown[4] == ["an", "unseen"]
    torch.testing.assert_close(fresh.words, encoder.eval().encode(CAPTIONS).words, atol=1e-3, rtol=1e-3)
    assert (cached.dim, cached.word_dim, cached.max_words) == (8, 8, 9)


def test_it_is_encoded_once_per_encoder_and_set(encoder, cached, tmp_path, monkeypatch):
    monkeypatch.setattr(LSTMEncoder, "encode", lambda *_: pytest.fail("encoded again"))
    again = CachedEncoder(encoder, reversed(CAPTIONS), cache_dir=tmp_path)
    assert torch.equal(again.encode(CAPTIONS).words, cached.encode(CAPTIONS).words)
    monkeypatch.undo()
    CachedEncoder(encoder, CAPTIONS[:2], cache_dir=tmp_path)
    encoder.calibrate(["other words"])
    CachedEncoder(encoder, CAPTIONS, cache_dir=tmp_path)
    folders = [file.parent for file in (tmp_path / "captions").rglob("words.npy")]
    assert len(folders) == 3
    assert all(np.load(folder / "words.npy").dtype == np.float16 for folder in folders)


def test_captions_that_are_not_kept_are_encoded(cached):
    text = cached.encode([CAPTIONS[0], "a blue ring"])
    assert text.tokens == [["a", "red", "circle"], ["a", "blue", "ring"]]
    assert torch.equal(text.words, text.words.half().float())
    assert len(cached.encode([])) == 0


def test_nothing_is_trained(encoder, cached):
    assert not cached.train().training
    assert not encoder.training
    assert not any(weight.requires_grad for weight in cached.parameters())
    assert cached.hash() != encoder.hash()
