"""The log of a job: what it said, and the one line that tells why it failed."""

from pathlib import Path

SPOKEN = "freqgan: "


def last_line(log: Path, begin: int) -> str:
    """The first of the last lines that a command said about its end; any last line where it said none.

    Args:
        log: output of a job, of all its attempts.
        begin: where this attempt begins, in bytes.
    """
    try:
        text = log.read_bytes()[begin:].decode(errors="replace")
    except OSError:
        return ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    spoken = [line.removeprefix(SPOKEN) for line in lines if line.startswith(SPOKEN)]
    return spoken[0] if spoken else lines[-1] if lines else ""
