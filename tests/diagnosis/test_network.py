import socket
import time

import pytest

from freqgan.diagnosis.network import SECONDS, unreachable
from tests.diagnosis.servers import NOBODY, answering


@pytest.mark.parametrize(
    ("status", "server", "file"),
    [(200, "", ""), (404, "", "it answers 404 Not Found"), (503, "", "it answers 503 Service Unavailable")],
)
def test_any_answer_is_one_but_a_file_has_to_be_there(status: int, server: str, file: str) -> None:
    with answering(status) as url:
        assert unreachable(url) == server
        assert unreachable(url, file=True) == file


def test_a_refused_connection() -> None:
    assert unreachable(NOBODY).endswith("Connection refused")


def test_what_is_no_address() -> None:
    assert unreachable("nonsense").startswith("ValueError")


def test_a_server_that_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        begun = time.monotonic()
        assert unreachable(f"http://127.0.0.1:{silent.getsockname()[1]}", seconds=0.2)
        assert time.monotonic() - begun < 2


def test_a_name_that_is_never_found_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(*arguments: object, **options: object) -> None:
        time.sleep(1)
        raise socket.gaierror("no such name")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    begun = time.monotonic()
    assert unreachable("http://example.invalid", seconds=0.2) == "no answer within 0.2 s"
    assert time.monotonic() - begun < 0.9


def test_nobody_waits_longer_than_three_seconds() -> None:
    assert SECONDS <= 3
