"""The discriminators' tasks and losses, on logits that a test chooses."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from freqgan.losses import BCE, WGANGP, AdversarialLoss, RelativisticAverage, allowed_pairs
from freqgan.systems.text_game import Mismatched, TextGame, Wrong, of_others
from freqgan.systems.text_tasks import Condition, condition_of
from freqgan.text import Altered, Said, Text

BOTH: Any = {"condition": "sentence", "realism": True}
MATCH: Any = {"condition": "sentence", "realism": False}
REAL, FAKE = torch.tensor([2.0, -1.0, 0.5]), torch.tensor([-0.5, 1.0, 3.0])
SENTENCE = torch.tensor([[1.0], [10.0], [100.0]])


class Sum(nn.Module):
    """Realism is the image's number, its match that times the condition's."""

    def __init__(self, realism: bool) -> None:
        super().__init__()
        self.realism = realism

    def forward(self, image: Tensor, *conditions: Tensor) -> Tensor:
        return torch.cat([*([image] if self.realism else []), *(image * c for c in conditions)], 1)


def game(task: Any, loss: AdversarialLoss | None = None, *, mismatched: Mismatched = "none") -> TextGame:
    judges = nn.ModuleDict({"stage2": Sum(task["realism"])})
    return TextGame(judges, {"stage2": task}, loss or BCE(), mismatched=mismatched, altered=1)


def one(numbers: Tensor) -> dict[str, Tensor]:
    return {"stage2": numbers[:, None]}


def rows(wrong: Wrong) -> Any:
    found = wrong.conditions["stage2"]
    assert found is not None
    return found.tolist()


def text(sentence: list[list[float]]) -> Text:
    vectors = torch.tensor(sentence)
    return Text(
        vectors,
        vectors[:, None],
        torch.ones(len(vectors), 1, dtype=torch.bool),
        [["x"]] * len(vectors),
        [[]] * len(vectors),
    )


def up(logits: Tensor) -> Tensor:
    """−E log D."""
    return -F.logsigmoid(logits).mean()


def down(logits: Tensor) -> Tensor:
    """−E log (1 − D)."""
    return -F.logsigmoid(-logits).mean()


def test_two_tasks_are_the_sum_of_two_halved_losses() -> None:
    built = game(BOTH)
    terms, notes = built.discriminator_terms(one(REAL), one(FAKE), {"stage2": SENTENCE})
    c = SENTENCE[:, 0]
    expected = (up(REAL) + down(FAKE)) / 2 + (up(REAL * c) + down(FAKE * c)) / 2
    torch.testing.assert_close(terms["stage2/adversarial"], expected)
    made = built.generator_terms(one(REAL), one(FAKE), {"stage2": SENTENCE})
    torch.testing.assert_close(made["stage2/adversarial"], up(FAKE) / 2 + up(FAKE * c) / 2)
    # Of either task two of three real and one of three generated images are on their side.
    assert notes["discriminator/stage2/accuracy"].item() == pytest.approx((2 / 3 + 1 / 3) / 2)


@pytest.mark.parametrize("task", [MATCH, BOTH], ids=["one task", "two tasks"])
def test_wrong_captions_are_half_of_what_does_not_match(task: Any) -> None:
    wrong = Wrong({"stage2": SENTENCE[[1, 2, 2]]}, torch.tensor([True, True, False]))
    terms, _ = game(task).discriminator_terms(one(REAL), one(FAKE), {"stage2": SENTENCE}, wrong)
    c = SENTENCE[:, 0]
    # The third image has no wrong caption: its generated image stands for all that does not match.
    mismatch = torch.stack([REAL[0] * 10, REAL[1] * 100, FAKE[2] * 100])
    expected = (up(REAL * c) + (down(FAKE * c) + down(mismatch)) / 2) / 2
    expected = expected + ((up(REAL) + down(FAKE)) / 2 if task["realism"] else 0)
    torch.testing.assert_close(terms["stage2/adversarial"], expected)


def test_a_relative_loss_compares_task_by_task() -> None:
    built = game(BOTH, RelativisticAverage())
    c = SENTENCE[:, 0]
    expected = sum((up(x - y.mean()) + down(y - x.mean())) / 2 for x, y in [(REAL, FAKE), (REAL * c, FAKE * c)])
    terms, _ = built.discriminator_terms(one(REAL), one(FAKE), {"stage2": SENTENCE})
    torch.testing.assert_close(terms["stage2/adversarial"], expected)
    fake = FAKE.clone().requires_grad_()
    made = built.generator_terms(one(REAL), one(fake), {"stage2": SENTENCE})["stage2/adversarial"]
    expected = sum((down(x - y.mean()) + up(y - x.mean())) / 2 for x, y in [(REAL, FAKE), (REAL * c, FAKE * c)])
    torch.testing.assert_close(made, expected)
    assert torch.autograd.grad(made, fake)[0].abs().sum() > 0


def test_penalties_are_of_the_image_with_its_own_condition() -> None:
    built = game(MATCH)
    # The gradient of image · condition is the condition.
    value = built.r1_terms(one(REAL), {"stage2": SENTENCE})["stage2/r1"]
    torch.testing.assert_close(value, SENTENCE.square().mean() / 2)
    built.loss.gradient_penalty = 3.0
    mix = {"stage2": torch.full((3,), 0.5)}
    value = built.gradient_penalty_terms(one(REAL), one(FAKE), {"stage2": SENTENCE}, mix)["stage2/gradient_penalty"]
    torch.testing.assert_close(value, 3 * (SENTENCE - 1).square().mean() / 2)


def test_each_task_has_a_penalty_of_its_own() -> None:
    built, conditions = game(BOTH, WGANGP(gradient_penalty=3.0)), {"stage2": -torch.ones(3, 1)}
    # The gradients of realism and match are +1 and -1: that of their mean is 0.
    assert built.r1_terms(one(REAL), conditions)["stage2/r1"].item() == pytest.approx(0.5 + 0.5)
    conditions = {"stage2": torch.full((3, 1), -3.0)}
    terms = built.gradient_penalty_terms(one(REAL), one(FAKE), conditions, {"stage2": torch.full((3,), 0.5)})
    assert terms["stage2/gradient_penalty"].item() == pytest.approx(3 * (0 + 2**2) / 2)


def test_accuracy_compares_logits_of_one_task_with_each_other() -> None:
    # In either task every real image is above every generated one; all logits of the match are below all of realism.
    real, fake = torch.tensor([[11.0], [12.0]]), torch.tensor([[8.0], [9.0]])
    conditions = {"stage2": torch.full((2, 1), 0.01)}
    _, notes = game(BOTH, RelativisticAverage()).discriminator_terms({"stage2": real}, {"stage2": fake}, conditions)
    assert notes["discriminator/stage2/accuracy"] == 1


def test_the_next_other_caption_is_a_wrong_one() -> None:
    captions = ["a ring", "A ring.", "a star", "a heart"]
    conditions = {"stage1": None, "stage2": torch.arange(4)}
    wrong = of_others(conditions, allowed_pairs(captions), 4)
    assert wrong.conditions["stage1"] is None
    assert rows(wrong) == [2, 2, 3, 0]
    assert wrong.found.tolist() == [True] * 4
    assert rows(of_others(conditions, allowed_pairs(captions, torch.tensor([0, 0, 0, 1])), 4)) == [3, 3, 3, 0]
    assert of_others(conditions, allowed_pairs(["a ring"] * 3), 3).found.tolist() == [False] * 3
    assert of_others(conditions, allowed_pairs(["a ring"]), 1).found.tolist() == [False]


def test_altered_captions_are_wrong_ones_where_there_are_any() -> None:
    own, altered = text([[1.0], [2.0]]), text([[3.0], [4.0], [5.0], [6.0]])
    said = Said(own, torch.ones(2, 2, dtype=torch.bool), Altered(altered, torch.tensor([[True, True], [False, True]])))
    built = game(MATCH, mismatched="altered")
    wrong = built.wrong(said, built.conditions(own))
    assert wrong is not None
    assert rows(wrong) == [[3.0], [5.0]]  # the first one of each image
    assert wrong.found.tolist() == [True, False]
    assert game(MATCH).wrong(said, built.conditions(own)) is None
    others = game(MATCH, mismatched="others").wrong(said, built.conditions(own))
    assert others is not None
    assert rows(others) == [[2.0], [1.0]]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("none", None),
        ("sentence", [[7.0, 8.0], [9.0, 10.0]]),
        ("word_mean", [[2.0], [5.0]]),
        ("word_mean_and_sentence", [[2.0, 7.0, 8.0], [5.0, 9.0, 10.0]]),
    ],
)
def test_conditions_leave_padding_out(condition: Condition, expected: list[list[float]] | None) -> None:
    words = torch.tensor([[[1.0], [3.0]], [[5.0], [99.0]]])
    mask = torch.tensor([[True, True], [True, False]])
    text = Text(torch.tensor([[7.0, 8.0], [9.0, 10.0]]), words, mask, [["a", "b"], ["c"]], [[], []])
    vector = condition_of(text, condition)
    assert (vector if vector is None else vector.tolist()) == expected
