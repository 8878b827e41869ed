"""Weights & Biases: the mode that runs would use and why, whether there is a key, and whether the server answers."""

import os
from collections.abc import Iterator

from freqgan.diagnosis.network import unreachable
from freqgan.diagnosis.row import Row, note, ok

MODES = ("online", "offline", "disabled", "shared", "dryrun", "run")


def server() -> str:
    """The address of the server, as W&B reads it."""
    return os.environ.get("WANDB_BASE_URL") or "https://api.wandb.ai"


def mode() -> tuple[str, str]:
    """The mode of a run with the default config, and why; the mirror decides."""
    from freqgan.callbacks.wandb_mirror import default_mode

    if told := os.environ.get("WANDB_MODE"):
        return told, f"WANDB_MODE={told}"
    settled = default_mode()
    return settled, "there is a key" if settled == "online" else f"there is no key for {server()}"


def state() -> Iterator[Row]:
    """A row each for the mode and the key; the key itself is never shown."""
    settled, why = mode()
    if settled not in MODES:
        fact, remedy = f"{why} is no mode: W&B refuses it", "set WANDB_MODE=online or offline, or unset it"
        yield note("W&B mode", fact, remedy)
    else:
        upload = "; `wandb sync` uploads such runs later" if settled == "offline" else ""
        yield ok("W&B mode", f"{settled}: {why}{upload}")
    place = source_of_key()
    if place is None and settled == "online":
        yield note("W&B key", "none, but runs are to be online", "wandb login, or export WANDB_MODE=offline")
    else:
        yield ok("W&B key", f"present in {place}" if place else "none: not needed offline, `wandb login` adds one")


def source_of_key() -> str | None:
    """Where the key is, not what it is; None without one."""
    from freqgan.callbacks.wandb_mirror import default_mode

    if os.environ.get("WANDB_API_KEY"):
        return "WANDB_API_KEY"
    return "the netrc file" if default_mode() == "online" else None


def reachable() -> Iterator[Row]:
    """The server, unless runs are kept from it on purpose."""
    settled = os.environ.get("WANDB_MODE", "")
    if settled in ("offline", "disabled", "dryrun"):
        yield ok("W&B server", f"not asked: WANDB_MODE={settled}")
        return
    lack = unreachable(server())
    if not lack:
        yield ok("W&B server", f"{server()} answers")
    elif mode()[0] == "online":
        fact = f"{server()} does not answer ({lack}): each run waits for it, then is kept offline"
        yield note("W&B server", fact, "export WANDB_MODE=offline, and `wandb sync` later")
    else:
        yield ok("W&B server", f"{server()} does not answer ({lack}); not needed offline")
