"""Images made of captions: every stage against real images, and the last one against what its caption says.

Reference: the protocol of AttnGAN (Xu et al. 2018) and DM-GAN (Zhu et al. 2019), Fréchet distance and R-precision.
Departures: real images are those of the split that the captions are from, each stage is judged at its own size, and
whoever judges images against captions is asked about real images too, with their own captions and with those of others.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import copy
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, final

import torch
import torch.nn.functional as F
from torch import Tensor

from freqgan.errors import DivergedError, UserError
from freqgan.features import CLIP, FeatureNetwork
from freqgan.limits import Count, Several
from freqgan.metrics import ranks
from freqgan.metrics.caption_judge import CaptionJudge, Verdict, means, on_real
from freqgan.metrics.clip_score import CLIPScore
from freqgan.metrics.eight_bit import to_eight_bit
from freqgan.metrics.protocols import first_images
from freqgan.metrics.r_precision import JudgeEncoders, RPrecision
from freqgan.metrics.real_cache import cache_file, keep, restore
from freqgan.ops.global_batch import rank, world_size

if TYPE_CHECKING:
    from freqgan.metrics.feature_distances import FeatureDistances

_log = logging.getLogger(__name__)

_DEFINITION = 2  # of the numbers in the cache; counted up when one of them changes its meaning
_SMALL = 20
_OF_REAL = ("real", "mismatched")
Scores = dict[str, float]


class Drawn(NamedTuple):
    """Samples, with what they were made of.

    Args:
        captions: one of each sample.
        stages: images (b, c, h, w) in [-1, 1] by stage, from the first to the last.
    """

    captions: list[str]
    stages: dict[str, Tensor]

    @property
    def result(self) -> Tensor:
        """The images of the last stage."""
        return list(self.stages.values())[-1]


Draw = Callable[[int, int], Drawn]


@final
class TextToImageProtocol:
    """Fréchet and kernel distance of every stage; R-precision, accuracy of captions and CLIP score of the last.

    Images are first clipped and rounded to 8 bits. Samples are those of the numbers 0 … `num_images` − 1; splitting the
    work over processes does not change a number.

    Args:
        features: the network whose features are compared; named in the metrics.
        num_images: samples, and real images that the judges of captions are asked about; named in the metrics.
        num_real: take only the first real images for the distances, null takes all; named in the metrics if given.
        batch_size: samples drawn at once.
        kid_subsets: random subsets over which the kernel distance is averaged.
        kid_subset_size: images in each of them, at most as many as there are.
        judge_run: the run of `model=image_text_encoder` whose pair judges R-precision, or a folder of such runs, whose
            newest finished one counts; null leaves R-precision out.
        negatives: wrong captions that each is put among.
        scenes: judges what is said of scenes; null leaves that out, as other data do.
        clip: name or folder of a CLIP; null leaves its score out.
        judge: the pair of `judge_run`.
    """

    KIND = "text_to_image"
    split: Literal["train", "val"] = "val"

    def __init__(
        self,
        features: FeatureNetwork,
        *,
        num_images: Several = 1000,
        num_real: Several | None = None,
        batch_size: Count = 50,
        kid_subsets: Count = 10,
        kid_subset_size: Several = 1000,
        judge_run: str | None = None,
        negatives: Count = 99,
        scenes: CaptionJudge | None = None,
        clip: str | None = None,
        judge: JudgeEncoders | None = None,
    ) -> None:
        self.features, self.num_images, self.num_real, self.batch_size = features, num_images, num_real, batch_size
        self.kid_subsets, self.kid_subset_size, self.judge = kid_subsets, kid_subset_size, judge
        given = [
            None if judge is None else RPrecision(judge, negatives=negatives),
            scenes,
            None if clip is None else CLIPScore(CLIP(clip)),
        ]
        self.judges: list[CaptionJudge] = [one for one in given if one is not None]

    @property
    def name(self) -> str:
        """Names the numbers: protocols of equal name are comparable."""
        return f"text_to_image_{self.features.name}_{self._count}"

    def small(self) -> "TextToImageProtocol":
        """The same on few images: to find mistakes, not to compare."""
        small = copy(self)
        small.num_images = small.num_real = small.batch_size = _SMALL
        return small

    @torch.no_grad()
    def evaluate(self, draw: Draw, data: Any, *, split: str, cache_dir: Path, encoders: str) -> Scores:
        """Every metric by name; with several processes, each calls this and gets the same numbers.

        Args:
            draw: (first, count) to the samples of those numbers; a sample depends on its number alone.
            data: the data module, whose images are as large as the last stage's.
            split: of the real images.
            cache_dir: where what is found of real images is kept.
            encoders: hash of the pair in the generator's loss.

        Returns:
            `fd_<stage>_<features>_n<images>` (`fid_…` for the published Inception) and `kid_…`, the last stage first;
            then, as far as they are chosen and the data are such, `r_precision_…`, `caption_accuracy…` and
            `clip_score_…`. Beside each, `<name>_real_…` is what real images get, and beside the first of a judge
            `<name>_mismatched_…` what they get with the captions of others.

        Raises:
            UserError: the judge is the pair in the loss, the real images do not fit, or captions are too few.
            DivergedError: an image is not finite.
        """
        if self.judge is not None and self.judge.hash == encoders:
            raise UserError(
                f"metrics.judge_run={self.judge.run} trained the encoders of the loss, which would judge their own "
                "pupil: name another run, or set it to null for no R-precision"
            )
        judges = [judge for judge in self.judges if judge.prepare(data, cache_dir=cache_dir)]
        example, key = draw(0, 1), (_DEFINITION, data.fingerprint(), split)
        real: Scores = {}
        for judge in judges:
            file = cache_file(cache_dir, "judged", *key, self.num_images, judge.identity())
            pairs = partial(data.evaluation_pairs, split, limit=self.num_images)
            real |= on_real(judge, pairs, file=file, device=example.result.device)
        distances = self._of_stages(example)
        files = {
            stage: cache_file(cache_dir, "stage", *key, self.num_real, example.stages[stage].shape[1:], m.real_key())
            for stage, m in distances.items()
        }
        unknown = ranks.on_first(lambda: [stage for stage, m in distances.items() if not restore(m, files[stage])])

        def measure() -> tuple[dict[str, ranks.State], list[list[Verdict]]]:
            self._show_real(distances, unknown, data.evaluation_images(split), example)
            verdicts = [*self._show_drawn(distances, judges, draw)]
            return {stage: metric.metric_state for stage, metric in distances.items()}, verdicts

        def finish(parts: list[tuple[dict[str, ranks.State], list[list[Verdict]]]]) -> Scores:
            for stage, metric in distances.items():
                for name, value in ranks.merge([states[stage] for states, _ in parts]).items():
                    setattr(metric, name, value)
            verdicts: list[list[Verdict]] = ranks.interleave([of_process for _, of_process in parts])
            results = self._results(distances, means(chain.from_iterable(verdicts)), real)
            for stage in unknown:
                keep(distances[stage], files[stage])
            return results

        return ranks.map_reduce(measure, finish)

    def _of_stages(self, example: Drawn) -> "dict[str, FeatureDistances]":
        from freqgan.metrics.feature_distances import FeatureDistances

        sizes = {"kid_subsets": self.kid_subsets, "kid_subset_size": self.kid_subset_size}
        return {stage: FeatureDistances(self.features, k=1, sync_on_compute=False, **sizes) for stage in example.stages}

    def _show_real(
        self, distances: "dict[str, FeatureDistances]", stages: list[str], real: Iterable[Tensor], example: Drawn
    ) -> None:
        if not stages:
            return
        _log.info("measuring the real images for %s, once for this data set", ", ".join(stages))
        for images in islice(first_images(real, self.num_real), rank(), None, world_size()):
            if images.shape[1:] != example.result.shape[1:]:
                got, wanted = ("×".join(map(str, x.shape[1:])) for x in (images, example.result))
                raise UserError(
                    f"real images are {got} (channels × height × width), generated ones {wanted}: set data.image_size "
                    "and data.channels to those of the model"
                )
            images = images.to(example.result.device)
            for stage in stages:
                halvings = images.shape[-1] // example.stages[stage].shape[-1]
                distances[stage].update(to_eight_bit(F.avg_pool2d(images, halvings)), real=True)

    def _show_drawn(
        self, distances: "dict[str, FeatureDistances]", judges: list[CaptionJudge], draw: Draw
    ) -> Iterator[list[Verdict]]:
        """Shows this process's batches of samples to all; yields what the judges say of each batch."""
        for start in range(rank() * self.batch_size, self.num_images, world_size() * self.batch_size):
            drawn = draw(start, min(self.batch_size, self.num_images - start))
            for stage, images in drawn.stages.items():
                if not images.isfinite().all():
                    raise DivergedError(f"images of {stage} for the samples from {start} on are not finite")
                distances[stage].update(to_eight_bit(images), real=False)
            result, numbers = to_eight_bit(drawn.result), range(start, start + len(drawn.captions))
            of_judges = (judge.verdicts(result, drawn.captions, numbers) for judge in judges)
            yield [
                {name: values for verdict in of_image for name, values in verdict.items()}
                for of_image in zip(*of_judges, strict=True)
            ]

    def _results(self, distances: "dict[str, FeatureDistances]", made: Scores, real: Mapping[str, float]) -> Scores:
        results: Scores = {}
        for stage, metric in reversed(distances.items()):
            found = metric.compute()
            for name in (self.features.frechet_name, "kid"):
                results[f"{name}_{stage}_{self.features.name}_{self._count}"] = float(found[name])
        for name, value in made.items():
            beside = {f"{name}_{kind}": real[f"{name}_{kind}"] for kind in _OF_REAL if f"{name}_{kind}" in real}
            results |= {f"{key}_n{self.num_images}": x for key, x in ({name: value} | beside).items()}
        return results

    @property
    def _count(self) -> str:
        return f"n{self.num_images}" if self.num_real is None else f"n{self.num_images}_real{self.num_real}"
