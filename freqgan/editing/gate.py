"""The only door to the page: to its own host names, on the paths that it needs, for bodies of a bounded size.

Gradio serves files, uploads, queues and more; none of it is needed here, so none of it is reached. A page of somebody
else's cannot ask either: a browser tells where a request comes from, and by which name the server was called, which is
another one where a foreign name was bound to this address (DNS rebinding).
"""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, final

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

SECONDS = 15.0  # that a body may take to arrive
AT_ONCE = 32  # bodies that are read or answered; further ones are turned away

_ASK = "/gradio_api/component_server/"
_FILES = re.compile(r"/(assets|static/js|static/img|static/fonts)(/[A-Za-z0-9_-][A-Za-z0-9._-]*){1,2}", re.ASCII)
_PAGES = ("/", "/theme.css", "/favicon.ico", "/manifest.json")
_THEMES = (b"", b"__theme=light", b"__theme=dark")
_PASSED = (b"accept", b"content-type", b"host")
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",  # Gradio makes a function of a component's script
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "manifest-src 'self'",
        "base-uri 'self'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


class _Refusal(Exception):
    """Why a request is turned away, and the status that says so."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@final
class Gate:
    """An ASGI application before another.

    Args:
        inside: what it guards.
        component: Gradio's number of the component that every question goes to.
        hosts: names, with their port unless it is 80, that requests may call the server by.
        max_bytes: of a request's body.
    """

    def __init__(self, inside: Application, *, component: int, hosts: Sequence[str], max_bytes: int) -> None:
        self.inside, self.component, self.max_bytes = inside, component, max_bytes
        self._hosts = {host.lower().encode() for host in hosts}
        self._origins = {b"http://" + host for host in self._hosts}
        self._inside_now = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answers a request, or has it answered."""
        if scope["type"] == "lifespan":
            await self.inside(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        try:
            self._check(scope)
            await self._pass(scope, receive, _marked(send))
        except _Refusal as refusal:
            await _refuse(refusal, _marked(send))

    def _check(self, scope: Message) -> None:
        """Who asks for what, by its head alone."""
        headers: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.lower(), []).append(value)
        if len(host := headers.get(b"host", [])) != 1 or host[0].lower() not in self._hosts:
            raise _Refusal(421, "the server has another name")
        if any(origin not in self._origins for origin in headers.get(b"origin", [])):
            raise _Refusal(403, "a page from elsewhere asks")
        if headers.get(b"sec-fetch-site", [b"none"])[0] not in (b"none", b"same-origin"):
            raise _Refusal(403, "a page from elsewhere asks")
        path = scope["path"]
        if path == _ASK:
            self._check_question(scope, headers)
        elif path not in _PAGES and not (_FILES.fullmatch(path) and ".." not in path):
            raise _Refusal(404, "there is nothing")
        elif scope["method"] not in ("GET", "HEAD"):
            raise _Refusal(405, "it can be read alone")
        elif path == "/" and scope["query_string"] not in _THEMES:
            raise _Refusal(404, "there is nothing")

    def _check_question(self, scope: Message, headers: dict[bytes, list[bytes]]) -> None:
        if scope["method"] != "POST":
            raise _Refusal(405, "it is asked with POST")
        if headers.get(b"content-type", [b""])[0].partition(b";")[0].strip().lower() != b"application/json":
            raise _Refusal(415, "a question is JSON")
        length = headers.get(b"content-length", [b"0"])[0]
        if not length.isdigit() or int(length) > self.max_bytes:
            raise _Refusal(413, f"more than {self.max_bytes} bytes")

    async def _pass(self, scope: Message, receive: Receive, send: Send) -> None:
        """Hands a request in with its whole body, and with no header but those that are needed."""
        if self._inside_now >= AT_ONCE:
            raise _Refusal(503, "too many ask at once")
        self._inside_now += 1
        try:
            body = _question(await self._body(receive), self.component) if scope["path"] == _ASK else b""
            kept = [(name, value) for name, value in scope["headers"] if name.lower() in _PASSED]
            kept.append((b"content-length", str(len(body)).encode()))
            given = iter([{"type": "http.request", "body": body, "more_body": False}])

            async def again() -> Message:
                return next(given, None) or await receive()

            await self.inside({**scope, "headers": kept}, again, send)
        finally:
            self._inside_now -= 1

    async def _body(self, receive: Receive) -> bytes:
        body = bytearray()
        try:
            async with asyncio.timeout(SECONDS):
                while True:
                    message = await receive()
                    if message["type"] != "http.request":
                        raise _Refusal(400, "it broke off")
                    body += message.get("body", b"")
                    if len(body) > self.max_bytes:
                        raise _Refusal(413, f"more than {self.max_bytes} bytes")
                    if not message.get("more_body", False):
                        return bytes(body)
        except TimeoutError as error:
            raise _Refusal(408, f"more than {SECONDS:g} seconds") from error


def _question(body: bytes, component: int) -> bytes:
    """What is asked of the one component, with nothing that Gradio would take for something else.

    It remembers something of every session, of which there is one for all.
    """
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _Refusal(400, "no JSON") from error
    if not isinstance(asked, dict) or {*asked} != {"data", "component_id", "fn_name", "session_hash"}:
        raise _Refusal(400, "no question")
    if asked["fn_name"] != "edit" or not isinstance(asked["data"], dict):
        raise _Refusal(400, "no question")
    passed = {"data": asked["data"], "component_id": component, "fn_name": "edit", "session_hash": "page"}
    return json.dumps(passed).encode()


def _marked(send: Send) -> Send:
    """The same with the headers that every answer has."""

    async def marked(message: Message) -> None:
        if message["type"] == "http.response.start":
            ours = {name for name, _ in _HEADERS}
            kept = [(name, value) for name, value in message.get("headers", []) if name.lower() not in ours]
            message = {**message, "headers": [*kept, *_HEADERS]}
        await send(message)

    return marked


async def _refuse(refusal: _Refusal, send: Send) -> None:
    body = f"{refusal}\n".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    headers.append((b"connection", b"close"))  # what of a body is on its way is not read
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
