"""What a job would be, found out before it starts, in a process that may die of it."""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any, Self, final

from freqgan import config
from freqgan.config.sweeping import SweepCommand, Values
from freqgan.errors import FreqganError, UserError
from freqgan.sweeps.processes import fork_server
from freqgan.terminal import Once, log_to, stderr_handler

DIED = 1  # status of a job whose examination did not survive


@final
@dataclass(frozen=True)
class Examined:
    """A job's config, checked, and the name that it gives the job.

    Attributes:
        key: a hash of the config and the data; of what is known, where the job cannot run.
        config_key: a hash of the config alone; of the overrides where there is none.
        refusal: why it cannot run; empty if it can.
        exit_status: that the job would have; 2 for the user's mistake.
        settings: the config as plain data; empty where it could not be composed.
        parameters: of all networks that are trained.
    """

    key: str
    config_key: str
    refusal: str = ""
    exit_status: int = 0
    settings: dict[str, Any] = field(default_factory=dict)
    parameters: int = 0


@final
class Examiner:
    """Examines jobs in a process of its own, one after the other.

    Args:
        command: the sweep they belong to.
    """

    def __init__(self, command: SweepCommand) -> None:
        self.command = command
        self._process: Any = None
        self._connection: Any = None
        self._chosen: Values = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def __call__(self, chosen: Values) -> Examined:
        """Examines the job with these overrides."""
        self.begin(chosen)
        while (found := self.poll(None)) is None:
            pass
        return found

    def begin(self, chosen: Values) -> None:
        """Begins to examine the job with these overrides; `poll` gives the answer."""
        if self._process is None:
            context = fork_server()
            self._connection, theirs = context.Pipe()
            self._process = context.Process(target=_answer, args=(theirs, self.command))
            self._process.start()
            theirs.close()
        self._chosen = chosen
        with suppress(OSError):  # if it has died, `poll` says so
            self._connection.send(chosen)

    def poll(self, seconds: float | None) -> Examined | None:
        """The answer, if it comes within this time; None stands for any time."""
        try:
            if not self._connection.poll(seconds):
                return None
            answer: Examined = self._connection.recv()
        except (EOFError, OSError):
            self._process.join()
            status = self._process.exitcode
            self._end()
            key = digest(self._chosen)
            return Examined(key, key, f"unexpected end of the process that examined it, with status {status}", DIED)
        return answer

    def _end(self) -> None:
        if self._process is not None:
            self._connection.close()
            self._process.kill()
            self._process.join()
            self._process = None


def _answer(connection: Connection, command: SweepCommand) -> None:
    """Examines what comes through a connection until it closes."""
    handler = stderr_handler()
    handler.addFilter(Once())
    with log_to(handler):
        while True:
            try:
                connection.send(examine(command, connection.recv()))
            except (EOFError, OSError):
                return


def examine(command: SweepCommand, chosen: Values) -> Examined:
    """Composes and checks a job's config, and gets its data ready."""
    settings: dict[str, Any] = {}
    key = digest(chosen)
    try:
        settings = command.compose(chosen)
        key = _key(settings, "")
        config.check(settings)
        data = config.build_data(settings)
        data.prepare_data()
        data.setup("fit")
        return Examined(_key(settings, data.fingerprint()), key, settings=settings, parameters=_parameters(settings))
    except UserError as error:
        return Examined(key, key, "; ".join(error.lines), error.exit_status, settings)
    except FreqganError as error:
        return Examined(key, key, str(error), error.exit_status, settings)
    except Exception as error:
        return Examined(key, key, f"unexpected {type(error).__name__}: {error}", DIED, settings)


def _key(settings: Mapping[str, Any], fingerprint: str) -> str:
    """Names a job by what makes its result; callbacks, which a run may change as it goes on, are part of it."""
    from freqgan.runs.resume import identity

    return digest(identity(settings, fingerprint, {}) | {"callbacks": settings.get("callbacks")})


def _parameters(settings: dict[str, Any]) -> int:
    import torch

    with torch.device("meta"):
        parameters: int = config.build_model(settings, seed=settings["seed"]).trained_parameters
    return parameters


def digest(value: object) -> str:
    """Twelve hexadecimal digits of a value's content."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:12]
