"""W&B's own client (the process it starts included) against a small server that answers its queries."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import wandb

from freqgan.comparison import compare, read_wandb
from freqgan.comparison.wandb_source import parse
from freqgan.errors import FreqganError, UserError
from tests.comparison.written import CONFIG, TRANSFORMS, merged, rows_of

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


class Server:
    """W&B's GraphQL as far as its client asks: projects with runs, their configs and histories."""

    def __init__(self) -> None:
        self.runs: dict[str, dict[str, Any]] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.page = 2  # runs in an answer

    def add(self, name: str, rows: list[dict[str, Any]], *, state: str = "finished", **changes: Any) -> None:
        config = merged(CONFIG, changes)
        config["data"]["seed"] = config["seed"]
        group = config.pop("group", None)
        self.runs[name] = {"rows": rows, "state": state, "config": config, "group": group}

    def answer(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        kind = query.split("query ", 1)[1].split("(")[0].split()[0]
        self.asked.append((kind, variables))
        if kind in ("Viewer", "GetDefaultEntity"):
            return {
                "viewer": {
                    "id": "1",
                    "entity": "me",
                    "username": "me",
                    "email": "",
                    "flags": "{}",
                    "teams": {"edges": []},
                }
            }
        if variables.get("project") != "study":
            return {"project": None}
        return {"project": self.of_project(kind, variables)}

    def of_project(self, kind: str, variables: dict[str, Any]) -> dict[str, Any]:
        if kind == "Runs":
            wanted = json.loads(variables["filters"])
            names = [name for name, run in self.runs.items() if wanted.get("group") in (None, run["group"])]
            first = int(variables["cursor"] or 0)
            edges = [
                {"node": self.node(name), "cursor": str(first + i + 1)}
                for i, name in enumerate(names[first:][: self.page])
            ]
            info = {"endCursor": None, "hasNextPage": first + self.page < len(names)}
            return {
                "internalId": "1",
                "runCount": len(names),
                "readOnly": False,
                "runs": {"edges": edges, "pageInfo": info},
            }
        name = str(variables.get("name") or variables.get("runName") or variables.get("run"))
        if name not in self.runs:
            return {"run": None}
        rows = self.runs[name]["rows"]
        logged = [{"_step": i, "_timestamp": 1.0e9 + i, **row} for i, row in enumerate(rows)]
        run = self.node(name)
        run |= {"historyKeys": {"lastStep": len(rows) - 1, "sets": [], "keys": {}}}
        if kind == "RunParquetHistory":
            run = {"parquetHistory": {"parquetUrls": [], "liveData": [{"_step": row["_step"]} for row in logged]}}
        if kind == "HistoryPage":
            run = {"history": [json.dumps(row) for row in logged[variables["minStep"] : variables["maxStep"]]]}
        return {"run": run}

    def node(self, name: str) -> dict[str, Any]:
        run = self.runs[name]
        config = json.dumps({key: {"value": value} for key, value in run["config"].items()})
        facts = {
            "id": f"id_{name}",
            "projectId": "1",
            "name": name,
            "displayName": f"study/{name}",
            "state": run["state"],
        }
        empty = ("sweepName", "commit", "description", "notes")
        facts |= {"tags": [], "group": run["group"], "jobType": "train", "readOnly": False, "historyLineCount": 1}
        times = {"createdAt": "2026-01-01T00:00:00Z", "heartbeatAt": "2026-01-01T00:00:00Z"}
        more = {
            "systemMetrics": "{}",
            "summaryMetrics": "{}",
            "historyKeys": None,
            "user": {"name": "", "username": "me"},
        }
        return facts | dict.fromkeys(empty) | times | more | {"config": config}


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, list[Server]]]:
    """A server's address, and a list whose last item answers."""
    answering: list[Server] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked = json.loads(body) if self.path == "/graphql" else {}
            known = self.headers.get("Authorization") is not None
            data = answering[-1].answer(asked["query"], asked.get("variables") or {}) if asked and known else {}
            content = json.dumps({"data": data}).encode()
            self.send_response(200 if known else 401)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *words: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", answering
    wandb.teardown()
    server.shutdown()
    server.server_close()


@pytest.fixture
def server(address: tuple[str, list[Server]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    url, answering = address
    answering.append(Server())
    for name in ("WANDB_MODE", "WANDB_ENTITY", "WANDB_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    folders = {
        name: str(tmp_path) for name in ("HOME", "WANDB_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR")
    }
    for name, value in {"WANDB_BASE_URL": url, "WANDB_API_KEY": "0" * 40, "WANDB_SILENT": "true", **folders}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    return answering[-1]


def haar(**changes: Any) -> dict[str, Any]:
    return {"transform": TRANSFORMS["wavelet_haar"], **changes}


def test_a_project_is_read_run_by_run_and_compared(server: Server) -> None:
    for seed in (1, 2):
        facts = {"data_fingerprint": "abc", "machine": {"processor": "x"}}
        server.add(f"a{seed}", rows_of(100.0, seed=seed), seed=seed, run=facts)
        server.add(f"b{seed}", rows_of(75.0, seed=seed), **haar(seed=seed, run=facts))
    server.add("dead", rows_of(1.0, images=300), state="crashed", **{"optim.lr": 1e30})
    runs = read_wandb(["me/study"])
    assert [(run.place, run.name, run.state) for run in runs] == [
        ("me/study/a1", "study/a1", "finished"),
        ("me/study/b1", "study/b1", "finished"),
        ("me/study/a2", "study/a2", "finished"),
        ("me/study/b2", "study/b2", "finished"),
        ("me/study/dead", "study/dead", "killed"),
    ]
    assert len([kind for kind, _ in server.asked if kind == "Runs"]) == 3  # pages of two
    found = compare(runs)
    assert found.variants[0].name == "transform=wavelet_haar optim.lr=0.0002"
    assert found.points["images"].value == 1000
    cell = found.cell("images", found.variants[0])
    assert cell is not None
    assert cell.difference is not None
    assert cell.difference.n == 2
    assert runs[0].record["data_fingerprint"] == "abc"
    last = rows_of(100.0, seed=1)[-1]
    reading = found.reading(runs[0], "fd_x_n100", "images")
    assert reading is not None
    assert (reading.value, reading.seconds) == (last["val/fd_x_n100"], last["time/seconds"])


def test_a_group_a_run_and_the_same_run_again(server: Server) -> None:
    server.add("a", rows_of(1.0), group="sizes")
    server.add("b", rows_of(1.0), group="other")
    assert [run.place for run in read_wandb(["me/study/groups/sizes"])] == ["me/study/a"]
    assert [run.place for run in read_wandb(["me/study/b", "me/study/runs/b", "me/study"])] == [
        "me/study/b",
        "me/study/a",
    ]


def test_what_evaluate_logged_is_no_training_run(server: Server) -> None:
    server.add("a", rows_of(1.0))
    server.add("judged", rows_of(1.0), judged={"split": "val"})
    assert [run.place for run in read_wandb(["me/study"])] == ["me/study/a"]


def test_rows_are_numbers_in_order_and_the_later_of_two_counts(server: Server) -> None:
    server.add(
        "a",
        [
            {"images_seen": 100, "time/seconds": 1.0, "val/fd": 5.0, "samples/images": {"_type": "image-file"}},
            {"images_seen": 200, "time/seconds": 2.0, "val/fd": "NaN", "train/generator/x": "-Infinity"},
            {"images_seen": 100, "time/seconds": 1.5, "val/fd": 4.0},
            {"no": "clock"},
        ],
    )
    (run,) = read_wandb(["me/study/a"])
    assert [row.keys() for row in run.rows] == [
        {"images_seen", "time/seconds", "val/fd"},
        {"images_seen", "time/seconds", "val/fd", "train/generator/x"},
    ]
    fd = run.metric("fd")
    assert fd is not None
    assert (fd.values[0], str(fd.values[1]), fd.seconds.tolist()) == (4.0, "nan", [1.5, 2.0])


@pytest.mark.parametrize("path", ["me/nothing", "me/nothing/a", "me/study/none"])
def test_what_is_not_there_is_one_line(server: Server, path: str) -> None:
    server.add("a", rows_of(1.0))
    with pytest.raises(UserError, match=f"W&B has no {path}: wanted entity/project, entity/project/<run id> or "):
        read_wandb([path])


def test_a_project_without_runs(server: Server) -> None:
    with pytest.raises(UserError, match="W&B has no runs in me/study"):
        read_wandb(["me/study"])


@pytest.mark.parametrize("path", ["study", "/", "a//b", "me/study/files/x/y", "https://wandb.ai/me"])
def test_a_path_of_another_form_is_one_line(path: str) -> None:
    with pytest.raises(UserError, match="is no path on W&B: wanted entity/project"):
        parse(path)


def test_no_account_and_no_answer(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(error: Exception) -> Any:
        def api(**arguments: Any) -> Any:
            raise error

        return api

    monkeypatch.setattr(wandb, "Api", refuses(wandb.errors.UsageError("No authentication configured.")))
    with pytest.raises(
        UserError, match=r"W&B cannot be asked \(No authentication.*\): run `wandb login`, or set WANDB_API_KEY"
    ):
        read_wandb(["me/study"])
    monkeypatch.setattr(wandb, "Api", refuses(wandb.errors.CommError("timed out")))
    with pytest.raises(FreqganError, match=r"W&B does not answer \(timed out\)"):
        read_wandb(["me/study"])
