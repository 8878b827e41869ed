"""A page that is really served, and browsers and clients that are not well-behaved."""

import http.client
import json
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from freqgan.editing import Editor
from freqgan.editing.server import PageServer

MAX_BYTES = 65_536
BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")


@contextmanager
def served(editor: Editor) -> Iterator[PageServer]:
    """The page on a free port, in a thread."""
    server = PageServer(editor, host="127.0.0.1", port=0, max_bytes=MAX_BYTES, title="an editor")
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield server
    finally:
        server.server.should_exit = True
        thread.join(10)


class Client:
    """Requests, each on a connection of its own."""

    def __init__(self, server: PageServer) -> None:
        self.port = server.port
        self.host = f"127.0.0.1:{server.port}"

    def request(
        self, method: str, path: str, body: bytes | Iterator[bytes] | None = None, **headers: str | None
    ) -> tuple[int, bytes, dict[str, str]]:
        """Status, body and headers of an answer; a header None is left out."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        given = {"Host": self.host, **{name.replace("_", "-"): value for name, value in headers.items()}}
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            if isinstance(body, bytes) and "Content-Length" not in given:
                given["Content-Length"] = str(len(body))
            for name, value in given.items():
                if value is not None:
                    connection.putheader(name, value)
            connection.endheaders(body, encode_chunked=body is not None and not isinstance(body, bytes))
            answer = connection.getresponse()
            content = b""
            with suppress(ConnectionError):  # of a request that was not read to its end
                content = answer.read()
            return answer.status, content, {name.lower(): value for name, value in answer.getheaders()}
        finally:
            connection.close()

    def get(self, path: str, **headers: str | None) -> int:
        """The status of a page."""
        return self.request("GET", path, **headers)[0]

    def ask(self, data: Any, **headers: str | None) -> tuple[int, Any]:
        """What the editor answers."""
        asked = {"data": data, "component_id": 1, "fn_name": "edit", "session_hash": "abc"}
        given = {"Content_Type": "application/json"} | headers
        status, body, _ = self.request("POST", ASK, json.dumps(asked).encode(), **given)
        return status, json.loads(body) if status == 200 else body.decode()

    def raw(self, content: bytes, *, wait: float = 5) -> bytes:
        """What comes back for some bytes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=wait) as connection:
            try:
                connection.sendall(content)
                connection.shutdown(socket.SHUT_WR)
                return b"".join(iter(lambda: connection.recv(65536), b""))
            except (TimeoutError, ConnectionError):
                return b""


ASK = "/gradio_api/component_server/"
