import multiprocessing
import os
import signal
from collections.abc import Iterator

import pytest

from freqgan.callbacks import Interruption
from freqgan.callbacks.interruption import SIGNALS
from freqgan.errors import InterruptedRunError
from freqgan.lifetime import shielded
from tests.callbacks.stand_ins import new_system, step
from tests.systems.toy import Toy


@pytest.fixture(autouse=True)
def _in_a_terminal() -> Iterator[None]:
    """These tests may themselves run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def training() -> Iterator[tuple[Toy, Interruption]]:
    """A training between two steps; the signals are given back afterwards."""
    toy, interruption = new_system(), Interruption()
    before = {signum: signal.getsignal(signum) for signum in SIGNALS}
    interruption.on_train_start(toy.trainer, toy)
    yield toy, interruption
    interruption.teardown(toy.trainer, toy, "fit")
    assert {signum: signal.getsignal(signum) for signum in SIGNALS} == before


def send(signum: int) -> None:
    os.kill(os.getpid(), signum)


@pytest.mark.parametrize(
    ("signum", "exit_status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGUSR1, 143), (signal.SIGHUP, 143)],
)
@pytest.mark.fault("resume", "SIGTERM, SIGINT or SIGUSR1")
def test_within_a_step_it_waits_for_the_end(
    training: tuple[Toy, Interruption], signum: signal.Signals, exit_status: int
) -> None:
    toy, interruption = training
    step(toy, interruption)
    interruption.on_train_batch_start(toy.trainer, toy, {}, 0)
    send(signum)
    toy.run(1)
    with pytest.raises(InterruptedRunError, match=f"interrupted by {signum.name} after a whole step") as caught:
        interruption.on_train_batch_end(toy.trainer, toy, {}, {}, 0)
    assert caught.value.exit_status == exit_status
    assert toy.clock.steps == 2


@pytest.mark.parametrize("steps", [0, 1])
@pytest.mark.fault("resume", "SIGTERM, SIGINT or SIGUSR1")
def test_between_steps_it_acts_at_once(training: tuple[Toy, Interruption], steps: int) -> None:
    toy, interruption = training
    for _ in range(steps):
        step(toy, interruption)
    with pytest.raises(InterruptedRunError, match="SIGTERM"):
        send(signal.SIGTERM)


def test_signals_are_given_back_once() -> None:
    toy, interruption = new_system(), Interruption()

    def own(*_: object) -> None: ...

    before = signal.signal(signal.SIGUSR1, own)
    interruption.on_train_start(toy.trainer, toy)
    assert signal.getsignal(signal.SIGUSR1) is not own
    interruption.teardown(toy.trainer, toy, "fit")
    assert signal.signal(signal.SIGUSR1, before) is own
    interruption.teardown(toy.trainer, toy, "fit")
    assert signal.getsignal(signal.SIGUSR1) == before


@pytest.mark.fault("resume", "SIGTERM, SIGINT or SIGUSR1")
def test_before_the_first_step_it_acts_at_once_and_says_so() -> None:
    before = {signum: signal.getsignal(signum) for signum in SIGNALS}
    expected = pytest.raises(InterruptedRunError, match="interrupted by SIGUSR1 before the first step")
    with expected, Interruption().listening():
        send(signal.SIGUSR1)
    assert {signum: signal.getsignal(signum) for signum in SIGNALS} == before


@pytest.mark.fault("resume", "SIGTERM, SIGINT or SIGUSR1")
def test_what_is_shielded_is_finished_first(training: tuple[Toy, Interruption]) -> None:
    done = []

    def act() -> None:
        with shielded():
            with shielded():
                send(signal.SIGTERM)
                done.append("inner")
            done.append("outer")
        done.append("behind")

    with pytest.raises(InterruptedRunError, match="SIGTERM"):
        act()
    assert done == ["inner", "outer"]
    with shielded():  # nothing is left of it
        pass


def test_nohup_keeps_a_run_going_without_its_terminal() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interruption().listening():
            send(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("signum", SIGNALS)
def test_a_second_signal_ends_the_process_at_once(signum: signal.Signals) -> None:
    def child() -> None:
        toy, interruption = new_system(), Interruption()
        interruption.on_train_start(toy.trainer, toy)
        interruption.on_train_batch_start(toy.trainer, toy, {}, 0)
        send(signum)
        send(signum)
        os._exit(0)

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(30)
    assert process.exitcode == -signum
