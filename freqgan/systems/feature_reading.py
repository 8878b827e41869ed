"""What a pre-trained network's features of real images do in training; the source names them and leaves their use open.

Reference: patent CN112529975A, [0132]: features of the original image are obtained through VGG19. [0054]: the target
vector may carry features of the wanted image.
"""

from collections.abc import Sequence
from typing import Any, Literal, final

import torch
from jaxtyping import Float
from torch import Tensor

from freqgan.data.single_image import read_image
from freqgan.errors import UserError
from freqgan.features import FeatureNetwork
from freqgan.limits import Count
from freqgan.losses import FeatureStatistics
from freqgan.networks.band_generators import REFERENCES


@final
class FeatureReading:
    """One of four readings.

    - `feature_loss`: the statistics of the synthesised images' features approach those of the real ones', for all band
      generators together; weighted by `model.terms.generator.feature_statistics`.
    - `condition`: generators receive a real image's features beside their noise, and discriminators judge whether a
      band is that image's.
    - `discriminator_input`: discriminators receive the features of the image that a band belongs to.
    - `none`: the network is not even loaded.

    Args:
        network: frozen and pre-trained.
        use: the reading.
        layers: of the feature loss; None for the feature vector.
        condition_dim: length that feature vectors are projected to before networks receive them.
    """

    def __init__(
        self,
        network: FeatureNetwork | None = None,
        *,
        use: Literal["none", "feature_loss", "condition", "discriminator_input"] = "none",
        layers: Sequence[str] | None = None,
        condition_dim: Count = 64,
    ) -> None:
        if network is None and use != "none":
            raise UserError(f"model.features.use={use} needs a network: set model/features=efficientnet_lite0 or vgg19")
        self.network = network
        self.use = use
        self.wanted: Tensor | None = None  # features (1, f) that samples are to have
        self.condition_dim = condition_dim
        self.loss = FeatureStatistics(network, layers=layers) if network is not None and use == "feature_loss" else None

    @property
    def generator_dim(self) -> int:
        """Length of the feature vector that generators receive; 0 for none."""
        return self.network.dim if self.network is not None and self.use == "condition" else 0

    @property
    def discriminator_dim(self) -> int:
        """Length of the feature vector that discriminators receive; 0 for none."""
        receive = self.use in ("condition", "discriminator_input")
        return self.network.dim if self.network is not None and receive else 0

    def of_real(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b f"] | None:
        """Feature vectors of real images in [-1, 1], where a network receives any."""
        with torch.no_grad():
            return self._vectors(images) if self.discriminator_dim else None

    def of_generated(
        self, images: Float[Tensor, "b c h w"], wanted: Float[Tensor, "b f"] | None
    ) -> Float[Tensor, "b f"] | None:
        """What discriminators receive beside generated images: the features that were wanted, or the images' own."""
        return self._vectors(images) if self.use == "discriminator_input" else wanted

    def references(self, data: Any) -> Float[Tensor, "n f"]:
        """Features of training images, evenly drawn, taken round and round if there are too few."""
        found = map(self.of_real, data.evaluation_images("train", limit=REFERENCES))
        known = torch.cat([vectors for vectors in found if vectors is not None])
        return known[torch.arange(REFERENCES) % len(known)]

    def aim(self, reference: str, image_shape: tuple[int, int, int]) -> None:
        """Has samples made with the features of an image file.

        Args:
            reference: its path.
            image_shape: (channels, height, width) of the model's images.

        Raises:
            UserError: the generators receive no features, or the file is no image.
        """
        if not self.generator_dim:
            raise UserError("reference needs a run that was trained with model.features.use=condition")
        with torch.no_grad():
            self.wanted = self._vectors(read_image(reference, image_size=image_shape[1], channels=image_shape[0]))

    def _vectors(self, images: Tensor) -> Tensor:
        assert self.network is not None
        try:
            vectors: Tensor = self.network(images)
        except UserError as error:  # weights that cannot be had
            raise UserError(
                f"model.features.use={self.use}: {error}; or set model/features=efficientnet_lite0"
            ) from error
        return vectors
