"""A file or a folder of pictures in, a folder of the same names out; what is there already is not made again."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

from freqgan.data.decode import printable
from freqgan.data.folder_listing import list_images
from freqgan.errors import DivergedError, FreqganError, StorageError, UserError
from freqgan.inference.pictures import FORMATS
from freqgan.inference.progress import PictureProgress

log = logging.getLogger(__name__)

_LISTED = 5

Advance = Callable[[float], None]
Make = Callable[["Job", Advance], None]


@final
@dataclass(frozen=True)
class Job:
    """One picture.

    Args:
        name: below the input, on one line.
        source: the file that is read.
        target: the file that is written.
    """

    name: str
    source: Path
    target: Path


@final
@dataclass
class Outcome:
    """What became of all pictures.

    Args:
        written: how many were made.
        there: how many were there already.
        failed: names of those that were not.
    """

    written: int = 0
    there: int = 0
    failed: list[str] = field(default_factory=list)


def plan(source: Path, output: Path, *, keep: bool) -> list[Job]:
    """The pictures of a file or folder, and where each goes; folders within it are mirrored.

    Args:
        source: a file, or a folder, whose hidden files are left out.
        output: a folder.
        keep: the extension of the source, where that format can hold what networks make (GIF cannot); else `.png`.

    Raises:
        UserError: no picture, two of one name in the output, or an output that would be an input.
    """
    if output.exists() and not output.is_dir():
        raise UserError(f"output={output} is a file, wanted a folder: set output=<folder>")
    if source.is_file():
        files = {source.name: source}
    else:
        files = {name: source / name for name, *_ in list_images(source, setting="input")}
        if output.resolve().is_relative_to(source.resolve()):
            raise UserError(
                f"output={output} lies in input={source}, and would be input the next time: choose another folder"
            )
    jobs = [
        Job(printable(name), path, (output / name).with_suffix(_suffix(path) if keep else ".png"))
        for name, path in files.items()
    ]
    if lines := [*_collisions(jobs, "rename one" if keep else "rename one, or set format=keep")]:
        raise UserError(*lines[:_LISTED], *([f"… and {len(lines) - _LISTED} more"] if len(lines) > _LISTED else []))
    return jobs


def work_through(jobs: Sequence[Job], make: Make, *, overwrite: bool) -> Outcome:
    """Makes every picture that is not there; one that fails is reported, and the others are made all the same.

    Args:
        jobs: the pictures.
        make: makes one, and tells the share of it that is done with every step.
        overwrite: makes those that are there too.

    Raises:
        StorageError: the disk is full or failing, which no other picture can change.
        DivergedError: the network's weights are broken, likewise.
    """
    outcome = Outcome()
    with PictureProgress(len(jobs)) as progress:
        for number, job in enumerate(jobs, 1):
            if job.target.exists() and not overwrite:
                outcome.there += 1
            else:
                _attempt(job, make, progress.advance, outcome)
            progress.reach(number)
    return outcome


def _attempt(job: Job, make: Make, advance: Advance, outcome: Outcome) -> None:
    try:
        make(job, advance)
        outcome.written += 1
    except (StorageError, DivergedError):
        raise
    except Exception as error:
        outcome.failed.append(job.name)
        words = str(error) or type(error).__name__
        known = isinstance(error, FreqganError | MemoryError)
        log.warning("%s", words if job.name in words else f"{job.name}: {words}", exc_info=None if known else error)


def _suffix(source: Path) -> str:
    return source.suffix if source.suffix.lower() in FORMATS else ".png"


def _collisions(jobs: Sequence[Job], fix: str) -> Iterator[str]:
    """Pictures that would be written to one file, or over an input."""
    sources = {job.source.resolve() for job in jobs}
    first: dict[Path, Job] = {}
    for job in jobs:
        name = printable(str(job.target))
        if (other := first.setdefault(job.target, job)) is not job:
            yield f"{other.name} and {job.name} would both be {name}: {fix}"
        if job.target.resolve() in sources:
            yield f"{name} is an input: choose another output="
