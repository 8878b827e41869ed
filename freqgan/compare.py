"""`freqgan compare`: what differs between runs, and what difference it made."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from freqgan import comparison, config
from freqgan.comparison import Comparison
from freqgan.errors import UserError
from freqgan.runs import write_json
from freqgan.runs.files import storage, write_whole
from freqgan.terminal import table_console


def main(cfg: DictConfig) -> None:
    """Writes tables, `summary.json`, `curves/` and `index.html`; prints the main table and the page's path."""
    settings = config.resolve(cfg)
    places = settings["runs"]
    if not places:
        raise UserError("compare needs runs: freqgan compare <run directories, folders above them, sweeps or patterns>")
    read = comparison.read_wandb if settings["source"] == "wandb" else comparison.read_local
    compared = comparison.compare(
        read(places),
        metric=settings["metric"],
        at_images=settings["at_images"],
        at_seconds=settings["at_seconds"],
        baseline=settings["baseline"],
        mark=settings["incomparable"] == "mark",
    )
    page = write(compared, folder(settings), samples=settings["samples"])
    console = table_console()
    for table in comparison.tables(compared):
        console.print(table)
    for note in comparison.notes(compared):
        console.print(note, soft_wrap=True)
    console.print(str(page), soft_wrap=True)


def folder(settings: dict[str, Any]) -> Path:
    """Where the files go: `output`, or `compare/` under the first argument; W&B paths are nowhere on this machine."""
    if settings["output"] is not None:
        return Path(settings["output"]).expanduser()
    above = Path() if settings["source"] == "wandb" else comparison.place_of(settings["runs"][0])
    return above / "compare"


def write(compared: Comparison, target: Path, *, samples: int) -> Path:
    """Writes all files into a folder and returns the page's path."""
    # Matplotlib is imported here: a mistake in the arguments is told without it.
    from freqgan.comparison.grids import sheets
    from freqgan.comparison.page import page, plots_of
    from freqgan.comparison.records import as_csv, as_data, as_results

    plots = plots_of(compared)
    text = page(compared, plots, sheets(compared, count=samples))
    with storage(target):
        (target / "curves").mkdir(parents=True, exist_ok=True)
    tables = {"table.csv": as_csv(compared), "results.csv": as_results(compared)}
    contents = {name: text.encode() for name, text in (tables | {"index.html": text}).items()}
    contents |= {f"curves/{plot.name}": plot.png for plot in plots}
    for name, content in contents.items():
        write_whole(target / name, lambda file, content=content: file.write(content))  # type: ignore[misc]
    write_json(target / "summary.json", as_data(compared))
    return target / "index.html"
