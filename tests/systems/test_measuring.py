from pathlib import Path

import pytest
from torch import Tensor

from freqgan.errors import UserError
from freqgan.metrics import RestorationProtocol, RetrievalProtocol
from freqgan.systems.measuring import measure_restored, measure_samples


def test_samples_have_no_originals_to_be_restored(tmp_path: Path) -> None:
    def samples(first: int, count: int) -> Tensor:
        raise AssertionError("asked for samples")

    with pytest.raises(UserError, match=r"samples have none: set metrics=generation"):
        measure_samples(samples, RestorationProtocol(), None, "val", tmp_path)


def test_images_are_not_found_but_made(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"this model makes images: set metrics=generation"):
        measure_samples(lambda first, count: Tensor(), RetrievalProtocol(), None, "val", tmp_path)
    with pytest.raises(UserError, match=r"this model makes images: set metrics=restoration"):
        measure_restored(lambda low: low, list, RetrievalProtocol(), None, "val", tmp_path)
