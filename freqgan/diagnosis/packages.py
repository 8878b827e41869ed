"""Python and the packages: there, within their ranges, in agreement, and working where they often do not."""

import importlib
import platform
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from freqgan.diagnosis.requirements import NAME, applies, extras, installed, python_range, requirements
from freqgan.diagnosis.row import Row, broken, note, ok
from freqgan.diagnosis.supervision import in_one_line

MALICIOUS = ("2.6.2", "2.6.3")  # of `lightning`: GHSA-w37p-236h-pfx3


def import_of(module: str) -> Callable[[], object]:
    """Imports one module."""
    return lambda: importlib.import_module(module)


def torch_computes() -> None:
    """Multiplies two matrices, and hands the result to NumPy, which a wrong pair of versions cannot."""
    import torch

    torch.ones(2, 2).mm(torch.ones(2, 2)).numpy()


def torchvision_operators_run() -> None:
    """Calls an operator of the compiled library, which a torchvision made for another PyTorch does not load."""
    import torch
    from torchvision.ops import nms

    nms(torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.ones(1), 0.5)


def pytorch_wavelets_imports() -> None:
    """As the transforms do it: the library itself fails with setuptools 82 and newer."""
    from freqgan.transforms.pytorch_wavelets_backend import library

    library()


# What has to work, and where its remedy is more than installing it again.
PROBES: Mapping[str, Callable[[], object]] = {
    "numpy": import_of("numpy"),
    "pillow": import_of("PIL.Image"),
    "torch": torch_computes,
    "torchvision": torchvision_operators_run,
    "pytorch-lightning": import_of("pytorch_lightning"),
    "torchmetrics": import_of("torchmetrics"),
    "pytorch-wavelets": pytorch_wavelets_imports,
    "hydra-core": import_of("hydra"),
    "omegaconf": import_of("omegaconf"),
    "wandb": import_of("wandb"),
}
NEEDS = {
    "torch": ("numpy",),
    "torchvision": ("torch",),
    "pytorch-lightning": ("torch", "torchvision"),
    "torchmetrics": ("torch", "torchvision"),
    "pytorch-wavelets": ("torch",),
}
REMEDIES = {
    "torchvision": "pip install --force-reinstall torch torchvision",
    "pytorch-wavelets": "set transform.backend=native, the default, or pip install --force-reinstall pytorch-wavelets",
}
NOT_REQUIRED = {"pytorch-wavelets"}


def python() -> Iterator[Row]:
    """The interpreter's version."""
    wanted, found = python_range(), platform.python_version()
    fact = f"{found} at {sys.executable}"
    if SpecifierSet(wanted).contains(found, prereleases=True):
        yield ok("python", fact)
    else:
        yield broken("python", f"{fact}, wanted {wanted}", f"make a virtual environment with Python {wanted}")


def this_program() -> Iterator[Row]:
    """Its own version and place."""
    place, found = Path(__file__).parents[1], installed(NAME)
    if found is None:
        yield note(NAME, f"runs from {place}, not installed", f"pip install -e '{place.parent}'")
    else:
        yield ok(NAME, f"{found} at {place}")


def package(name: str) -> Iterator[Row]:
    """A required package: its version, and whether it does what it is there for."""
    wanted = next(one for one in requirements() if canonicalize_name(one.name) == name)
    if lack := lacking(wanted):
        yield broken(name, lack, _install(wanted))
        return
    fact = f"{installed(name)} ({_range(wanted)})"
    try:
        PROBES[name]()
    except Exception as error:
        kind = note if name in NOT_REQUIRED else broken
        yield kind(name, f"{fact} does not work: {in_one_line(error)}", remedy(name))
    else:
        yield ok(name, fact)


def remedy(name: str) -> str:
    """For a required package that is there and does not work."""
    return REMEDIES.get(name, f"pip install --force-reinstall {name}")


def other_packages() -> Iterator[Row]:
    """The required packages that need no look but at their version, in one row as long as all is well."""
    others = [one for one in requirements() if canonicalize_name(one.name) not in PROBES]
    lacks = [(one, lack) for one in others if (lack := lacking(one))]
    for wanted, lack in lacks:
        yield broken(wanted.name, lack, _install(wanted))
    if not lacks:
        yield ok("others", f"{len(others)} more required packages, all within their ranges")


def agreement() -> Iterator[Row]:
    """Whether the installed packages suit each other, down to those that only others need."""
    disagreements = dict.fromkeys(disagreeing())
    for asker, wanted, found in disagreements:
        fact = f"{asker} {installed(asker)} wants {wanted}, found {found}"
        yield note(asker, fact, f"pip install --upgrade {asker} '{wanted}'")
    if not disagreements:
        yield ok("agreement", "what the packages ask of each other is there")


def disagreeing() -> Iterator[tuple[str, str, str]]:
    """Package, what it asks for, and what there is instead; direct requirements are other rows' matter."""
    waiting = [one.name for one in requirements()]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if canonicalize_name(name) in seen or installed(name) is None:
            continue
        seen.add(canonicalize_name(name))
        for wanted in filter(applies, map(Requirement, metadata.requires(name) or [])):
            waiting.append(wanted.name)
            if lacking(wanted):
                yield canonicalize_name(name), f"{wanted.name}{_range(wanted)}", installed(wanted.name) or "nothing"


def lightning() -> Iterator[Row]:
    """The package of nearly the same name, two of whose versions stole secrets."""
    found = installed("lightning")
    if found in MALICIOUS:
        to_do = "pip uninstall lightning, and replace every key and password that this machine knows"
        yield broken("lightning", f"{found} is malicious (GHSA-w37p-236h-pfx3)", to_do)
    elif found:
        yield note("lightning", f"{found} is installed and not used: pytorch-lightning is", "pip uninstall lightning")
    else:
        yield ok("lightning", "not installed, and not used: pytorch-lightning is")


def optional_parts() -> Iterator[Row]:
    """The extras, each complete or with the command that completes it."""
    for extra in extras():
        wanted = [one for one in requirements(extra) if canonicalize_name(one.name) != NAME]
        lacks = [f"{one.name} {lack}" for one in wanted if (lack := lacking(one))]
        if lacks:
            yield note(f"extra {extra}", ", ".join(lacks), f"pip install '{NAME}[{extra}]'")
        else:
            named = [f"{one.name} {installed(one.name)}" for one in wanted]
            yield ok(f"extra {extra}", f"complete: {', '.join(named) if len(named) <= 3 else f'{len(named)} packages'}")


def lacking(wanted: Requirement) -> str:
    """What is wrong with the installed version; empty if nothing."""
    found = installed(wanted.name)
    if found is None:
        return "is not installed"
    return "" if wanted.specifier.contains(found, prereleases=True) else f"{found} is not {_range(wanted)}"


def _install(wanted: Requirement) -> str:
    return f"pip install '{wanted.name}{_range(wanted)}'"


def _range(wanted: Requirement) -> str:
    """As in `>=2.6.6,<3`."""
    return ",".join(sorted(map(str, wanted.specifier), reverse=True))
