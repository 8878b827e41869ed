from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from freqgan.errors import UserError
from freqgan.features import EfficientNetLite0
from freqgan.metrics import (
    GenerationProtocol,
    NoEvaluation,
    RestorationProtocol,
    RetrievalProtocol,
    TextToImageProtocol,
    TranslationProtocol,
)
from freqgan.systems.measuring import measure_restored, measure_retrieval, measure_samples, measure_translated


def never(*of: Any) -> Tensor:
    raise AssertionError("asked for images")


MEASURES: dict[str, Any] = {
    "generation": lambda protocol, cache: measure_samples(never, protocol, None, "val", cache),
    "restoration": lambda protocol, cache: measure_restored(never, list, protocol, None, "val", cache),
    "retrieval": lambda protocol, cache: measure_retrieval(never, never, list, protocol),
    "translation": lambda protocol, cache: measure_translated(
        {"ab": never}, protocol, None, "val", cache, seed=1, varied=False
    ),
}
PROTOCOLS: dict[str, Any] = {
    "generation": GenerationProtocol(EfficientNetLite0()),
    "restoration": RestorationProtocol(),
    "retrieval": RetrievalProtocol(),
    "text_to_image": TextToImageProtocol(EfficientNetLite0()),
    "translation": TranslationProtocol(),
}


@pytest.mark.parametrize("wanted", MEASURES)
@pytest.mark.parametrize("given", PROTOCOLS)
def test_a_protocol_judges_what_it_is_made_for(given: str, wanted: str, tmp_path: Path) -> None:
    if given != wanted:
        with pytest.raises(UserError, match=rf"^metrics={given} judges .*, this model .*: set metrics={wanted}$"):
            MEASURES[wanted](PROTOCOLS[given], tmp_path)


def test_no_evaluation_asks_for_nothing(tmp_path: Path) -> None:
    for wanted in ("retrieval", "translation"):
        assert MEASURES[wanted](NoEvaluation(), tmp_path) == {}
