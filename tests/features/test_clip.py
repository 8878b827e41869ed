"""CLIP's towers, tiny and never trained, with MiniLM's tokenizer."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from freqgan.errors import UserError
from freqgan.features import CLIP, clip
from freqgan.text.pretrained import minilm_folder

CAPTIONS = ["a red ring", "a much longer caption about a blue star above a green square"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import transformers

    folder = tmp_path_factory.mktemp("clip")
    torch.manual_seed(0)
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    text = {**sizes, "vocab_size": 30522, "eos_token_id": 102, "max_position_embeddings": 10}
    vision = {**sizes, "image_size": 32, "patch_size": 16}
    network = transformers.CLIPModel(transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=4))
    network.save_pretrained(folder)
    transformers.AutoTokenizer.from_pretrained(minilm_folder()).save_pretrained(folder)
    transformers.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=32).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def towers(folder: Path) -> CLIP:
    return CLIP(str(folder))


def images(channels: int = 3) -> Tensor:
    return torch.rand(2, channels, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_images_are_normalised_as_published(towers: CLIP) -> None:
    network = towers._parts()[0]
    mean, deviation = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
    levels = ((images() + 1) * 127.5).round() / 255
    pixels = (levels - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(deviation).view(3, 1, 1)
    with torch.no_grad():
        expected = network.get_image_features(pixel_values=pixels).pooler_output
    torch.testing.assert_close(towers.images(images()), expected, rtol=1e-4, atol=1e-5)
    grey = images(1)
    torch.testing.assert_close(towers.images(grey), towers.images(grey.expand(-1, 3, -1, -1)))


def test_captions_are_read_alone_and_cut(towers: CLIP) -> None:
    both = towers.captions(CAPTIONS)
    assert both.shape == (2, 4)
    torch.testing.assert_close(towers.captions(CAPTIONS[:1]), both[:1])
    assert towers.weights_hash() == towers.weights_hash()
    assert not towers._parts()[0].training


def test_reading_it_leaves_the_generators_alone(folder: Path) -> None:
    state = torch.get_rng_state()
    CLIP(str(folder)).captions(["a"])
    assert torch.equal(torch.get_rng_state(), state)


def test_mistakes_name_their_remedies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"metrics\.clip is empty"):
        CLIP("")
    with pytest.raises(UserError, match=r"metrics\.clip=.* cannot be read .*set metrics\.clip=null"):
        CLIP(str(tmp_path)).captions(["a"])
    monkeypatch.setattr(clip, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'freqgan\[text\]'"):
        CLIP("any").images(images())
