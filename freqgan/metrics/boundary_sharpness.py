"""How sharp images are where one thing ends and another begins, and elsewhere."""

from typing import NamedTuple

from jaxtyping import Float, Int
from torch import Tensor

from freqgan.metrics.content import gradient_magnitude
from freqgan.ops.color import rgb_to_ycbcr
from freqgan.ops.instances import boundaries, labels_of


class Energies(NamedTuple):
    """Sums of an image's squared gradients.

    Attributes:
        boundary: at pixels beside a boundary of regions.
        touching: of these, those where two instances of one class touch and no boundary of classes is: what labels
            alone do not show.
        elsewhere: at all pixels that are beside none.
    """

    boundary: float
    touching: float
    elsewhere: float


def gradient_energies(image: Float[Tensor, "1 c h w"], regions: Int[Tensor, "1 h w"]) -> Energies:
    """Squared gradients of the luminance, by where they are.

    A gradient is made of the differences to the right and the lower neighbour; the last row and column have none.

    Args:
        image: in [-1, 1].
        regions: a number for each instance, see `freqgan.ops.instances`.

    >>> import torch
    >>> edge = torch.tensor([[-1.0, 1.0, 1.0], [-1.0, 1.0, 1.0]]).view(1, 1, 2, 3)
    >>> gradient_energies(edge, torch.tensor([[[0, 1, 1], [0, 1, 1]]]))
    Energies(boundary=4.0, touching=0.0, elsewhere=0.0)
    """
    luminance = image.float() if image.shape[1] == 1 else rgb_to_ycbcr(image.float())[:, :1]
    squared = gradient_magnitude(luminance).double().square()
    regions = regions.to(image.device)
    beside, of_labels = (boundaries(ids)[..., :-1, :-1] > 0 for ids in (regions, labels_of(regions)))
    return Energies(*(float(squared[place].sum()) for place in (beside, beside & ~of_labels, ~beside)))
