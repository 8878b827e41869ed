"""A callback that lets a job fail in one of many ways, chosen on its command line."""

import os
import signal
import sys
import time
from typing import Any

import pytorch_lightning as pl


class Fault(pl.Callback):
    """Does something at the end of the second step."""

    def __init__(self, *, kind: str = "none") -> None:
        self.kind = kind
        self.steps = 0

    def on_train_batch_end(self, *_: Any) -> None:
        self.steps += 1
        if self.kind == "slow":
            time.sleep(0.1)
        if self.steps == 2:
            getattr(self, self.kind, lambda: None)()

    def error(self) -> None:
        raise RuntimeError("broken on purpose")

    def exit_3(self) -> None:
        sys.exit(3)

    def exit_0(self) -> None:
        sys.exit(0)

    def kill(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def memory(self) -> None:
        bytearray(1 << 60)

    def hang(self) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)
