"""Kullback–Leibler divergence of a drawn code from the standard normal distribution.

Reference: Zhang et al., "StackGAN", 2017, eq. 2: conditioning augmentation's regulariser. As in the published code of
its successors (StackGAN-v2, AttnGAN) it is the mean over samples and dimensions, in place of the sum over dimensions.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def kl_divergence(mean: Float[Tensor, "b d"], log_variance: Float[Tensor, "b d"]) -> Float[Tensor, ""]:
    """−½ E (1 + log σ² − μ² − σ²), at least 0, in float32 at least.

    Args:
        mean: μ.
        log_variance: log σ².

    >>> kl_divergence(torch.tensor([[2.0, 0.0]]), torch.zeros(1, 2)).item()  # ½ · 2² / 2 dimensions
    1.0
    """
    mean, log_variance = (x.to(torch.promote_types(x.dtype, torch.float32)) for x in (mean, log_variance))
    divergence: Tensor = -(1 + log_variance - mean.square() - log_variance.exp()).mean() / 2
    return divergence
