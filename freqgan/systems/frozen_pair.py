"""A trained pair of encoders beside a GAN: it reads the captions, and says how well images match them.

Reference: patent CN113781598B, [0061], [0082]–[0089], [0101]–[0114]: the same text encoder serves the generator, the
discriminators and the matching; "CLIP_FT" is read as a pair fine-tuned on the data set, frozen while the GAN trains.
"""

from collections.abc import Collection
from typing import Any, final

from jaxtyping import Float
from torch import Tensor, nn

from freqgan.errors import UserError
from freqgan.runs.directory import newest_run
from freqgan.systems.caption_reading import CaptionReader, Draw
from freqgan.systems.pair_loading import read_pair
from freqgan.systems.rules import Batch, Terms
from freqgan.text import EncoderPair, Said

ALONE = "a batch of one image and its caption has no others that they could be told from"


@final
class FrozenPair(nn.Module):
    """The pair, always in evaluation mode and without gradients of its own.

    Its weights are part of the state, so that samples need no other run. What else it hangs on, such as a frozen
    Transformer, is compared with what it was, whenever a state is loaded.

    Args:
        pair: as its config builds it, with any weights.
        run: the run that trained it, or a folder of such runs, whose newest finished one counts; None is refused by
            `take`.
        altered: how many wrong captions are made of each one (`freqgan.systems.caption_reading.CaptionReader`).
    """

    def __init__(self, pair: EncoderPair, run: str | None, altered: int = 0) -> None:
        super().__init__()
        self.pair = pair.requires_grad_(False)
        self.run = run
        self.reader = CaptionReader(altered)
        self.train(False)
        self.register_load_state_dict_post_hook(_refuse_others)

    def train(self, mode: bool = True) -> "FrozenPair":
        """Stays in evaluation mode."""
        super().train(False)
        return self

    def take(self) -> None:
        """Reads the weights of the run.

        Raises:
            UserError: there is no such run, or it trained another pair.
        """
        run = newest_run(self.run) if self.run is not None else None
        if run is None:
            raise UserError(f"model.encoders_run={self.run} holds no run: name one of model=image_text_encoder")
        read_pair(self.pair, run.path)

    def keep(self, data: Any) -> None:
        """A frozen text encoder reads the captions of the data once; words are found that may replace each other."""
        self.reader.learn(data)
        captions = (one for split in ("train", "val") for of_image in data.captions(split) for one in of_image)
        self.pair.keep(captions, cache_dir=data.cache_dir)

    def read(self, batch: Batch, draw: Draw) -> Said:
        """What is said of the images of a batch; see `freqgan.systems.caption_reading.CaptionReader.read`.

        Raises:
            UserError: it has not one caption for each image, or a single image, which can be told from no other.
        """
        said = self.reader.read(self.pair, batch, draw)
        if len(said.allowed) < 2:
            raise UserError(f"{ALONE}: set data.batch_size to at least twice model.accumulate")
        return said

    def matching(self, images: Float[Tensor, "b c h w"], said: Said, kinds: Collection[str]) -> Terms:
        """The losses `sentence` and `words` of images and their captions, those of them that are asked for."""
        return self.pair.matching(self.pair.image_features(images), said, kinds)


def _refuse_others(loaded: nn.Module, _: Any) -> None:
    """Raises a UserError where the state that was loaded is one of a pair with other settings."""
    assert isinstance(loaded, FrozenPair)
    settings = loaded.pair.settings
    if settings.any() and not settings.cpu().equal(loaded.pair.digest().cpu()):
        raise UserError(
            "the encoders of this checkpoint are not those of model.encoders here: their settings, or the "
            "weights of a pre-trained one, differ"
        )
