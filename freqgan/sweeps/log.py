"""The log of a job: what it said, and the one line that tells why it failed."""

from pathlib import Path

SPOKEN = "freqgan: "


def reason(log: Path, begin: int, status: int) -> str:
    """The first line that a command said about its end; its status and its last words where it said none.

    Args:
        log: output of a job, of all its attempts.
        begin: where this attempt begins, in bytes.
        status: that the job ended with.
    """
    try:
        text = log.read_bytes()[begin:].decode(errors="replace")
    except OSError:
        text = ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    spoken = [line.removeprefix(SPOKEN) for line in lines if line.startswith(SPOKEN)]
    if spoken:
        return spoken[0]
    return f"it ended with status {status}" + (f", its last words: {lines[-1]}" if lines else "")
