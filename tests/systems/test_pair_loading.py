"""A trained pair out of the run directory that holds it."""

from pathlib import Path
from typing import Any

import pytest
import torch

from freqgan.errors import UserError
from freqgan.runs import RunDirectory, write_checkpoint
from freqgan.systems.pair_loading import read_pair
from freqgan.text import EncoderPair, LSTMEncoder
from tests.systems.pairs import CAPTIONS, encoder_pair


def trained(seed: int, **settings: Any) -> EncoderPair:
    built = encoder_pair(seed=seed, **settings)
    built.calibrate(CAPTIONS)
    return built


def save(folder: Path, name: str, pair: EncoderPair, *, average: EncoderPair | None = None) -> Path:
    """A checkpoint as runs have them: raw weights, and their average under its own key; an export has none."""
    content: dict[str, Any] = {
        "state_dict": {f"generator.{n}": x for n, x in pair.state_dict().items()},
        "ema": {f"ema.module.{n}": x for n, x in average.state_dict().items()} if average else {},
        "clock": {"images_seen": 0},
    }
    path = RunDirectory.at(folder).path / "checkpoints" / f"{name}.ckpt"
    write_checkpoint(path, content)
    return path


def test_the_averaged_weights_of_the_best_checkpoint_are_taken(tmp_path: Path) -> None:
    last, best = (save(tmp_path, name, trained(1), average=trained(i)) for i, name in ((2, "last"), (3, "best")))
    pair = encoder_pair()
    assert read_pair(pair, tmp_path) == best
    assert pair.hash() == trained(3).hash()
    assert pair.text.encode(["a red ring"]).tokens == [["a", "red", "ring"]]
    best.unlink()
    assert read_pair(pair, str(tmp_path)) == last
    assert pair.hash() == trained(2).hash()


def test_an_export_has_a_pair_too(tmp_path: Path) -> None:
    save(tmp_path, "last", trained(4))
    pair = encoder_pair()
    read_pair(pair, tmp_path)
    assert pair.hash() == trained(4).hash()


def test_what_is_not_there_is_told_with_the_command(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere is not there: .*`freqgan train experiment=image_text_encoder"):
        read_pair(encoder_pair(), tmp_path / "nowhere")
    RunDirectory.at(tmp_path)
    with pytest.raises(UserError, match="there are none yet"):
        read_pair(encoder_pair(), tmp_path)


def test_a_damaged_best_checkpoint_is_not_passed_over(tmp_path: Path) -> None:
    save(tmp_path, "last", trained(1))
    save(tmp_path, "best", trained(1)).write_bytes(b"torn")
    with pytest.raises(UserError, match=r"best\.ckpt is not a whole checkpoint"):
        read_pair(encoder_pair(), tmp_path)


def test_another_model_has_no_pair(tmp_path: Path) -> None:
    content = {"state_dict": {"generator.weight": torch.zeros(1)}, "ema": {}, "clock": {"images_seen": 0}}
    write_checkpoint(RunDirectory.at(tmp_path).path / "checkpoints" / "last.ckpt", content)
    with pytest.raises(UserError, match="holds no encoder pair"):
        read_pair(encoder_pair(), tmp_path)


def test_a_pair_that_was_told_apart_otherwise_is_refused(tmp_path: Path) -> None:
    save(tmp_path, "last", trained(1, gammas={"gamma3": 20.0}))
    with pytest.raises(UserError, match=r"trained with other settings of the same sizes: set model\.encoders to what"):
        read_pair(encoder_pair(), tmp_path)
    read_pair(encoder_pair(gammas={"gamma3": 20.0}), tmp_path)


def test_a_pair_of_other_sizes_or_settings_is_refused_and_leaves_the_weights(tmp_path: Path) -> None:
    save(tmp_path / "words", "last", trained(1, max_words=5))
    torch.manual_seed(0)
    wider = EncoderPair(text=LSTMEncoder(dim=8, embedding_dim=7, vocabulary_size=32), image=encoder_pair().image)
    wider.calibrate(CAPTIONS)
    save(tmp_path / "sizes", "last", wider)
    pair = encoder_pair()
    before = pair.hash()
    with pytest.raises(UserError, match=r"does not fit model\.encoders of this model: \d weights differ"):
        read_pair(pair, tmp_path / "sizes")
    with pytest.raises(UserError, match=r"trained with other settings of the same sizes: set model\.encoders to what"):
        read_pair(pair, tmp_path / "words")
    assert pair.hash() == before
