import pytest
import torch
from torch.distributions import Normal
from torch.distributions import kl_divergence as expected

from freqgan.losses import kl_divergence


def drawn() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    mean, log_variance = torch.randn(2, 5, 7, generator=generator, dtype=torch.float64)
    return mean, log_variance


def test_it_is_the_mean_divergence_from_the_standard_normal() -> None:
    mean, log_variance = drawn()
    reference = expected(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).mean()
    torch.testing.assert_close(kl_divergence(mean, log_variance), reference)


def test_it_is_zero_for_the_standard_normal_alone() -> None:
    zero = torch.zeros(2, 3)
    assert kl_divergence(zero, zero).item() == 0
    assert kl_divergence(zero + 0.1, zero).item() > 0
    assert kl_divergence(zero, zero + 0.1).item() > 0


def test_its_gradient_leads_to_the_standard_normal() -> None:
    mean, log_variance = (x.requires_grad_() for x in drawn())
    assert torch.autograd.gradcheck(kl_divergence, (mean, log_variance))
    of_mean, of_variance = torch.autograd.grad(kl_divergence(mean, log_variance), (mean, log_variance))
    torch.testing.assert_close(of_mean, mean.detach() / mean.numel())
    assert torch.equal(of_variance.sign(), log_variance.detach().sign())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32(dtype: torch.dtype) -> None:
    mean, log_variance = (x.to(dtype) for x in drawn())
    result = kl_divergence(mean, log_variance)
    assert result.dtype == torch.float32
    torch.testing.assert_close(result, kl_divergence(mean.double(), log_variance.double()).float())


def test_shapes_are_checked() -> None:
    with pytest.raises(TypeError):
        kl_divergence(torch.zeros(2, 3), torch.zeros(2, 4))
