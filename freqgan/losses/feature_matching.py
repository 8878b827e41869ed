"""Feature matching: a generated image should give a discriminator's layers what the real one gives them.

Reference: Wang et al., "High-Resolution Image Synthesis and Semantic Manipulation with Conditional GANs", 2018, eq. 4:
Σ over layers of (1/N_i) · L1 with all layers; the published code leaves the logits out, weights each layer by 4 over
the number of the others, and takes the mean over discriminators, which is what is done here.
"""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Outputs = Sequence[Sequence[Float[Tensor, "b ..."]]]


def feature_matching(
    fake: Outputs, real: Outputs, *, layers: Literal["but_last", "all"] = "but_last"
) -> Float[Tensor, ""]:
    """Mean over discriminators of Σ over layers of 4 / (layers but the last) · E |D_i(fake) − D_i(real)|.

    Args:
        fake: what each layer of each discriminator makes of generated images, the logits last.
        real: the same for the images that they should be; constants.
        layers: all, or all but the logits.

    >>> fake, real = [[torch.tensor([[3.0]]), torch.tensor([[9.0]])]], [[torch.tensor([[1.0]]), torch.tensor([[0.0]])]]
    >>> feature_matching(fake, real).item(), feature_matching(fake, real, layers="all").item()  # 4 · 2, 4 · (2 + 9)
    (8.0, 44.0)
    """
    distances = []
    for of_fake, of_real in zip(fake, real, strict=True):
        hidden = len(of_fake) - 1
        pairs = list(zip(of_fake, of_real, strict=True))[: None if layers == "all" else hidden]
        distances.append(torch.stack([F.l1_loss(x, y.detach()) for x, y in pairs]).sum() * (4 / hidden))
    return torch.stack(distances).mean()
