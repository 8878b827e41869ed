"""Layers that fuse words, or a sentence as the only word, with the features of an image.

`Attention` is AttnGAN's (Xu et al. 2018, eq. 2), `DynamicMemory` DM-GAN's (Zhu et al. 2019, gated writing and gated
response). Both take and return the same shapes, so that either may stand in a stage. Over a single vector attention is
1 everywhere: the vector is repeated at every position, as in StackGAN-v2's stages.

Departure: the published code repeats the mask of padded words query by query over rows that are ordered image by image,
and so hides the words of other captions where lengths differ. Here every image has the mask of its own caption, and a
caption without words adds nothing.
"""

from typing import Literal, final

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

Fusion = Literal["attention", "dynamic_memory"]
Fused = tuple[Float[Tensor, "b 2*c h w"], Float[Tensor, "b t h w"]]


def fusion_layer(fusion: Fusion, text_dim: int, channels: int) -> nn.Module:
    """The layer of that name, for text vectors of a length and features of so many channels."""
    return Attention(text_dim, channels) if fusion == "attention" else DynamicMemory(text_dim, channels)


@final
class Attention(nn.Module):
    """Every position's features, and beside them the mixture of words that it attends to.

    Args:
        text_dim: length of a word's vector.
        channels: of the features.
    """

    def __init__(self, text_dim: int, channels: int) -> None:
        super().__init__()
        self.embed = nn.Linear(text_dim, channels, bias=False)

    def forward(
        self, features: Float[Tensor, "b c h w"], text: Float[Tensor, "b t e"], mask: Bool[Tensor, "b t"]
    ) -> Fused:
        """Features and context as channels, and the attention that each word has at each position.

        Args:
            features: of the image.
            text: a vector per word, padded.
            mask: true for words, false for padding.
        """
        words = self.embed(text).transpose(1, 2)  # (b, c, t)
        context, attention = attend(features, words, words, mask)
        return torch.cat([features, context], 1), attention


@final
class DynamicMemory(nn.Module):
    """A memory written from the words and the image as a whole, read at every position and gated into its features.

    The gated features are returned twice, as in the published network, whose next layer has twice the width.

    Args:
        text_dim: length of a word's vector.
        channels: of the features.
    """

    def __init__(self, text_dim: int, channels: int) -> None:
        super().__init__()
        self.word_gate = nn.Linear(text_dim, 1, bias=False)
        self.image_gate = nn.Linear(channels, 1, bias=False)
        self.write_word = nn.Linear(text_dim, 2 * channels)
        self.write_image = nn.Linear(channels, 2 * channels)
        self.key = nn.Linear(2 * channels, channels)
        self.value = nn.Linear(2 * channels, channels)
        self.response_gate = nn.Conv2d(2 * channels, 1, 1)

    def forward(
        self, features: Float[Tensor, "b c h w"], text: Float[Tensor, "b t e"], mask: Bool[Tensor, "b t"]
    ) -> Fused:
        """Renewed features, twice as channels, and the attention that each word has at each position.

        Args:
            features: of the image.
            text: a vector per word, padded.
            mask: true for words, false for padding.
        """
        image = features.mean((2, 3)).detach()[:, None]  # (b, 1, c); published so: writing does not shape the image
        gate = torch.sigmoid(self.word_gate(text) + self.image_gate(image))  # (b, t, 1)
        memory = gate * F.relu(self.write_word(text)) + (1 - gate) * F.relu(self.write_image(image))
        keys, values = (F.relu(layer(memory)).transpose(1, 2) for layer in (self.key, self.value))  # (b, c, t)
        response, attention = attend(features, keys, values, mask)
        keep = torch.sigmoid(self.response_gate(torch.cat([features, response], 1)))  # (b, 1, h, w)
        renewed = keep * response + (1 - keep) * features
        return torch.cat([renewed, renewed], 1), attention


def attend(
    features: Float[Tensor, "b c h w"],
    keys: Float[Tensor, "b c t"],
    values: Float[Tensor, "b c t"],
    mask: Bool[Tensor, "b t"],
) -> tuple[Float[Tensor, "b c h w"], Float[Tensor, "b t h w"]]:
    """Values mixed at every position by a softmax over the unmasked keys' products with its features, unscaled.

    Returns:
        The mixture, and the weights it is made with: exactly 0 for what is masked, and for a caption of nothing else.
    """
    height, width = features.shape[2:]
    scores = keys.transpose(1, 2) @ features.flatten(2)  # (b, t, h*w)
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    shown = mask[:, :, None]
    weights = scores.masked_fill(~shown, torch.finfo(scores.dtype).min).softmax(1) * shown
    mixture = weights.transpose(1, 2).to(values.dtype) @ values.transpose(1, 2)  # (b, h*w, c), so channels_last
    return mixture.transpose(1, 2).unflatten(2, (height, width)), weights.unflatten(2, (height, width))
