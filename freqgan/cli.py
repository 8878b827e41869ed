"""`freqgan <verb>`: looks the verb up, imports only its module, turns every error into an exit status.

A verb is one entry of `VERBS`, a module with `main(cfg)`, a primary config `conf/<verb>.yaml` and a schema in
`freqgan.config.schema`. Nothing heavy is imported before a verb runs.
"""

import errno
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass

from freqgan import usage
from freqgan.errors import FreqganError, StorageError, UserError
from freqgan.suggest import hint
from freqgan.terminal import tell

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class Verb:
    """What `--help` says of a verb, and the module that does it.

    Args:
        module: has `main(cfg)`.
        summary: one line.
        examples: can be pasted into bash and zsh.
        sweep: module that runs several jobs; None where a key has one value.
        positional: the list that arguments without `=` go to; none are taken if empty.
    """

    module: str
    summary: str
    examples: tuple[str, ...]
    sweep: str | None = None
    positional: str = ""


RUN = "run=outputs/frequency_gan/2026-01-31_12-00-00"
SR_RUN = "run=outputs/branch_sr/2026-01-31_12-00-00"
TRANSLATION_RUN = "run=outputs/pix2pix/2026-01-31_12-00-00"
LABEL_RUN = "run=outputs/label_to_image/2026-01-31_12-00-00"
TEXT_RUN = "run=outputs/staged_text_gan/2026-01-31_12-00-00"
VERBS = {
    "train": Verb(
        "freqgan.train",
        "Trains a model to its budget; writes checkpoints, sample grids and metrics into a run directory.",
        (
            "freqgan train experiment=frequency_gan/openmoji",
            "freqgan train experiment=frequency_gan/folder data.root=pictures",
            "freqgan train transform=block_dct loss=hinge optim.lr=0.0001 budget.minutes=30",
            "freqgan train experiment=frequency_gan/openmoji resume=auto",
            "freqgan train -m transform=wavelet_haar,identity seed=1,2 budget.images=2000",
            "freqgan train -m sweep.engine.slots=2 loss=bce,hinge 'seed=range(1,4)'",
            "freqgan train debug=default 'tags=[first,try]'",
        ),
        sweep="freqgan.sweep",
    ),
    "plan": Verb(
        "freqgan.plan",
        "Says what a sweep would run and cost, from a few measured steps, before anything starts.",
        ("freqgan plan -m transform=wavelet_haar,identity seed=1,2 budget.images=2000",),
        sweep="freqgan.plan",
    ),
    "check": Verb(
        "freqgan.check",
        "Checks a training config and says what it would build, without training.",
        (
            "freqgan check experiment=frequency_gan/openmoji",
            "freqgan check data.image_size=64 transform.levels=2",
        ),
    ),
    "evaluate": Verb(
        "freqgan.evaluate",
        "Judges a run's samples, or any folder of images, against real images.",
        (
            f"freqgan evaluate {RUN}",
            f"freqgan evaluate {RUN} checkpoint=best weights=raw",
            f"freqgan evaluate {RUN} data.root=pictures split=all",
            "freqgan evaluate images=samples data=openmoji",
        ),
    ),
    "sample": Verb(
        "freqgan.sample",
        "Draws samples from a run.",
        (
            f"freqgan sample {RUN} n=64 seed=1",
            f"freqgan sample {RUN} target=shared",
            f"freqgan sample {RUN} reference=picture.png",
            f"freqgan sample {TEXT_RUN} captions='a red circle above a blue square' seeds=4",
            f"freqgan sample {TEXT_RUN} captions=captions.txt",
        ),
    ),
    "edit": Verb(
        "freqgan.edit",
        "Opens a page on which label maps are painted, and shows what a run makes of them at once.",
        (
            f"freqgan edit {LABEL_RUN}",
            f"freqgan edit {LABEL_RUN} labels=street.png 'things=[car, person]' port=8000",
        ),
    ),
    "upscale": Verb(
        "freqgan.upscale",
        "Enlarges pictures with a run of a super-resolution model: a file, or a folder with all its folders.",
        (
            f"freqgan upscale {SR_RUN} input=photos output=large",
            f"freqgan upscale {SR_RUN} input=photo.jpg output=large format=keep quality=90",
            f"freqgan upscale {SR_RUN} input=photos output=large overwrite=true weights=raw",
        ),
    ),
    "translate": Verb(
        "freqgan.translate",
        "Makes pictures of one domain into the other's with a run of a translation model: a file, or a folder.",
        (
            f"freqgan translate {TRANSLATION_RUN} input=drawings output=coloured",
            f"freqgan translate {TRANSLATION_RUN} input=drawing.png output=coloured direction=ab format=keep",
        ),
    ),
    "export": Verb(
        "freqgan.export",
        "Writes what is needed to generate, and nothing else, as a small run directory.",
        (f"freqgan export {RUN}", f"freqgan export {RUN} checkpoint=best output=generator"),
    ),
    "compare": Verb(
        "freqgan.compare",
        "Compares runs: what differs in their configs, and what difference it made; writes tables, plots and a page.",
        (
            "freqgan compare outputs/frequency_gan",
            "freqgan compare outputs/sweep/loss outputs/sweep/transform 'baseline=\"transform=identity\"'",
            "freqgan compare 'outputs/*/2026-01-*' at_images=100000 incomparable=mark",
            "freqgan compare source=wandb entity/project",
        ),
        positional="runs",
    ),
    "runs": Verb(
        "freqgan.list_runs",
        "Lists runs and sweeps and their state, the newest first.",
        ("freqgan runs", "freqgan runs name=debug n=all"),
    ),
    "doctor": Verb(
        "freqgan.doctor",
        "Looks at what runs need of this machine: packages, devices, disks, accounts; says what to do.",
        ("freqgan doctor", "freqgan doctor format=json"),
    ),
    "workspace": Verb(
        "freqgan.workspace",
        "Describes how W&B shows runs like a given one, and saves that there.",
        (f"freqgan workspace {RUN}", f"freqgan workspace {RUN} project=freqgan apply=true"),
    ),
    "pack": Verb(
        "freqgan.pack",
        "Packs a folder of images into tar shards for sets too large for a folder.",
        ("freqgan pack root=pictures output=shards", "freqgan train data=shards data.root=shards"),
    ),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status.

    Args:
        argv: arguments after the program's name; those of the process if None.
    """
    try:
        status = dispatch(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        tell("freqgan: interrupted\n")
        return 130
    except Exception as error:
        return report(error)
    finally:
        give_up_streams()


def dispatch(arguments: list[str]) -> int:
    """Prints help, or runs a verb and returns its exit status."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        text = usage.overview(
            {name: verb.summary for name, verb in VERBS.items()},
            [verb.examples[0] for verb in VERBS.values()],
        )
        sys.stdout.write(text + "\n")
        return 0
    name, *rest = arguments
    if name not in VERBS:
        raise UserError(f"unknown verb {name}: {hint(name, VERBS)}")
    verb = VERBS[name]
    if "-h" in rest or "--help" in rest:
        sys.stdout.write(usage.of_verb(name, verb.summary, verb.examples, positional=verb.positional) + "\n")
        return 0
    # Waiting OpenMP threads sleep: beside other processes, spinning costs ten times and more.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        from freqgan.config import application
    except ImportError as error:
        if (error.name or "").startswith("freqgan"):
            raise
        raise FreqganError(f"the installation is not whole ({error}): pip install --force-reinstall freqgan") from error
    return application.run(name, verb.module, rest, report=report, positional=verb.positional, sweep=verb.sweep)


def report(error: Exception) -> int:
    """Writes an error to stderr, with a traceback if it is unexpected; returns its exit status."""
    if isinstance(error, FreqganError):
        tell("".join(f"freqgan: {line}\n" for line in str(error).splitlines()))
        return error.exit_status
    if isinstance(error, BrokenPipeError):
        return 1
    if isinstance(error, OSError) and error.errno in FULL:
        tell(f"freqgan: the output could not be written ({error})\n")
        return StorageError.exit_status
    tell("".join(traceback.format_exception(error)))
    tell(f"freqgan: unexpected {type(error).__name__}: {error}\n")
    return 1


def give_up_streams() -> None:
    """Throws away what stdout and stderr do not take, for a reader has left or a disk is full.

    The interpreter must not try again at its exit, which would give the exit status another meaning.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


if __name__ == "__main__":
    sys.exit(main())
