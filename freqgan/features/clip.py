"""CLIP's two towers, by the name of a checkpoint, through the package transformers.

Reference: Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", 2021. No package of
the Python index carries its weights: they are downloaded by name, or read from a folder.
"""

import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor

from freqgan.errors import UserError
from freqgan.features.base import weights_digest

_GREY_OR_COLOUR = (1, 3)


@final
class CLIP:
    """Images and captions to vectors that can be compared; frozen, in float32, and read when first used.

    Args:
        name: on the Hugging Face hub, as openai/clip-vit-base-patch32, or a folder that holds such a checkpoint.

    Raises:
        UserError: the name is empty.
    """

    def __init__(self, name: str) -> None:
        if not name:
            raise UserError("metrics.clip is empty: set it to a name as openai/clip-vit-base-patch32, or to null")
        self.name = name
        self._loaded: tuple[Any, Any, Any] | None = None

    @torch.no_grad()
    def images(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        """Vectors of images in [-1, 1], which are resized as CLIP's authors do.

        Raises:
            UserError: neither 1 nor 3 channels, or no weights.
        """
        network, processor, _ = self._parts()
        levels = ((images.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).expand(-1, 3, -1, -1)
        pixels = processor(images=[*levels.cpu()], return_tensors="pt")["pixel_values"].to(images.device)
        seen = network.to(images.device).vision_model(pixel_values=pixels).pooler_output
        vectors: Tensor = network.visual_projection(seen)
        return vectors

    @torch.no_grad()
    def captions(self, captions: Sequence[str]) -> Float[Tensor, "b d"]:
        """Vectors of captions, cut at the length that CLIP reads.

        Raises:
            UserError: no weights.
        """
        network, _, tokenizer = self._parts()
        most = network.config.text_config.max_position_embeddings
        pieces = tokenizer(list(captions), padding=True, truncation=True, max_length=most, return_tensors="pt")
        read = network.text_model(**pieces.to(network.device)).pooler_output
        vectors: Tensor = network.text_projection(read)
        return vectors

    def weights_hash(self) -> str:
        """SHA-256 of the weights."""
        return weights_digest(self._parts()[0].state_dict())

    def _parts(self) -> tuple[Any, Any, Any]:
        """The network, what makes pixels of images, and what makes pieces of captions."""
        if self._loaded is None:
            self._loaded = _load(self.name)
        return self._loaded


def _load(name: str) -> tuple[Any, Any, Any]:
    if find_spec("transformers") is None:
        raise UserError(f"metrics.clip={name} needs packages: pip install 'freqgan[text]', or set metrics.clip=null")
    import transformers

    transformers.logging.disable_progress_bar()
    # What a fresh network would be filled with is drawn from the global generators.
    with torch.inference_mode(False), torch.random.fork_rng(devices=()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            network = transformers.CLIPModel.from_pretrained(name, dtype=torch.float32, trust_remote_code=False)
            processor = transformers.AutoImageProcessor.from_pretrained(name, trust_remote_code=False)
            tokenizer = transformers.AutoTokenizer.from_pretrained(name, trust_remote_code=False)
        except (OSError, ValueError) as error:
            reason = str(error).splitlines()[0]
            fix = "set it to a folder that holds a CLIP, connect to the network, or set metrics.clip=null"
            raise UserError(f"metrics.clip={name} cannot be read ({reason}): {fix}") from error
    return network.eval().requires_grad_(False), processor, tokenizer
