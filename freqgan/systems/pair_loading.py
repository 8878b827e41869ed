"""The trained encoder pair of another run, for a system that judges by it."""

from pathlib import Path

from torch import Tensor

from freqgan.errors import UserError
from freqgan.runs.directory import RunDirectory
from freqgan.runs.files import read_checkpoint
from freqgan.systems.loading import refuse_misfit
from freqgan.text import EncoderPair

TRAINED_BY = "freqgan train experiment=image_text_encoder/<data>"
_PREFIXES = {"ema": "ema.module.", "state_dict": "generator."}


def read_pair(pair: EncoderPair, run: str | Path) -> Path:
    """Fills a pair with the averaged weights of the checkpoint that retrieved best, or else of the last one.

    Args:
        pair: of the same settings as the run's.
        run: the directory of a run of `model=image_text_encoder`, or of its export.

    Returns:
        The checkpoint.

    Raises:
        UserError: no such run or checkpoint, no pair in it, or one of other settings.
    """
    folder = Path(run).expanduser()
    if not folder.is_dir():
        raise UserError(f"model.encoders_run={run} is not there: set it to the directory of a run of `{TRAINED_BY}`")
    best = (folder / "checkpoints" / "best.ckpt").is_file()
    path = RunDirectory(folder).checkpoint("best" if best else "last")
    weights = _weights(path)
    if "settings" not in weights:
        raise UserError(f"model.encoders_run: {path} holds no encoder pair: name a run of `{TRAINED_BY}`")
    refuse_misfit(path, "model.encoders", pair, "the encoder pair", weights)
    if not weights["settings"].equal(pair.digest()):
        fix = f"set model.encoders to what model.encoders is in {folder / 'config.yaml'}"
        raise UserError(f"the encoder pair of {path} was trained with other settings of the same sizes: {fix}")
    pair.load_state_dict(weights)
    return path


def _weights(path: Path) -> dict[str, Tensor]:
    """The averaged weights of a run's generator, which is all that an export has."""
    content = read_checkpoint(path)
    key = "ema" if content["ema"] else "state_dict"
    prefix = _PREFIXES[key]
    return {name.removeprefix(prefix): x for name, x in content[key].items() if name.startswith(prefix)}
