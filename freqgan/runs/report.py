"""What a finished run has to show."""

from rich.table import Table

from freqgan.runs.directory import RunDirectory, evaluations
from freqgan.terminal import table_console


def progress(rows: list[dict[str, float]]) -> Table:
    """The last evaluation, beside the first one where there are two."""
    first, last = rows[0], rows[-1]
    if len(rows) == 1:
        table = Table("metric", "end")
    else:
        begin = "start" if first["images_seen"] == 0 else "first"
        table = Table("metric", begin, "end", f"end / {begin}")
    for name, value in last.items():
        begun = first.get(name)
        change = ["" if begun is None else f"{begun:.4g}", f"{value:.4g}", f"{value / begun:.3f}" if begun else ""]
        if name != "images_seen":
            table.add_row(name, *(change[1:2] if len(rows) == 1 else change))
    return table


def report(run: RunDirectory) -> None:
    """What a newcomer wants to know at the end: where everything is, and whether it got better."""
    console = table_console()
    rows = evaluations(run)
    if rows:
        console.print(progress(rows))
    images, seconds, cpu, memory = (
        run.record.get(name, 0) for name in ("images_seen", "seconds", "cpu_seconds", "peak_memory_gib")
    )
    gallery = run.path / "evaluation" / "gallery.html"
    grids = sorted((run.path / "samples").glob("images_*.png"))
    stopped = run.record.get("stopped")
    lines = [
        *([f"stopped     {stopped}"] if stopped else []),
        f"run         {run.path}",
        f"samples     {grids[-1] if grids else 'none'}",
        *([f"gallery     {gallery}"] if gallery.is_file() else []),
        f"checkpoint  {run.path / 'checkpoints' / 'last.ckpt'}",
        f"cost        {images} images in {seconds:.0f} s of training, {cpu:.0f} CPU-seconds in all, "
        f"{memory:.2f} GiB at most",
    ]
    for line in lines:
        console.print(line, soft_wrap=True)
