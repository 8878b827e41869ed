"""pix2pixHD's feature encoder (Wang et al. 2018, §3.4): a few numbers for each instance, which say how it looks.

In training they are read off the real image, so that the generator learns to follow them. Afterwards the instances of
the data are sorted into clusters, class by class, and a look for an instance is the centre of a cluster of its class.
"""

from collections.abc import Mapping
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from freqgan.blocks.residual import Norm
from freqgan.limits import Count
from freqgan.networks.global_generator import GlobalGenerator
from freqgan.ops.instances import instance_means


@final
class InstanceEncoder(nn.Module):
    """Image and instances to a map that has the same values all over an instance.

    Args:
        in_channels: of the image.
        num_classes: that instances are of.
        features: numbers for each instance, in [-1, 1].
        clusters: that are kept of each class, at most.
        channels: width at full size; it doubles at every halving.
        halvings: of the size.
        norm: after every convolution but the last.

    Attributes:
        centres: of the clusters (num_classes, clusters, features).
        counts: how many of them each class has (num_classes,); none before `keep`.
    """

    def __init__(
        self,
        *,
        in_channels: Count = 3,
        num_classes: Count = 1,
        features: Count = 3,
        clusters: Count = 10,
        channels: Count = 16,
        halvings: Count = 4,
        norm: Norm = "instance",
    ) -> None:
        super().__init__()
        self.features, self.clusters = features, clusters
        self.network = GlobalGenerator(
            in_channels=in_channels, out_channels=features, channels=channels, halvings=halvings, blocks=0, norm=norm
        )
        self.register_buffer("centres", torch.zeros(num_classes, clusters, features))
        self.register_buffer("counts", torch.zeros(num_classes, dtype=torch.int64))
        self.centres: Tensor
        self.counts: Tensor

    def forward(self, image: Float[Tensor, "b c h w"], regions: Int[Tensor, "b h w"]) -> Float[Tensor, "b f h w"]:
        """The features' means over each instance.

        Args:
            image: in [-1, 1].
            regions: a number for each instance, see `freqgan.ops.instances`.
        """
        return instance_means(self.network(image), regions)

    def keep(self, centres: Mapping[int, Float[Tensor, "k f"]]) -> None:
        """Takes these clusters, by class, in place of those before."""
        self.centres.zero_()
        self.counts.zero_()
        for label, values in centres.items():
            self.centres[label, : len(values)] = values
            self.counts[label] = len(values)

    def look(self, label: int, cluster: int) -> Float[Tensor, "f"]:
        """A cluster's centre, counted round and round; zeros for what is no class, or one without clusters."""
        count = int(self.counts[label]) if label < len(self.counts) else 0
        return self.centres[label, cluster % count] if count else self.centres.new_zeros(self.features)
