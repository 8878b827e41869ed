"""What a finished run has to show."""

from rich.table import Table

from freqgan.runs.directory import RunDirectory, evaluations
from freqgan.terminal import table_console


def report(run: RunDirectory) -> None:
    """What a newcomer wants to know at the end: where everything is, and whether it got better."""
    console = table_console()
    rows = evaluations(run)
    table = Table("metric", "start" if rows and rows[0]["images_seen"] == 0 else "first", "end", "end / start")
    for name in [name for name in (rows[-1] if rows else {}) if name != "images_seen"]:
        first, last = rows[0].get(name), rows[-1][name]
        ratio = f"{last / first:.3f}" if first else ""
        table.add_row(name, f"{first:.4g}" if first is not None else "", f"{last:.4g}", ratio)
    if rows:
        console.print(table)
    images, seconds, cpu, memory = (
        run.record.get(name, 0) for name in ("images_seen", "seconds", "cpu_seconds", "peak_memory_gib")
    )
    grids = sorted((run.path / "samples").glob("images_*.png"))
    stopped = run.record.get("stopped")
    lines = [
        *([f"stopped     {stopped}"] if stopped else []),
        f"run         {run.path}",
        f"samples     {grids[-1] if grids else 'none'}",
        f"checkpoint  {run.path / 'checkpoints' / 'last.ckpt'}",
        f"cost        {images} images in {seconds:.0f} s of training, {cpu:.0f} CPU-seconds in all, "
        f"{memory:.2f} GiB at most",
    ]
    for line in lines:
        console.print(line, soft_wrap=True)
