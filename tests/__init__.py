"""A regular package: pytorch-wavelets installs a top-level `tests` of its own, which would be found first."""

from tests import typechecker

__all__ = ["typechecker"]
