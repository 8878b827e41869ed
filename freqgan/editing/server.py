"""The page of an editor on an address of this machine."""

import socket
from contextlib import ExitStack
from typing import Any, cast, final

import uvicorn

from freqgan.editing.connections import BoundedConnection
from freqgan.editing.editor import Editor
from freqgan.editing.gate import Application, Gate
from freqgan.editing.page import application
from freqgan.errors import UserError

LOOPBACK = ("127.0.0.1", "::1", "localhost")
MOST_CONNECTIONS = 256
KEEP_ALIVE = 5  # seconds that a connection is kept without a request
HEAD_BYTES = 16_384


@final
class PageServer:
    """A server that listens; `run` has it answer.

    Args:
        editor: behind the page.
        host: an address or name of this machine.
        port: 0 for any that is free.
        max_bytes: of a request.
        title: of the page.

    Raises:
        UserError: the address is none of this machine's, or the port is taken.
    """

    def __init__(self, editor: Editor, *, host: str, port: int, max_bytes: int, title: str) -> None:
        self._socket = _listening(host, port)
        self.port = int(self._socket.getsockname()[1])
        names = {host, *LOOPBACK} if host in LOOPBACK else {host}
        spelled = [f"[{name}]" if ":" in name else name for name in sorted(names)]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self.port}/"
        hosts = [f"{name}:{self.port}" for name in spelled] + (spelled if self.port == 80 else [])

        def guarded() -> Application:
            """Made within the running loop: otherwise Gradio makes loops of its own, and does not close them."""
            inside, component = application(editor, title)
            return Gate(cast(Application, inside), component=component, hosts=hosts, max_bytes=max_bytes)

        settings: dict[str, Any] = {"log_level": "error", "access_log": False, "server_header": False}
        settings |= {"http": BoundedConnection, "ws": "none"}
        bounds: dict[str, Any] = {"limit_concurrency": MOST_CONNECTIONS, "timeout_keep_alive": KEEP_ALIVE}
        bounds |= {"h11_max_incomplete_event_size": HEAD_BYTES, "timeout_graceful_shutdown": 1}
        self.server = uvicorn.Server(uvicorn.Config(guarded, factory=True, **settings, **bounds))

    def run(self) -> None:
        """Answers until it is interrupted, or `server.should_exit` is set."""
        try:
            self.server.run(sockets=[self._socket])
        finally:
            self._socket.close()


def _listening(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        if address[0] in ("0.0.0.0", "::"):
            raise UserError(f"host={host} is every address: name one, since the page answers to its own name alone")
        with ExitStack() as opened:
            listening = opened.enter_context(socket.socket(family, kind, protocol))
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen(MOST_CONNECTIONS)
            opened.pop_all()
    except OSError as error:
        why = error.strerror or str(error)
        raise UserError(f"host={host} port={port}: {why}: set another port, 0 for any, or host=127.0.0.1") from error
    return listening
