"""Servers: whether one answers, within a time that nobody notices."""

import threading
from http.client import HTTPException
from urllib.error import HTTPError, URLError
from urllib.request import Request, build_opener

SECONDS = 2.5


def unreachable(url: str, *, file: bool = False, seconds: float = SECONDS) -> str:
    """Why a server does not answer; empty if it does.

    Only the head is asked for, and through the proxies of the environment.

    Args:
        url: what to ask for.
        file: whether the server has to have what is asked for; otherwise any answer will do.
        seconds: for everything, looking up the name included.
    """
    said: list[str] = []
    # The time limit of a connection does not hold for looking up its name, which nothing can interrupt.
    asking = threading.Thread(target=lambda: said.append(_ask(url, file, seconds)), daemon=True)
    asking.start()
    asking.join(seconds)
    return said[0] if said else f"no answer within {seconds:g} s"


def _ask(url: str, file: bool, seconds: float) -> str:
    try:
        with build_opener().open(Request(url, method="HEAD"), timeout=seconds):
            return ""
    except HTTPError as error:
        return f"it answers {error.code} {error.reason}" if file else ""
    except URLError as error:
        return str(error.reason)
    except (OSError, HTTPException, ValueError) as error:
        return f"{type(error).__name__}: {error}"
