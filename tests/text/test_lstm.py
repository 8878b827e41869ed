import pytest
import torch

from freqgan.errors import UserError
from freqgan.text import END, LSTMEncoder, TextEncoder

CAPTIONS = ["a red circle", "a small blue square below a large red ring", "ring"]


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    encoder = LSTMEncoder(dim=8, embedding_dim=6, max_words=9, vocabulary_size=32)
    encoder.calibrate(CAPTIONS)
    return encoder.eval()


def test_shapes_and_mask(encoder):
    text = encoder.encode(CAPTIONS)
    assert isinstance(encoder, TextEncoder)
    assert (encoder.dim, encoder.word_dim, len(text)) == (8, 8, 3)
    assert text.sentence.shape == (3, 8)
    assert text.words.shape == (3, 9, 8)
    assert text.mask.sum(1).tolist() == [3, 9, 1]
    assert [len(words) for words in text.tokens] == [3, 9, 1]
    assert text.words[~text.mask].abs().max() == 0


def test_published_number_of_weights():
    encoder = LSTMEncoder()
    assert sum(weight.numel() for weight in encoder.lstm.parameters()) == 440_320
    assert encoder.embedding.weight.shape == (8192, 300)
    assert encoder.embedding.weight.abs().max() <= 0.1


def test_sentence_is_the_last_word_forwards_and_the_first_backwards(encoder):
    text = encoder.encode(CAPTIONS)
    for row, words in enumerate(text.tokens):
        assert torch.equal(text.sentence[row, :4], text.words[row, len(words) - 1, :4])
        assert torch.equal(text.sentence[row, 4:], text.words[row, 0, 4:])


def test_value_against_a_loop(encoder):
    words = encoder.vocabulary.numbers()
    embedded = encoder.embedding(torch.tensor([words[word] for word in CAPTIONS[1].split()]))
    outputs, _ = encoder.lstm(embedded[None])
    torch.testing.assert_close(encoder.encode(CAPTIONS).words[1], outputs[0])


def test_neighbours_order_and_padding_change_nothing(encoder):
    together = encoder.encode(CAPTIONS)
    for row, caption in enumerate(CAPTIONS):
        alone = encoder.encode([caption])
        torch.testing.assert_close(alone.sentence[0], together.sentence[row])
        torch.testing.assert_close(alone.words[0], together.words[row, : alone.words.shape[1]])
    turned = encoder.encode(CAPTIONS[::-1])
    torch.testing.assert_close(turned.sentence.flip(0), together.sentence)
    rows = together.rows(torch.tensor([2, 0]))
    assert rows.tokens == [["ring"], ["a", "red", "circle"]]
    assert torch.equal(rows.words, together.words[[2, 0]])


def test_gradient_reaches_the_words_that_are_said(encoder):
    encoder.encode(["red ring"]).words.sum().backward()
    moved = encoder.embedding.weight.grad.abs().sum(1).nonzero().flatten().tolist()
    assert sorted(moved) == sorted(encoder.vocabulary.numbers()[word] for word in ("red", "ring"))


def test_unknown_words_are_left_out_and_named(encoder):
    text = encoder.encode(["a red zebra", "zebra!", ""])
    assert text.tokens == [["a", "red"], [END], [END]]
    assert text.unknown == [["zebra"], ["zebra"], []]
    assert torch.equal(text.sentence[1], text.sentence[2])
    torch.testing.assert_close(text.sentence[0], encoder.encode(["a red"]).sentence[0])


def test_long_captions_keep_their_first_words_or_drawn_ones(encoder, caplog):
    words = CAPTIONS[1].split() + ["circle"] * 3
    assert encoder.encode([" ".join(words)]).tokens == [words[:9]]
    encoder.train()
    torch.manual_seed(3)
    (drawn,) = encoder.encode([" ".join(words)]).tokens
    assert len(drawn) == 9
    assert drawn != words[:9]
    rest = iter(words)
    assert all(word in rest for word in drawn)  # in their order
    encoder.calibrate([" ".join(words), "a"])
    assert "1 of 2 captions have more than 9 words" in caplog.text


def test_no_caption_at_all(encoder):
    text = encoder.encode([])
    assert text.sentence.shape == (0, 8)
    assert text.words.shape == (0, 1, 8)
    assert text.mask.shape == (0, 1)


def test_the_hash_follows_weights_and_words(encoder):
    other = LSTMEncoder(dim=8, embedding_dim=6, max_words=9, vocabulary_size=32)
    other.load_state_dict(encoder.state_dict())
    assert other.hash() == encoder.hash()
    other.calibrate(["other words"])
    assert other.hash() != encoder.hash()


def test_mistakes(encoder, caplog):
    with pytest.raises(UserError, match="dim=7"):
        LSTMEncoder(dim=7)
    with pytest.raises(UserError, match="no vocabulary yet"):
        LSTMEncoder(vocabulary_size=8).encode(["a"])
    LSTMEncoder(dim=8, vocabulary_size=3).calibrate(["a b c d"])
    assert "2 of the rarest words are not learned" in caplog.text
