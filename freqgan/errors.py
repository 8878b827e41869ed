"""The ways a command can end other than well, each with its exit status.

0 trained to the budget; 1 a failure of ours or of a job; 2 the user's mistake; 65 diverged; 74 storage;
130 and 143 interrupted after a whole step and a checkpoint. `freqgan.cli` turns them into lines on stderr.
"""

import signal


class FreqganError(Exception):
    """Base of all errors that end a command with one line instead of a traceback."""

    exit_status = 1


class UserError(FreqganError):
    """The user's mistake: each line says what was got, what is wanted and what to change.

    Args:
        *lines: one problem per line, with its config path where it has one.
    """

    exit_status = 2

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


class DivergedError(FreqganError):
    """A loss, gradient, weight or buffer is not finite."""

    exit_status = 65


class StorageError(FreqganError):
    """A file of the run could not be written or read back."""

    exit_status = 74


class InterruptedRunError(FreqganError):
    """A signal ended the run after a whole step and a checkpoint.

    Args:
        signum: the signal; the exit status is 130 for Ctrl-C and 143 otherwise, as SIGUSR1 asks a job to stop too.
    """

    def __init__(self, signum: int, message: str) -> None:
        super().__init__(message)
        self.exit_status = 130 if signum == signal.SIGINT else 143
