"""What judges are asked about real images."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from freqgan.errors import UserError
from freqgan.metrics import CaptionJudge, Verdict, retrieval
from freqgan.metrics.caption_judge import means, on_real
from tests.forked import on_ranks

COUNT = 5


class Parrot(CaptionJudge):
    """Finds in an image the number that its caption says."""

    name = "right"

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    def prepare(self, data: Any, *, cache_dir: Path) -> bool:
        return True

    def identity(self) -> str:
        return "parrot"

    def verdicts(self, images: Tensor, captions: Sequence[str], numbers: Sequence[int]) -> list[Verdict]:
        self.asked += zip(captions, numbers, strict=True)
        said = [int(caption.split()[0]) for caption in captions]
        return [
            {"right": [float(round(float(image.mean() * COUNT)) == number)], "odd": [1.0] if number % 2 else []}
            for image, number in zip(images, said, strict=True)
        ]


def pairs() -> list[dict[str, Any]]:
    return [
        {"image": torch.full((1, 3, 2, 2), n / COUNT), "caption": [[f"{n} first", f"{n} second"]]} for n in range(COUNT)
    ]


def asked(folder: Path, judge: CaptionJudge | None = None) -> dict[str, float]:
    return on_real(judge or Parrot(), pairs, file=folder / "judged.pt", device=torch.device("cpu"))


def test_means_are_over_all_that_was_asked() -> None:
    assert means([{"a": [1.0, 1.0]}, {"a": [0.0]}, {"b": []}, {"b": [2.0]}]) == {"a": pytest.approx(2 / 3), "b": 2.0}


def test_real_images_are_judged_with_their_own_captions_and_with_others(tmp_path: Path) -> None:
    judge = Parrot()
    assert asked(tmp_path, judge) == {"right_real": 1.0, "right_mismatched": 0.0, "odd_real": 1.0}
    assert judge.asked[:3] == [("0 first", 0), ("1 second", 1), ("2 first", 2)]
    assert judge.asked[COUNT:] == [("1 second", 0), ("2 first", 1), ("3 second", 2), ("4 first", 3), ("0 first", 4)]


def test_the_wrong_caption_is_of_another_class_and_of_other_words(tmp_path: Path) -> None:
    def of(classes: Sequence[int], said: Sequence[str]) -> tuple[list[tuple[str, int]], dict[str, float]]:
        samples = [
            {"image": torch.full((1, 3, 2, 2), 0.2), "caption": [[caption]], "class": torch.tensor([number])}
            for number, caption in zip(classes, said, strict=True)
        ]
        judge, folder = Parrot(), tmp_path / "".join(map(str, classes))
        folder.mkdir()
        found = on_real(judge, lambda: samples, file=folder / "judged.pt", device=torch.device("cpu"))
        return judge.asked[len(said) :], found

    said = ["1 a", "1 b", "1 c", "2 a", "1 B"]
    asked_of, found = of([0, 0, 0, 1, 2], said)
    assert asked_of == [("2 a", 0), ("2 a", 1), ("2 a", 2), ("1 B", 3), ("1 a", 4)]
    assert found["right_mismatched"] == pytest.approx(2 / 5)
    assert of([0, 1, 1, 1, 0], said)[0][1] == ("1 a", 1)  # and not “1 B”, which says the same
    asked_of, found = of([0, 0, 0, 0, 0], said)
    assert asked_of == []
    assert {*found} == {"right_real", "odd_real"}


def test_they_are_judged_once(tmp_path: Path) -> None:
    first, judge = asked(tmp_path), Parrot()
    assert asked(tmp_path, judge) == first
    assert judge.asked == []


def test_processes_share_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrieval, "_AT_ONCE", 2)

    def scenario() -> dict[str, float]:
        return asked(tmp_path)

    assert on_ranks(2, tmp_path, scenario) == [{"right_real": 1.0, "right_mismatched": 0.0, "odd_real": 1.0}] * 2


def test_all_captions_are_needed(tmp_path: Path) -> None:
    one = [{"image": torch.zeros(1, 3, 2, 2), "caption": ["0 drawn"]}]
    with pytest.raises(UserError, match="judging needs all captions of every image"):
        on_real(Parrot(), lambda: one, file=tmp_path / "judged.pt", device=torch.device("cpu"))
