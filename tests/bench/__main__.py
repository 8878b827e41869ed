"""`make bench`: every figure with its goal; exit status 1 if a goal is missed in the best of three runs."""

import importlib
import sys

from rich.console import Console
from rich.table import Table

PARTS = [
    *("start", "step", "bands", "text", "transforms", "data", "features", "upscale", "translation", "labels"),
    *("edit", "compare", "parallel", "sweep"),
]


def main(chosen: list[str]) -> int:
    console = Console()
    table = Table("figure", "value", "goal", "")
    missed = 0
    for part in chosen or PARTS:
        rows = importlib.import_module(f"tests.bench.{part}").rows
        best = {name: (value, goal) for name, value, goal in rows()}
        for _ in range(2):
            if all(met(value, goal) for value, goal in best.values()):
                break
            for name, value, goal in rows():
                best[name] = (value, goal) if met(value, goal) else best[name]
        for name, (value, goal) in best.items():
            missed += not met(value, goal)
            table.add_row(name, f"{value:.3g}", goal, "" if met(value, goal) else "missed")
    console.print(table)
    return 1 if missed else 0


def met(value: float, goal: str) -> bool:
    """Whether a figure reaches a goal such as ">= 2.5"; anything else is information."""
    sign, _, bound = goal.partition(" ")
    match sign:
        case ">=":
            return value >= float(bound)
        case "<=":
            return value <= float(bound)
        case _:
            return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
