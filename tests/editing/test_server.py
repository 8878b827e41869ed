"""The page over HTTP: what it answers, to whom, and what it survives."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from freqgan.editing import connections, gate
from freqgan.editing.gate import AT_ONCE
from freqgan.errors import UserError
from tests.editing.canvases import ROAD, SKY, editor

pytest.importorskip("gradio", reason="the page needs gradio: pip install 'freqgan[edit]'")
from freqgan.editing.server import MOST_CONNECTIONS, PageServer
from tests.editing.serving import ASK, MAX_BYTES, Client, served

PAINT = {"do": "paint", "points": [[2.5, 2.5]], "label": ROAD, "radius": 1}
HEALTHY = {"do": "show"}


@pytest.fixture(scope="module")
def server() -> Iterator[PageServer]:
    with served(editor()) as running:
        yield running


@pytest.fixture
def client(server: PageServer) -> Iterator[Client]:
    """Whatever a test does, the server answers afterwards."""
    some = Client(server)
    yield some
    status, reply = some.ask(HEALTHY)
    assert status == 200
    assert reply["width"] == 16


def test_the_page_and_what_it_needs_are_there(client: Client) -> None:
    status, body, headers = client.request("GET", "/")
    assert status == 200
    assert b"an editor" in body
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert client.get("/theme.css") == client.get("/favicon.ico") == client.get("/?__theme=dark") == 200


def test_an_edit_is_answered(client: Client) -> None:
    status, before = client.ask(HEALTHY)
    status, reply = client.ask(PAINT | {"revision": before["revision"]})
    assert status == 200
    assert reply["labels"]["box"][:2] == [1, 1]
    assert reply["picture"]["png"].startswith("data:image/png;base64,")
    assert client.ask({"do": "undo"})[1]["undo"] == before["undo"]


@pytest.mark.fault("edit", "page from elsewhere")
@pytest.mark.parametrize(
    "host", [None, "", "evil.example", "evil.example:{}", "127.0.0.1", "localhost:1", "0.0.0.0:{}"]
)
def test_under_another_name_nothing_is_answered(client: Client, host: str | None) -> None:
    name = host and host.format(client.port)
    for path in ("/", "/theme.css"):
        assert client.get(path, Host=name) in (400, 421)
    assert client.ask(HEALTHY, Host=name)[0] in (400, 421)


def test_under_its_own_names_it_is_answered(client: Client) -> None:
    for name in ("127.0.0.1", "localhost", "LOCALHOST", "[::1]"):
        assert client.get("/theme.css", Host=f"{name}:{client.port}") == 200


@pytest.mark.fault("edit", "page from elsewhere")
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_a_page_from_elsewhere_is_not_answered(client: Client, headers: dict[str, str]) -> None:
    assert client.ask(PAINT, **headers)[0] == 403


def test_the_page_itself_is_answered(client: Client) -> None:
    assert client.ask(HEALTHY, Origin=f"http://{client.host}", Sec_Fetch_Site="same-origin")[0] == 200


PATHS = (
    *("/config", "/info", "/docs", "/openapi.json", "/gradio_api/info", "/gradio_api/config", "/gradio_api/queue/data"),
    *(
        "/gradio_api/upload",
        "/gradio_api/heartbeat/abc",
        "/gradio_api/startup-events",
        "/monitoring",
        "/login",
        "/token",
    ),
    *("/gradio_api/file=config.yaml", "/file=config.yaml", "/gradio_api/file/config.yaml", "/run.json", "/config.yaml"),
    *("/gradio_api/proxy=http://127.0.0.1/", "/gradio_api/component_server", "/?deep_link=abc", "/?file=config.yaml"),
    *("/assets/../../../pyproject.toml", "/assets/%2e%2e/%2e%2e/pyproject.toml", "/static/..%2f..%2fsetup.py"),
    *(
        "/assets/....//config",
        "//etc/passwd",
        "/assets//etc/passwd",
        "/static/img/../../config",
        "/assets/%00",
        "/a" * 900,
    ),
    *("/assets/..", "/theme.css/..", "/static/js/%2e%2e", "/svelte/x", "/custom_component/1/a/b/c", "/robots.txt"),
)


@pytest.mark.fault("edit", "path that is not needed")
@pytest.mark.parametrize("path", PATHS)
def test_no_other_path_is_there(client: Client, path: str) -> None:
    assert client.get(path) == 404
    assert client.request("POST", path, b"{}", Content_Type="application/json")[0] in (404, 405)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
def test_no_other_method_is_taken(client: Client, method: str) -> None:
    assert client.request(method, "/")[0] == client.request(method, ASK)[0] == 405


QUESTIONS = {
    "no JSON": b"{",
    "another encoding": "{}".encode("utf-16"),
    "deep": b"[" * 30_000,
    "a list": b"[]",
    "more keys": json.dumps({"data": {}, "component_id": 1, "fn_name": "edit", "session_hash": "a", "x": 1}).encode(),
    "another function": json.dumps(
        {"data": {}, "component_id": 1, "fn_name": "__class__", "session_hash": "a"}
    ).encode(),
    "fewer keys": json.dumps({"data": {}, "component_id": 1, "fn_name": "edit"}).encode(),
    "no object": json.dumps({"data": [1], "component_id": 1, "fn_name": "edit", "session_hash": "a"}).encode(),
    "a file": json.dumps({"data": "x", "component_id": 1, "fn_name": "edit", "session_hash": "../a"}).encode(),
    "a long number": b'{"data":' + b"1" * 20_000 + b"}",
}


@pytest.mark.fault("edit", "malformed question")
@pytest.mark.parametrize("name", QUESTIONS)
def test_a_malformed_question_is_refused(client: Client, name: str) -> None:
    assert client.request("POST", ASK, QUESTIONS[name], Content_Type="application/json")[0] == 400


@pytest.mark.fault("edit", "malformed question")
def test_a_question_of_another_kind_is_refused(client: Client) -> None:
    for kind in (None, "text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"):
        assert client.ask(HEALTHY, Content_Type=kind)[0] == 415


@pytest.mark.fault("edit", "malformed question")
def test_no_other_component_and_no_session_can_be_named(client: Client) -> None:
    for component, session in ((0, "a"), (10**9, "../a"), ("x", None), ([], {})):
        asked = {"data": HEALTHY, "component_id": component, "fn_name": "edit", "session_hash": session}
        answer = client.request("POST", ASK, json.dumps(asked).encode(), Content_Type="application/json")
        assert json.loads(answer[1])["width"] == 16


@pytest.mark.fault("edit", "file that is not there to be read")
def test_a_file_that_is_named_is_not_read(client: Client, tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"a secret")
    named = {"path": str(secret), "meta": {"_type": "gradio.FileData"}, "url": f"file://{secret}"}
    for data in (
        named,
        {"do": "show", "revision": named},
        {"do": "upload", "png": named},
        {"do": "upload", "png": str(secret)},
    ):
        status, reply = client.ask(data)
        assert (status, [*reply]) == (200, ["error"])
        assert "a secret" not in reply["error"]


@pytest.mark.fault("edit", "question that is too large")
def test_what_is_too_large_is_not_read(client: Client) -> None:
    assert client.ask({"do": "upload", "png": "A" * MAX_BYTES})[0] == 413
    headers = {"Content_Type": "application/json"}
    assert client.request("POST", ASK, b"{}", **headers, Content_Length=str(10**12))[0] == 413
    taken: list[int] = []

    def endless() -> Iterator[bytes]:
        for _ in range(4000):
            taken.append(1)
            yield b" " * 16_384

    try:
        status = client.request("POST", ASK, endless(), **headers, Transfer_Encoding="chunked")[0]
    except (BrokenPipeError, ConnectionResetError):
        status = 413
    assert status == 413
    assert len(taken) < 1000


@pytest.mark.fault("edit", "question that does not end")
def test_what_does_not_arrive_is_given_up(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "SECONDS", 0.2)
    head = f"POST {ASK} HTTP/1.1\r\nHost: {client.host}\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n"
    with socket.create_connection(("127.0.0.1", client.port), timeout=10) as connection:
        connection.sendall(head.encode() + b"{")
        assert b" 408 " in connection.recv(4096)
    client.raw(head.encode() + b"{")  # it breaks off


@pytest.mark.fault("edit", "connections that say nothing")
@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nHost: ", b"GET /theme.css HTTP/1.1\r\nHost: {}\r\n\r\nG"])
def test_connections_that_stand_still_shut_nobody_out(
    client: Client, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr(connections, "ASKING", 1.0)
    monkeypatch.setattr(connections, "LOOK", 0.1)
    assert client.get("/theme.css") == 200
    with ExitStack() as held:
        for _ in range(MOST_CONNECTIONS):
            one = held.enter_context(socket.create_connection(("127.0.0.1", client.port), timeout=10))
            one.sendall(said.replace(b"{}", client.host.encode()))
        assert client.get("/theme.css") == 503
        until = time.monotonic() + 20
        while client.get("/theme.css") != 200:
            assert time.monotonic() < until
            time.sleep(0.2)


@pytest.mark.fault("edit", "connections that say nothing")
def test_an_answer_that_is_not_read_is_given_up(
    server: PageServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "ANSWERING", 1.0)
    monkeypatch.setattr(connections, "LOOK", 0.1)
    kept = server.server.server_state.connections
    until = time.monotonic() + 20

    def wait(reached: Callable[[], bool]) -> None:
        while not reached():
            assert time.monotonic() < until
            time.sleep(0.05)

    wait(lambda: not kept)
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", client.port))
        deaf.sendall(b"GET / HTTP/1.1\r\nHost: %s\r\n\r\n" % client.host.encode() * 400)
        wait(lambda: bool(kept))
        answered = server.server.server_state.total_requests
        wait(lambda: not kept)
    assert server.server.server_state.total_requests < answered + 400


BYTES: tuple[bytes, ...] = (
    b"\x00" * 500,
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),  # TLS
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET /\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"X: " + b"a" * 100_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"".join(b"X%d: a\r\n" % n for n in range(5000)) + b"\r\n",
    b"POST " + ASK.encode() + b" HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    b"POST " + ASK.encode() + b" HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"G\xffT / HTTP/1.1\r\nHost: \xff\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
)


@pytest.mark.fault("edit", "bytes that are no request")
def test_a_hundred_at_once_and_malformed_ones_among_them_are_survived(
    server: PageServer, client: Client, tally: Callable[[int, int], None]
) -> None:
    revision, seen, lock = client.ask(HEALTHY)[1]["revision"], list[int](), threading.Lock()
    ended: list[int] = []

    def one(number: int) -> None:
        if number % 3 == 0:
            client.raw(BYTES[number // 3 % len(BYTES)], wait=10)
            ended.append(number)
            return
        label = (SKY, ROAD)[number % 2]
        place = [number % 16 + 0.5, number % 12 + 0.5]
        status, _ = client.ask({"do": "paint", "points": [place], "label": label, "radius": 1})
        with lock:
            seen.append(status)
            ended.append(number)

    with ThreadPoolExecutor(100) as many:
        list(many.map(one, range(100)))
    assert {*seen} <= {200, 503}
    done = client.ask(HEALTHY)[1]["revision"] - revision
    assert done == seen.count(200) >= AT_ONCE  # each is done once, or turned away
    tally(100, len({*ended}))


def test_ends_without_words_when_it_is_told_to() -> None:
    with served(editor()) as server:
        assert Client(server).get("/theme.css") == 200
    with pytest.raises(ConnectionRefusedError):
        Client(server).get("/")


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_every_address_at_once_is_refused(host: str) -> None:
    with pytest.raises(UserError, match="is every address: name one"):
        PageServer(editor(), host=host, port=0, max_bytes=1, title="")


def test_a_taken_port_is_a_line(server: PageServer) -> None:
    with pytest.raises(UserError, match=rf"port={server.port}: .*set another port"):
        PageServer(editor(), host="127.0.0.1", port=server.port, max_bytes=1, title="")
    with pytest.raises(UserError, match=r"host=192\.0\.2\.1"):
        PageServer(editor(), host="192.0.2.1", port=0, max_bytes=1, title="")
