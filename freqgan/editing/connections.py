"""Connections that are closed where the other side keeps them and says nothing."""

import asyncio
from typing import final

from uvicorn.protocols.http.h11_impl import H11Protocol

ASKING = 10.0  # seconds that a request's head may take, its first byte included
ANSWERING = 300.0  # seconds that an answer may take, until its last byte is read
LOOK = 1.0  # seconds between two looks at a connection


@final
class BoundedConnection(H11Protocol):
    """uvicorn's HTTP/1.1, and a bound on how long a connection may stand still.

    uvicorn counts the seconds between an answer and the next byte alone. Who opens as many connections as are allowed,
    and sends nothing, a byte now and then, or reads no answer, would shut all others out for ever.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Looks at it from now on."""
        super().connection_made(transport)
        self._look(None, self.loop.time())

    def _look(self, last: object, since: float) -> None:
        """Closes the connection where request and answer are the same ones for too long."""
        if self.transport.is_closing():
            return
        asking = self.cycle is None or self.cycle.response_complete
        if (self.cycle, asking) != last:
            last, since = (self.cycle, asking), self.loop.time()
        if self.loop.time() - since >= (ASKING if asking else ANSWERING):
            self.transport.abort()
        else:
            self.loop.call_later(LOOK, self._look, last, since)
