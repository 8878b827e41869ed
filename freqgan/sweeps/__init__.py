"""Sweeps: many runs from one command, each in a process of its own."""

from freqgan.sweeps.driver import Driver
from freqgan.sweeps.engines import Engine, Local, Ray, Submitit
from freqgan.sweeps.ledger import Ledger, Row
from freqgan.sweeps.optuna import Optuna
from freqgan.sweeps.search import Grid, Search

__all__ = ["Driver", "Engine", "Grid", "Ledger", "Local", "Optuna", "Ray", "Row", "Search", "Submitit"]
