"""An image encoder and a text encoder that are trained on pairs, so that matching ones have similar vectors.

Reference: Xu et al., "AttnGAN", 2018, §3.2 (DAMSM); patent CN113781598B, [0082]–[0104], whose consistency losses take
the encoders of such a pair. The checkpoint that is kept as the best is the one that retrieves best.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Unpack, final

import torch
import torch.nn.functional as F
from torch import Tensor

from freqgan.errors import UserError
from freqgan.limits import Count, Natural
from freqgan.systems.base import System
from freqgan.systems.caption_reading import CaptionReader
from freqgan.systems.examples import Examples
from freqgan.systems.measuring import measure_retrieval
from freqgan.systems.rules import Batch, Known, Outputs, Rules, Scores, Terms, Weights
from freqgan.text import EncoderPair, KeptCaptions

NEIGHBOURS = 4  # images that are shown beside the true one
WHOLE = "model=image_text_encoder"
_TERMS = {"sentence": "sentence", "words": "word"}  # by what is matched


@final
class ImageTextEncoder(System):
    """The pair, with a loss between whole images and sentences, and one between regions and words.

    A batch has `image`, `caption`, one of each image's, and `class` where the data know one: pairs of one class or with
    equal captions are never told apart. The only player is called generator.

    Args:
        encoders: the pair.
        image_size: side of the examples.
        channels: of the images.
        altered: how many wrong captions are made of each by replacing a word; its own image has to be told from them.
        examples: validation images that are kept to be searched by their captions.
        **rules: see `freqgan.systems.rules.Rules`.
    """

    JUDGES = ("retrieval",)
    TERMS: ClassVar[Known] = {"generator": ("sentence", "word"), "discriminator": ()}
    generator: EncoderPair
    examples: Examples

    def __init__(
        self,
        *,
        encoders: EncoderPair,
        image_size: int,
        channels: int = 3,
        altered: Natural = 0,
        examples: Count = 64,
        **rules: Unpack[Rules],
    ) -> None:
        super().__init__(generator=encoders, discriminator=None, **rules)
        self.examples = Examples(examples, {"image": (channels, image_size, image_size)})
        self.captions = KeptCaptions(examples)
        self.reader = CaptionReader(altered)

    def setup(self, stage: str) -> None:
        """A frozen text encoder encodes every caption once; words are found that may replace each other."""
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        self.reader.learn(data)
        every = (caption for split in ("train", "val") for of in data.captions(split) for caption in of)
        self.generator.keep(every, cache_dir=data.cache_dir)

    def calibrate(self, data: Any) -> None:
        """Learns the words, and keeps examples."""
        self.generator.calibrate(caption for of in data.captions("train") for caption in of)
        samples = list(data.evaluation_pairs("val", limit=self.examples.count))
        self.examples.keep(samples)
        self.captions.keep(sample["caption"][0][0] for sample in samples)

    def synthesize(self, batch: Batch) -> Outputs:
        """The vectors of both towers."""
        said = self.reader.read(self.generator, batch, self.draw)
        return {"features": self.generator.image_features(batch["image"]), "said": said}

    def generator_terms(self, batch: Batch, outputs: Outputs) -> Terms:
        """Both losses."""
        said = outputs["said"]
        self.notes["batch/wrong_captions"] = said.allowed.sum(1).float().mean() - 1
        kinds = [kind for kind, term in _TERMS.items() if self.wants("generator", term)]
        found = self.generator.matching(outputs["features"], said, kinds)
        return {_TERMS[kind]: value for kind, value in found.items()}

    def discriminator_terms(self, batch: Batch, outputs: Outputs) -> Terms:
        """None."""
        return {}

    def aim(self, wishes: Mapping[str, str]) -> None:
        """Refuses every wish: nothing is drawn."""
        if wishes:
            raise UserError(f"{next(iter(wishes))} is for models that draw images: {WHOLE} finds them")

    def sample(self, first: int, count: int, *, seed: int, weights: Weights = "ema") -> Tensor:
        """The images that are found among the examples by the captions of examples first … first + count."""
        rows = torch.arange(first, first + count, device=self.device) % max(len(self.examples), 1)
        return self._nearest(weights)[rows, 0]

    def pictures(self, count: int, *, seed: int) -> dict[str, Tensor]:
        """The images that are found first, and each caption's true one beside the nearest ones."""
        count = min(count, len(self.examples))
        found = self._nearest("ema")[:count]
        true = self.examples.batch(0, count)["image"]
        return {"images": found[:, 0], "true_then_nearest": torch.cat([true, *found.unbind(1)], -1)}

    def sample_ids(self, count: int, *, seed: int) -> list[str]:
        """The examples' names, with the captions that are searched for."""
        pairs = zip(self.examples.ids(count), self.captions.read(), strict=False)
        return [f"{name}: {caption}" for name, caption in pairs]

    def measure(self, protocol: Any, data: Any, *, split: str, seed: int, weights: Weights, cache_dir: Path) -> Scores:
        """Runs a protocol of `freqgan.metrics` on the pairs of a split."""
        images, captions = (partial(encode, weights=weights) for encode in (self.overall_of, self.sentences_of))
        return measure_retrieval(images, captions, lambda: data.evaluation_pairs(split), protocol)

    def overall_of(self, images: Tensor, *, weights: Weights = "ema") -> Tensor:
        """Vectors (b, d) of images (b, c, h, w) in [-1, 1]."""
        with self.kept_generator(weights):
            return self.generator.image_features(images.to(self.device)).overall

    def sentences_of(self, captions: Sequence[str], *, weights: Weights = "ema") -> Tensor:
        """Vectors (b, d) of captions."""
        with self.kept_generator(weights):
            return self.generator.encode_text(captions).sentence

    def describe(self) -> list[dict[str, str | int]]:
        """A row per encoder; of a frozen one, the trained weights alone count."""
        pair = self.generator
        towers: dict[str, Iterable[Tensor]] = {
            "image": pair.image.parameters(),
            "text": (w for name, w in pair.named_parameters() if not name.startswith("image.")),
        }
        makes = {"image": f"{pair.dim} and regions", "text": f"{pair.dim} and up to {pair.max_words} words"}
        return [
            {"encoder": name, "makes": makes[name], "parameters": sum(weight.numel() for weight in weights)}
            for name, weights in towers.items()
        ]

    def _nearest(self, weights: Weights) -> Tensor:
        """For each example's caption the images (n, k, c, h, w) that are found first among the examples."""
        images = self.examples.batch(0, len(self.examples))["image"]
        sentences = F.normalize(self.sentences_of(self.captions.read(), weights=weights), dim=1)
        overall = F.normalize(self.overall_of(images, weights=weights), dim=1)
        order = (sentences @ overall.T).topk(min(NEIGHBOURS, len(images)), dim=1).indices
        return images[order]
