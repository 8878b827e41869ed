import pytest
import torch

from freqgan.losses import BCE, LSGAN, WGANGP, AdversarialLoss, Hinge, NonSaturating

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
}


@pytest.mark.parametrize("kind", REFERENCE)
def test_values_equal_the_formulas(kind: type[AdversarialLoss]) -> None:
    discriminator, generator = REFERENCE[kind]
    torch.testing.assert_close(kind().discriminator(REAL, FAKE), discriminator)
    torch.testing.assert_close(kind().generator(FAKE), generator)


@pytest.mark.parametrize("kind", REFERENCE)
def test_players_pull_logits_of_fakes_apart(kind: type[AdversarialLoss]) -> None:
    fake = torch.zeros(3, requires_grad=True)
    (up,) = torch.autograd.grad(kind().generator(fake), fake)
    (down,) = torch.autograd.grad(kind().discriminator(torch.zeros(3), fake), fake)
    assert (up < 0).all()
    assert (down > 0).all() or kind is LSGAN  # at logit 0 the least-squares discriminator is already content
    assert (torch.autograd.grad(kind().discriminator(torch.zeros(3), fake + 0.5), fake)[0] > 0).all()


@pytest.mark.parametrize("kind", REFERENCE)
def test_extreme_logits_stay_finite(kind: type[AdversarialLoss]) -> None:
    huge = torch.tensor([1e4, -1e4])
    assert torch.isfinite(kind().discriminator(huge, huge))
    assert torch.isfinite(kind().generator(huge))


def test_saturating_generator_minimises_log_one_minus_d() -> None:
    torch.testing.assert_close(BCE(saturating=True).generator(FAKE), (1 - sigmoid(FAKE)).log().mean())


def test_smoothing_touches_the_real_side_alone() -> None:
    smooth, plain = BCE(real_label=0.9), BCE()
    torch.testing.assert_close(smooth.generator(FAKE), plain.generator(FAKE))
    expected = -(0.9 * sigmoid(REAL).log() + 0.1 * (1 - sigmoid(REAL)).log()).mean()
    actual = smooth.discriminator(REAL, FAKE) - plain.discriminator(REAL, FAKE)
    torch.testing.assert_close(actual, expected + sigmoid(REAL).log().mean())
