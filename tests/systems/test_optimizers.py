from typing import Any

import pytest
import torch

from freqgan.errors import UserError
from freqgan.systems import SGD, Adam, Optimizers, RMSprop


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [("constant", [1, 1, 1, 1]), ("linear_decay", [1, 1, 0.5, 0]), ("cosine", [1, 1, 0.5, 0])],
)
def test_schedules(schedule: str, expected: list[float]) -> None:
    optim = Adam(schedule=schedule, decay_from=0.5)  # type: ignore[arg-type]
    assert [optim.factor(p) for p in (0.0, 0.5, 0.75, 1.0)] == pytest.approx(expected, abs=1e-6)


def test_adam_is_torch_adam() -> None:
    torch.manual_seed(0)
    ours, theirs = (torch.nn.Parameter(torch.ones(5)) for _ in range(2))
    optim = Adam(lr=0.01, betas=(0.5, 0.9))
    a, b = optim.build("generator", [ours]), torch.optim.Adam([theirs], lr=0.01, betas=(0.5, 0.9))
    for _ in range(5):
        gradient = torch.randn(5)
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        a.step(), b.step()
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("optim", [Adam(lr=0.1), Adam(lr=0.1, fused=False), RMSprop(lr=0.1), SGD(lr=0.1)])
def test_a_run_goes_on_in_another_memory_format(optim: Optimizers) -> None:
    torch.manual_seed(0)
    start, gradients = torch.randn(8, 4, 3, 3), torch.randn(4, 8, 4, 3, 3)
    formats = (torch.contiguous_format, torch.channels_last)

    def trained(weight: torch.Tensor, steps: torch.Tensor, layout: torch.memory_format, state: Any) -> Any:
        parameter = torch.nn.Parameter(weight.clone(memory_format=layout))
        optimizer = optim.build("generator", [parameter])
        if state is not None:
            optimizer.load_state_dict(state)
        for gradient in steps:
            parameter.grad = gradient.clone(memory_format=layout)
            optimizer.step()
        return parameter.detach(), optimizer.state_dict()

    whole, _ = trained(start, gradients, formats[0], None)
    for before, after in (formats, formats[::-1]):
        half, state = trained(start, gradients[:2], before, None)
        resumed, _ = trained(half, gradients[2:], after, state)
        torch.testing.assert_close(resumed, whole, rtol=0, atol=1e-6)


@pytest.mark.parametrize("optim", [Adam(lr=0.1), RMSprop(lr=0.1), SGD(lr=0.1)])
def test_todays_settings_win_over_restored_ones(optim: Optimizers) -> None:
    optimizer = optim.build("generator", [torch.nn.Parameter(torch.ones(2))])
    for group in optimizer.param_groups:
        group["lr"] = 7.0
    optim.apply(optimizer, "generator", 0.0)
    assert [group["lr"] for group in optimizer.param_groups] == [0.1]


@pytest.mark.parametrize("kind", [RMSprop, SGD])
def test_settings_of_a_player_are_those_of_the_optimiser(kind: type[Optimizers]) -> None:
    line = rf"optim\.discriminator\.betas is no setting of {kind.__name__}"
    with pytest.raises(UserError, match=line):
        kind(discriminator={"betas": (0.5, 0.9)})  # type: ignore[arg-type, call-arg]
