"""What a job would be, found out before it starts, in a process that may die of it."""

import hashlib
import json
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any, Self, final

from freqgan import config
from freqgan.config.sweeping import SweepCommand, Values
from freqgan.errors import UserError
from freqgan.sweeps.processes import fork_server
from freqgan.terminal import log_to, stderr_handler


@final
@dataclass(frozen=True)
class Examined:
    """A job's config, checked, and the name that it gives the job.

    Attributes:
        key: a hash of the config and the data; of the overrides alone where there is no config.
        refusal: why it cannot run; empty if it can.
        settings: the config as plain data; empty where it could not be composed.
        parameters: of all networks that are trained.
    """

    key: str
    refusal: str = ""
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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def __call__(self, chosen: Values) -> Examined:
        """Examines the job with these overrides."""
        if self._process is None:
            context = fork_server()
            self._connection, theirs = context.Pipe()
            self._process = context.Process(target=_answer, args=(theirs, self.command), daemon=False)
            self._process.start()
            theirs.close()
        try:
            self._connection.send(chosen)
            answer: Examined = self._connection.recv()
        except (EOFError, OSError):
            self._process.join()
            status = self._process.exitcode
            self._end()
            return Examined(_hash(chosen), f"unexpected end of the process that examined it, with status {status}")
        return answer

    def _end(self) -> None:
        if self._process is not None:
            self._connection.close()
            self._process.join()
            self._process = None


def _answer(connection: Connection, command: SweepCommand) -> None:
    """Examines what comes through a connection until it closes."""
    with log_to(stderr_handler()):
        while True:
            try:
                chosen = connection.recv()
            except (EOFError, OSError, KeyboardInterrupt):
                return
            connection.send(examine(command, chosen))


def examine(command: SweepCommand, chosen: Values) -> Examined:
    """Composes and checks a job's config, and gets its data ready."""
    from freqgan.runs.resume import identity

    settings: dict[str, Any] = {}
    try:
        settings = command.compose(chosen)
        config.check(settings)
        data = config.build(settings["data"])
        data.prepare_data()
        data.setup("fit")
        same = identity(settings, data.fingerprint(), {})
        return Examined(_hash(same), settings=settings, parameters=_parameters(settings))
    except UserError as error:
        return Examined(_hash(settings or chosen), "; ".join(error.lines), settings)
    except Exception as error:
        return Examined(_hash(settings or chosen), f"unexpected {type(error).__name__}: {error}", settings)


def _parameters(settings: dict[str, Any]) -> int:
    import torch

    with torch.device("meta"):
        system = config.build_model(settings, seed=settings["seed"])
    return sum(p.numel() for network in system.players().values() for p in network.parameters())


def _hash(value: object) -> str:
    """Twelve hexadecimal digits of a value's content."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:12]
