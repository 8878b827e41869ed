"""What a user waits for: the help, the first step, and the memory of a training run."""

import json
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

Row = tuple[str, float, str]

FIRST_STEP = """
import sys, time
from freqgan import cli
begun = time.process_time()
def watch():
    from freqgan.systems import System
    original = System.training_step
    def step(self, *rest):
        if self.clock.steps == 1:
            sys.stderr.write(f"first step {time.process_time()}\\n")
        return original(self, *rest)
    System.training_step = step
import freqgan.config.application as application
job = application._job
def watched(*arguments, **keywords):
    watch()
    return job(*arguments, **keywords)
application._job = watched
sys.argv = ["freqgan", *sys.argv[1:]]
sys.exit(cli.main())
"""


def rows() -> list[Row]:
    """Name, figure and goal."""
    help_seconds = statistics.median(cpu_of([sys.executable, "-m", "freqgan.cli", "--help"]) for _ in range(3))
    verb_seconds = statistics.median(cpu_of([sys.executable, "-m", "freqgan.cli", "train", "--help"]) for _ in range(3))
    first, memory = training_run()
    return [
        ("freqgan --help, CPU seconds", help_seconds, "<= 0.5"),
        ("freqgan train --help, CPU seconds", verb_seconds, "<= 0.5"),
        ("freqgan train to the first step, CPU seconds", first, "<= 12"),
        ("peak memory of the main job, GiB", memory, "<= 3"),
    ]


def cpu_of(command: list[str]) -> float:
    """CPU seconds of a command and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def training_run() -> tuple[float, float]:
    """CPU seconds to the first step with a warm cache, and peak memory with an evaluation."""
    with tempfile.TemporaryDirectory() as folder:
        base = ["train", "experiment=frequency_gan/openmoji", "budget.minutes=null", "budget.images=256"]
        base += [f"paths.output_dir={folder}", "logger=none", "hardware=cpu"]
        script = [sys.executable, "-c", FIRST_STEP]
        subprocess.run([*script, *base, "evaluation.at_start=none"], check=True, capture_output=True)
        bare = subprocess.run([*script, *base, "metrics=none"], check=True, capture_output=True, text=True)
        line = next(line for line in bare.stderr.splitlines() if line.startswith("first step"))
        records = [json.loads(path.read_text()) for path in Path(folder).rglob("run.json")]
    return float(line.split()[-1]), max(record["peak_memory_gib"] for record in records)
