"""`freqgan runs`: the runs below the output directory and what became of them."""

from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console
from rich.table import Column, Table

from freqgan import config
from freqgan.runs import last_metric, runs_under

WIDEST = 10_000


def main(cfg: DictConfig) -> None:
    """Prints a line per run, the newest first."""
    settings = config.resolve(cfg)
    root = Path(settings["paths"]["output_dir"])
    found = runs_under(root / settings["name"] if settings["name"] else root) if root.is_dir() else []
    table = Table(Column("run", no_wrap=True), "state", "images", "minutes", "metric", "last value")
    for run in found:
        record = run.record
        metric, value = last_metric(run)
        minutes = float(record.get("seconds", 0.0)) / 60
        table.add_row(str(run.path), run.state(), str(record.get("images_seen", "")), f"{minutes:.1f}", metric, value)
    console = Console()
    if not console.is_terminal:
        console.width = WIDEST  # what is read by a program is not folded
    console.print(table if found else f"no runs under {root}: start one with `freqgan train`")
