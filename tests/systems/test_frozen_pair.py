from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from freqgan.errors import UserError
from freqgan.losses import sentence_matching, word_region_matching
from freqgan.runs import RunDirectory, write_checkpoint
from freqgan.systems.frozen_pair import FrozenPair
from freqgan.text import EncoderPair
from tests.systems.small_text import CAPTIONS, pair


def run_of(trained: EncoderPair, path: Path, status: str = "finished") -> RunDirectory:
    """A run with the weights of a pair."""
    run = RunDirectory.at(path)
    run.write_record(status=status)
    ema = {f"ema.module.{name}": value for name, value in trained.state_dict().items()}
    write_checkpoint(path / "checkpoints" / "last.ckpt", {"state_dict": {}, "ema": ema, "clock": {"images_seen": 0}})
    return run


def drawn(purpose: str, make: Any) -> Tensor:
    made: Tensor = make(torch.Generator().manual_seed(len(purpose)), 3)
    return made


def trained() -> EncoderPair:
    built = pair()
    with torch.no_grad():
        for weight in built.parameters():
            weight.add_(0.1)
    return built


def test_it_takes_the_weights_of_a_run(tmp_path: Path) -> None:
    run_of(trained(), tmp_path)
    frozen = FrozenPair(pair(), str(tmp_path))
    frozen.take()
    assert frozen.pair.hash() == trained().hash() != pair().hash()


def test_a_folder_of_runs_stands_for_its_newest_finished_one(tmp_path: Path) -> None:
    run_of(pair(), tmp_path / "2026-01-01_00-00-00")
    run_of(trained(), tmp_path / "2026-01-02_00-00-00")
    run_of(pair(), tmp_path / "2026-01-03_00-00-00", status="failed")
    frozen = FrozenPair(pair(), str(tmp_path))
    frozen.take()
    assert frozen.pair.hash() == trained().hash()


@pytest.mark.parametrize("run", [None, "nowhere"])
def test_no_run_is_refused(run: str | None) -> None:
    with pytest.raises(UserError, match=rf"model\.encoders_run={run} holds no run"):
        FrozenPair(pair(), run).take()


def test_another_pair_is_refused(tmp_path: Path) -> None:
    run_of(trained(), tmp_path)
    with pytest.raises(UserError, match=r"does not fit model\.encoders"):
        FrozenPair(pair(6), str(tmp_path)).take()


def test_it_never_trains() -> None:
    frozen = FrozenPair(pair(), None)
    frozen.train()
    assert not any(module.training for module in frozen.modules())
    first, again = (frozen.pair.encode_text(CAPTIONS).words for _ in range(2))
    assert torch.equal(first, again)  # no dropout
    assert not first.requires_grad


def test_images_take_gradients_and_weights_none() -> None:
    frozen = FrozenPair(pair(), None)
    images = torch.rand(2, 3, 32, 32).requires_grad_()
    said = frozen.read({"image": images, "caption": CAPTIONS[:2]}, drawn)
    terms = frozen.matching(images, said, ("sentence", "words"))
    assert {*terms} == {"sentence", "words"}
    sum(terms.values()).backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0
    assert all(weight.grad is None for weight in frozen.parameters())


def test_it_judges_as_sharply_as_the_pair_was_trained() -> None:
    images, gammas = torch.rand(2, 3, 32, 32), {"gamma1": 2.0, "gamma2": 3.0, "gamma3": 20.0}
    frozen = FrozenPair(pair(**gammas), None)
    said = frozen.read({"image": images, "caption": CAPTIONS[:2]}, drawn)
    found, features = frozen.matching(images, said, ("sentence", "words")), frozen.pair.image_features(images)
    torch.testing.assert_close(found["sentence"], sentence_matching(features.overall, said.text.sentence, gamma3=20.0))
    expected = word_region_matching(features.regions, said.text.words, said.text.mask, **gammas)
    torch.testing.assert_close(found["words"], expected)


def test_captions_of_a_class_are_no_wrong_ones() -> None:
    frozen = FrozenPair(pair(), None)
    allowed = frozen.read({"caption": CAPTIONS[:3], "class": torch.tensor([0, 1, 0])}, drawn).allowed
    assert allowed.tolist() == [[True, True, False], [True, True, True], [False, True, True]]


def test_a_state_of_encoders_with_other_settings_is_refused() -> None:
    state = FrozenPair(pair(), None).state_dict()
    FrozenPair(pair(), None).load_state_dict(state)
    state["pair.settings"] = state["pair.settings"].flip(0)
    with pytest.raises(UserError, match=r"are not those of model\.encoders here"):
        FrozenPair(pair(), None).load_state_dict(state)
