import warnings

import pytest
import pytorch_lightning as pl

from freqgan.systems.trainer import make_trainer

CPU = {"accelerator": "cpu", "devices": 1}


def test_nothing_of_lightnings_own_stands_beside_a_system(recwarn: pytest.WarningsRecorder) -> None:
    first, second = pl.Callback(), pl.Callback()
    with warnings.catch_warnings():
        trainer = make_trainer(CPU, [first, second])
    assert trainer.loggers == []
    assert trainer.checkpoint_callback is None
    assert trainer.progress_bar_callback is None
    assert [callback for callback in trainer.callbacks if callback in (first, second)] == [first, second]
    assert trainer.max_epochs == -1
    assert not list(recwarn)


def test_more_is_handed_on() -> None:
    with warnings.catch_warnings():
        assert make_trainer(CPU, [], max_steps=3).max_steps == 3
