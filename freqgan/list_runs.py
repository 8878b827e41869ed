"""`freqgan runs`: the runs and sweeps below the output directory and what became of them."""

from pathlib import Path

from omegaconf import DictConfig
from rich.measure import Measurement
from rich.table import Column, Table

from freqgan import config
from freqgan.sweeps.listing import Entry, entries_under
from freqgan.terminal import WIDEST, table_console


def main(cfg: DictConfig) -> None:
    """Prints a line per single run and per sweep, what started last on top."""
    settings = config.resolve(cfg)
    root = Path(settings["paths"]["output_dir"])
    entries = sorted(entries_under(root / (settings["name"] or "")), key=lambda entry: entry.started, reverse=True)
    shown = entries if settings["n"] == "all" else entries[: settings["n"]]
    console = table_console()
    if not shown:
        console.print(f"no runs under {root}: start one with `freqgan train`")
        return
    lines = table(shown)
    # A table that has to be folded is hard to read: then each entry has two lines instead.
    narrow = console.width < Measurement.get(console, console.options.update(width=WIDEST), lines).maximum
    console.print(paragraphs(shown) if narrow else lines, soft_wrap=narrow)
    if len(shown) < len(entries):
        console.print(f"the newest {len(shown)} of {len(entries)}: `freqgan runs n=all` lists all")


def table(entries: list[Entry]) -> Table:
    """A line per entry."""
    found = Table(Column("run or sweep", no_wrap=True), "state", "images", "minutes", "last metric")
    for entry in entries:
        found.add_row(str(entry.path), entry.state, str(entry.images), f"{entry.seconds / 60:.1f}", entry.metric)
    return found


def paragraphs(entries: list[Entry]) -> str:
    """The path of each entry, and an indented line with the rest."""
    lines = []
    for entry in entries:
        facts = [entry.state, f"{entry.images} images", f"{entry.seconds / 60:.1f} minutes", entry.metric]
        lines += [str(entry.path), f"  {'; '.join(filter(None, facts))}"]
    return "\n".join(lines)
