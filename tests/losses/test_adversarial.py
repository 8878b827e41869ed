from pathlib import Path

import pytest
import torch

from freqgan.losses import BCE, LSGAN, WGANGP, AdversarialLoss, Hinge, NonSaturating, RelativisticAverage
from freqgan.ops.global_batch import rank, world_size
from freqgan.systems.parallel import average_gradients
from tests.forked import on_ranks

# gloo's threads start only in the forked processes.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")

REAL, FAKE = torch.tensor([0.5, -1.0, 2.0]), torch.tensor([0.3, -0.2, -3.0])


def sigmoid(x: torch.Tensor) -> torch.Tensor:
    return 1 / (1 + torch.exp(-x))


REFERENCE = {
    BCE: (
        -(sigmoid(REAL).log().mean() + (1 - sigmoid(FAKE)).log().mean()),
        -sigmoid(FAKE).log().mean(),
    ),
    NonSaturating: (
        torch.log(1 + torch.exp(-REAL)).mean() + torch.log(1 + torch.exp(FAKE)).mean(),
        torch.log(1 + torch.exp(-FAKE)).mean(),
    ),
    Hinge: ((1 - REAL).clamp(min=0).mean() + (1 + FAKE).clamp(min=0).mean(), -FAKE.mean()),
    LSGAN: (0.5 * ((REAL - 1) ** 2).mean() + 0.5 * (FAKE**2).mean(), 0.5 * ((FAKE - 1) ** 2).mean()),
    WGANGP: (FAKE.mean() - REAL.mean(), -FAKE.mean()),
    RelativisticAverage: (
        -sigmoid(REAL - FAKE.mean()).log().mean() - (1 - sigmoid(FAKE - REAL.mean())).log().mean(),
        -(1 - sigmoid(REAL - FAKE.mean())).log().mean() - sigmoid(FAKE - REAL.mean()).log().mean(),
    ),
}


@pytest.mark.parametrize("kind", REFERENCE)
def test_values_equal_the_formulas(kind: type[AdversarialLoss]) -> None:
    discriminator, generator = REFERENCE[kind]
    torch.testing.assert_close(kind().discriminator(REAL, FAKE), discriminator)
    torch.testing.assert_close(kind().generator(FAKE, REAL), generator)


@pytest.mark.parametrize("kind", REFERENCE)
def test_players_pull_logits_of_fakes_apart(kind: type[AdversarialLoss]) -> None:
    fake = torch.zeros(3, requires_grad=True)
    (up,) = torch.autograd.grad(kind().generator(fake, torch.zeros(3)), fake)
    (down,) = torch.autograd.grad(kind().discriminator(torch.zeros(3), fake), fake)
    assert (up < 0).all()
    assert (down > 0).all() or kind is LSGAN  # at logit 0 the least-squares discriminator is already content
    assert (torch.autograd.grad(kind().discriminator(torch.zeros(3), fake + 0.5), fake)[0] > 0).all()


@pytest.mark.parametrize(
    ("kind", "share", "of_high_reals"),
    [
        (NonSaturating, 0.5, 0.5),  # above 0: both real images, and both generated ones
        (LSGAN, 0.5, 0.5),  # above ½ the same
        (RelativisticAverage, 0.5, 1.0),  # above the others' means of 1.5 and 2, one of each
        (WGANGP, 0.5, 1.0),
    ],
)
def test_accuracy_counts_images_on_their_side(kind: type[AdversarialLoss], share: float, of_high_reals: float) -> None:
    real, fake = torch.tensor([3.0, 1.0]), torch.tensor([2.0, 1.0])
    assert kind().accuracy(real, fake).item() == share
    assert kind().accuracy(real + 9, fake).item() == of_high_reals


def test_the_generator_of_least_squares_has_its_factor_or_none() -> None:
    halved, whole = LSGAN().generator(FAKE), LSGAN(half_generator=False).generator(FAKE)
    assert (2 * halved).item() == whole.item() == (FAKE - 1).square().mean().item()


def test_logits_of_least_squares_aim_at_one_and_zero() -> None:
    assert LSGAN().accuracy(torch.tensor([1.0, 0.9]), torch.tensor([0.02, 0.1])).item() == 1


@pytest.mark.parametrize("kind", REFERENCE)
def test_extreme_logits_stay_finite(kind: type[AdversarialLoss]) -> None:
    huge = torch.tensor([1e4, -1e4])
    assert torch.isfinite(kind().discriminator(huge, huge))
    assert torch.isfinite(kind().generator(huge, huge))


def test_saturating_generator_minimises_log_one_minus_d() -> None:
    torch.testing.assert_close(BCE(saturating=True).generator(FAKE), (1 - sigmoid(FAKE)).log().mean())


def test_smoothing_touches_the_real_side_alone() -> None:
    smooth, plain = BCE(real_label=0.9), BCE()
    torch.testing.assert_close(smooth.generator(FAKE), plain.generator(FAKE))
    expected = -(0.9 * sigmoid(REAL).log() + 0.1 * (1 - sigmoid(REAL)).log()).mean()
    actual = smooth.discriminator(REAL, FAKE) - plain.discriminator(REAL, FAKE)
    torch.testing.assert_close(actual, expected + sigmoid(REAL).log().mean())


def test_the_relative_generator_needs_real_logits_and_gives_them_no_gradient() -> None:
    loss, real, fake = RelativisticAverage(), REAL.clone().requires_grad_(), FAKE.clone().requires_grad_()
    loss.generator(fake, real).backward()
    assert real.grad is None
    assert fake.grad is not None
    with pytest.raises(ValueError, match="needs logits of real images"):
        loss.generator(fake)


def test_patch_maps_count_like_their_logits() -> None:
    loss, maps = (
        RelativisticAverage(),
        (REAL.view(3, 1, 1, 1).expand(3, 1, 2, 2), FAKE.view(3, 1, 1, 1).expand(3, 1, 2, 2)),
    )
    torch.testing.assert_close(loss.discriminator(*maps), loss.discriminator(REAL, FAKE))
    torch.testing.assert_close(loss.generator(*maps[::-1]), loss.generator(FAKE, REAL))


def relative_gradients() -> list[list[float]]:
    """Of both losses with respect to a weight that makes all logits, averaged over processes."""
    rows = slice(2 * rank(), 2 * rank() + 2) if world_size() > 1 else slice(None)
    real, fake = torch.tensor([0.5, -1.0, 2.0, 0.1])[rows], torch.tensor([0.3, -0.2, -3.0, 1.0])[rows]
    gradients = []
    for player in ("discriminator", "generator"):
        weight = torch.nn.Parameter(torch.ones(1))
        logits = (real * weight, fake * weight)
        loss = RelativisticAverage()
        (loss.discriminator(*logits) if player == "discriminator" else loss.generator(*logits[::-1])).backward()
        average_gradients([weight])
        assert weight.grad is not None
        gradients.append(weight.grad.tolist())
    return gradients


def test_means_are_those_of_all_processes(tmp_path: Path) -> None:
    together = on_ranks(2, tmp_path, relative_gradients)
    assert together[0] == together[1]
    torch.testing.assert_close(torch.tensor(together[0]), torch.tensor(relative_gradients()))
