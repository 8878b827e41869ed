"""A stand-in for W&B's server: it speaks as much of the protocol as runs, artifacts and views need, and remembers."""

import gzip
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from freqgan.runs import RunDirectory

Values = dict[str, Any]
KEY = "k" * 40


class WandbServer(ThreadingHTTPServer):
    """Answers on a port of this machine.

    Attributes:
        url: for WANDB_BASE_URL.
        runs: what was said of each run, by id, with its `history`, `summary` and `exit_code`.
        artifacts: every version that was created; `committed` ones are whole.
        used: pairs of a run's id and the name of an artifact that it used.
        files: paths of the files that were uploaded.
        views: inputs of saved workspaces.
        speaks: as long as it is cleared, requests are taken and none is answered.
        fault: sends something else than the answer to a request, see `FAULTS`; `at_start` or once a run is known.
        faults: how many were sent.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.runs: dict[str, Values] = {}
        self.artifacts: list[Values] = []
        self.used: list[tuple[str, str]] = []
        self.files: list[str] = []
        self.views: list[Values] = []
        self.speaks = threading.Event()
        self.speaks.set()
        self.fault: Callable[[Handler], None] | None = None
        self.at_start, self.faults = True, 0

    def answer(self, operation: str, values: Values) -> Values:
        """The data of a GraphQL answer."""
        return getattr(self, f"_{operation}", lambda values: {})(values)  # type: ignore[no-any-return]

    def stream(self, run_id: str, sent: Values) -> None:
        """Takes rows and the summary of a run."""
        run = self.runs[run_id]
        for name, chunk in sent.get("files", {}).items():
            if name == "wandb-history.jsonl":
                run["history"] += [json.loads(line) for line in chunk["content"]]
            elif name == "wandb-summary.json":
                run["summary"] = json.loads(chunk["content"][-1])
        if sent.get("complete"):
            run["exit_code"] = sent["exitcode"]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is none of ours."""

    def _Viewer(self, values: Values) -> Values:
        return {"viewer": {"id": "u", "entity": "e", "username": "u", "flags": "{}", "teams": {"edges": []}}}

    def _GetDefaultEntity(self, values: Values) -> Values:
        return {"viewer": {"id": "u", "entity": "e"}}

    def _RunResumeStatus(self, values: Values) -> Values:
        run = self.runs.get(values["name"])
        project = {"id": "p", "name": values["project"], "entity": {"id": "e", "name": "e"}}
        if run is None:
            return {"model": project | {"bucket": None}}
        tail = json.dumps([json.dumps(row) for row in run["history"][-1:]])
        bucket = {
            "id": "b",
            "name": values["name"],
            "displayName": run["displayName"],
            "summaryMetrics": json.dumps(run["summary"]),
            "config": run["config"],
            "historyLineCount": len(run["history"]),
            "historyTail": tail,
            "eventsLineCount": 0,
            "eventsTail": "[]",
            "logLineCount": 0,
            "tags": [],
            "notes": None,
            "wandbConfig": '{"t": 1}',
        }
        return {"model": project | {"bucket": bucket}}

    def _UpsertBucket(self, values: Values) -> Values:
        inserted = values["name"] not in self.runs
        run = self.runs.setdefault(values["name"], {"history": [], "summary": {}, "exit_code": None})
        run |= {name: value for name, value in values.items() if value is not None}
        project = {"id": "p", "name": values["project"], "entity": {"id": "e", "name": "e"}}
        bucket = {"id": "b", "name": values["name"], "project": project, "historyLineCount": len(run["history"])}
        bucket |= {name: run.get(name) for name in ("displayName", "description", "config", "sweepName")}
        return {"upsertBucket": {"bucket": bucket, "inserted": inserted}}

    def _ArtifactType(self, values: Values) -> Values:
        return {"project": {"artifact": None}}

    def _CreateRunFiles(self, values: Values) -> Values:
        files = [{"name": name, "uploadUrl": self._place(values["run"], name)} for name in values["files"]]
        return {"createRunFiles": {"runID": values["run"], "uploadHeaders": [], "files": files}}

    def _CreateArtifact(self, values: Values) -> Values:
        said = values["input"]
        artifact = {"id": str(len(self.artifacts)), "digest": said["digest"], "state": "PENDING", "committed": False}
        self.artifacts.append(said | artifact)
        return {"createArtifact": {"artifact": artifact | {"artifactSequence": {"id": "s", "latestArtifact": None}}}}

    def _CreateArtifactManifest(self, values: Values) -> Values:
        file = {"id": "f", "uploadUrl": self._place(values["artifactID"], "manifest"), "uploadHeaders": []}
        return {"createArtifactManifest": {"artifactManifest": {"id": "m", "file": file}}}

    def _CreateArtifactFiles(self, values: Values) -> Values:
        nodes = [
            {
                "uploadUrl": self._place(file["artifactID"], file["name"]),
                "uploadHeaders": [],
                "storagePath": None,
                "uploadMultipartUrls": None,
                "artifact": {"id": file["artifactID"]},
            }
            for file in values["input"]["artifactFiles"]
        ]
        return {"createArtifactFiles": {"files": {"edges": [{"node": node} for node in nodes]}}}

    def _CommitArtifact(self, values: Values) -> Values:
        artifact = self.artifacts[int(values["artifactID"])]
        artifact["committed"] = True
        return {"commitArtifact": {"artifact": {"id": artifact["id"], "digest": artifact["digest"]}}}

    def _UseArtifact(self, values: Values) -> Values:
        said = values["input"]
        self.used.append((said["runName"], self.artifacts[int(said["artifactID"])]["artifactCollectionName"]))
        return {"useArtifact": {"artifact": {"id": said["artifactID"]}}}

    def _UpsertView2(self, values: Values) -> Values:
        self.views.append(values)
        return {"upsertView": {"view": {"id": "v", "name": values["name"]}, "inserted": True}}

    def _place(self, *parts: str) -> str:
        return "/".join([self.url, "upload", *parts])


class Handler(BaseHTTPRequestHandler):
    """Requests as W&B's clients make them: GraphQL, rows of a run, and files to be stored."""

    protocol_version = "HTTP/1.1"
    server: WandbServer

    def do_POST(self) -> None:
        content = self._content()
        if self.path == "/graphql":
            asked = json.loads(content)
            operation = re.search(r"(?:query|mutation)\s+(\w+)", asked["query"])
            assert operation
            self._send({"data": self.server.answer(operation[1], asked.get("variables") or {})})
        else:
            if self.path.endswith("/file_stream"):
                self.server.stream(self.path.split("/")[-2], json.loads(content))
            self._send({})

    def do_PUT(self) -> None:
        self.server.files.append(self.path)
        self._content()
        self._send({})

    def log_message(self, format: str, *words: Any) -> None: ...

    def _content(self) -> bytes:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.speaks.wait(60)
        return gzip.decompress(content) if self.headers.get("Content-Encoding") == "gzip" else content

    def _send(self, answer: Values) -> None:
        if self.server.fault and (self.server.at_start or self.server.runs):
            self.server.faults += 1
            self.server.fault(self)
        else:
            self.reply(200, json.dumps(answer).encode())

    def reply(self, status: int, content: bytes) -> None:
        """Sends a whole answer."""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def hang_up(handler: Handler) -> None:
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def promise_more(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"data"')
    hang_up(handler)


def dawdle(handler: Handler) -> None:
    time.sleep(3)
    handler.reply(200, b'{"data": {}}')


def replying(status: int, content: bytes) -> Callable[[Handler], None]:
    return lambda handler: handler.reply(status, content)


FAULTS: dict[str, Callable[[Handler], None]] = {
    "internal error": replying(500, b"oops"),
    "bad gateway": replying(502, b"<html>bad gateway</html>"),
    "key refused": replying(401, b'{"errors": [{"message": "user is not logged in"}]}'),
    "not allowed": replying(403, b'{"errors": [{"message": "permission denied"}]}'),
    "too many requests": replying(429, b'{"error": "rate limit exceeded"}'),
    "out of quota": replying(200, b'{"errors": [{"message": "storage quota exceeded"}], "data": null}'),
    "payment required": replying(402, b'{"error": "storage limit exceeded"}'),
    "no JSON": replying(200, b"\xff\xfe<html>sign in to this network</html>"),
    "other JSON": replying(200, b'[null, {"data": 7}]'),
    "nothing": replying(200, b""),
    "hangs up": hang_up,
    "half an answer": promise_more,
    "slow": dawdle,
}


@contextmanager
def wandb_server() -> Iterator[WandbServer]:
    """A server that answers while the block runs."""
    with WandbServer() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.speaks.set()
        server.shutdown()


@pytest.fixture(scope="module", autouse=True)
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No account and no settings of this machine's user."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("WANDB_")]:
            patch.delenv(name)
        home = tmp_path_factory.mktemp("home")
        patch.setenv("NETRC", str(home / "netrc"))
        patch.setenv("HOME", str(home))
        yield


def sync(server: WandbServer, run: RunDirectory, folder: Path) -> None:
    """`wandb sync` of all that a run kept offline."""
    here = {"WANDB_BASE_URL": server.url, "WANDB_API_KEY": KEY, "WANDB_DIR": str(folder)}
    fragments = [str(path) for path in sorted((run.path / "wandb").glob("offline-run-*"))]
    command = [sys.executable, "-m", "wandb", "sync", *fragments]
    done = subprocess.run(command, cwd=folder, env=os.environ | here, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def scalars(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows as they were given to the mirror: without W&B's own keys, its marks and its pictures."""
    plain = [
        {key: value for key, value in row.items() if not key.startswith("_") and not isinstance(value, dict)}
        for row in rows
    ]
    marks = [{key: value for key, value in row.items() if not key.endswith("/images_seen")} for row in plain]
    return [row for row in marks if row.keys() - {"images_seen"}]


def versions(server: WandbServer, kind: str) -> list[dict[str, Any]]:
    return [artifact for artifact in server.artifacts if artifact["artifactTypeName"] == kind]
