from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from freqgan.errors import UserError
from freqgan.metrics import Drawn, NoEvaluation, RestorationProtocol, TextToImageProtocol
from freqgan.systems.measuring import measure_restored, measure_samples
from freqgan.systems.text_measuring import measure_imagined
from tests.metrics.conftest import Pixels
from tests.systems.small_text import CAPTIONS, system


def test_a_protocol_of_captions_gets_captions_stages_and_the_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    built, given = system(), {}

    def evaluate(self: Any, draw: Any, data: Any, **rest: Any) -> dict[str, float]:
        given.update(rest)
        drawn: Drawn = draw(1, 3)
        assert drawn.captions == CAPTIONS[1:4]
        assert {stage: images.shape[-1] for stage, images in drawn.stages.items()} == {
            "stage1": 8,
            "stage2": 16,
            "stage3": 32,
        }
        assert drawn.result.equal(built.sample(1, 3, seed=2, weights="raw"))
        return {"seen": 1.0}

    monkeypatch.setattr(TextToImageProtocol, "evaluate", evaluate)
    rest = {"split": "val", "seed": 2, "weights": "raw", "cache_dir": Path("nowhere")}
    assert built.measure(TextToImageProtocol(Pixels(4)), None, **rest) == {"seen": 1.0}  # type: ignore[arg-type]
    assert given["encoders"] == built.encoders.pair.hash()


def test_other_protocols_see_samples(tmp_path: Path) -> None:
    built = system()
    with pytest.raises(UserError, match="set metrics=text_to_image"):
        measure_imagined(lambda first, n: built.imagine(first, n, seed=1), built.encoders.pair, RestorationProtocol(),
                         None, "val", tmp_path)  # fmt: skip

    class Data:
        def fingerprint(self) -> str:
            return "x"

    assert built.measure(NoEvaluation(), Data(), split="val", seed=1, weights="raw", cache_dir=tmp_path) == {}


def test_models_that_read_no_captions_refuse_it(tmp_path: Path) -> None:
    protocol = TextToImageProtocol(Pixels(4))
    with pytest.raises(UserError, match=r"captions, this model draws samples: set metrics=generation"):
        measure_samples(lambda first, count: Tensor(), protocol, None, "val", tmp_path)
    with pytest.raises(UserError, match=r"captions, this model restores images: set metrics=restoration"):
        measure_restored(lambda low: low, list, protocol, None, "val", tmp_path)
