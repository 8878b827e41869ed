import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from freqgan import cli
from freqgan.runs import RunDirectory
from tests.callbacks.stand_ins import CONFIG, new_run
from tests.callbacks.wandb_server import KEY, alone, wandb_server

__all__ = ["alone"]

pytest.importorskip("wandb_workspaces")
ROW = {"images_seen": 8, "time/seconds": 1.0, "time/images_per_second": 8.0, "train/generator_updates": 1}
ROW |= {f"train/{player}/lr": 1e-3 for player in ("generator", "discriminator")}
ROW |= {
    f"train/{player}/{band}/adversarial": 1.0 for player in ("generator", "discriminator") for band in ("LL1", "HH1")
}
JUDGED = {"images_seen": 8, "val/fd_x_n20": 1.0, "val/recall_x_n20": 0.5, "val/band_distance_LL1_n20": 1.0}


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    run = new_run(tmp_path)
    run.write_config(CONFIG | {"logger": {"wandb": {"project": "drawings"}}})
    (run.path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in (ROW, JUDGED)))
    for name in ("images", "LL1"):
        (run.path / "samples" / f"{name}_000000008.png").touch()
    return run


def contents(view: dict[str, Any]) -> dict[str, list[Any]]:
    """What the panels of each section show."""
    spec = view["spec"] if isinstance(view["spec"], dict) else json.loads(view["spec"])
    return {
        section["name"]: [
            panel["config"].get("metrics") or panel["config"].get("mediaKeys") or panel["viewType"]
            for panel in section["panels"]
        ]
        for section in spec["section"]["panelBankConfig"]["sections"]
    }


EXPECTED = {
    "Samples": [["samples/images"], "Weave"],
    "Quality": [["val/fd_x_n20"], ["val/recall_x_n20"]],
    "Course": [
        ["train/generator_updates"],
        ["time/images_per_second"],
        ["train/discriminator/lr", "train/generator/lr"],
    ],
    "Band HH1": [["train/discriminator/HH1/adversarial", "train/generator/HH1/adversarial"]],
    "Band LL1": [
        ["train/discriminator/LL1/adversarial", "train/generator/LL1/adversarial"],
        ["val/band_distance_LL1_n20"],
        ["samples/LL1"],
    ],
}


def test_the_description_has_a_section_for_every_band(run: RunDirectory, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["workspace", f"run={run.path}"]) == 0
    path = run.path / "workspace.json"
    assert str(path) in capsys.readouterr().out
    view = json.loads(path.read_text())
    assert {name: view[name] for name in ("projectName", "displayName", "type")} == {
        "projectName": "drawings",
        "displayName": "freqgan",
        "type": "project-view",
    }
    assert contents(view) == EXPECTED
    assert view["spec"]["section"]["settings"]["xAxis"] == "images_seen"
    panels = [
        panel for section in view["spec"]["section"]["panelBankConfig"]["sections"] for panel in section["panels"]
    ]
    plots = [panel["config"] for panel in panels if panel["viewType"] == "Run History Line Plot"]
    assert {plot["xAxis"] for plot in plots} == {"images_seen"}


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    import wandb

    wandb.teardown()
    with wandb_server() as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        yield server
        wandb.teardown()


@pytest.mark.parametrize(("entity", "saved_for"), [("entity=team", "team"), ("entity=null", "e")])
def test_a_workspace_is_saved_where_it_is_asked_for(
    run: RunDirectory, account: Any, capsys: pytest.CaptureFixture[str], entity: str, saved_for: str
) -> None:
    assert cli.main(["workspace", f"run={run.path}", entity, "project=p", "title=mine", "apply=true"]) == 0
    (view,) = account.views
    assert {name: view[name] for name in ("entityName", "projectName", "displayName", "type")} == {
        "entityName": saved_for,
        "projectName": "p",
        "displayName": "mine",
        "type": "project-view",
    }
    assert contents(view) == EXPECTED
    assert f"saved at {account.url}/{saved_for}/p?nw=" in capsys.readouterr().out


def test_without_an_account_the_description_is_still_written(
    run: RunDirectory, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["workspace", f"run={run.path}", "apply=true"]) == 1
    assert "`wandb login`, then set entity and project" in capsys.readouterr().err
    assert (run.path / "workspace.json").is_file()


def test_a_run_without_rows_is_a_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = new_run(tmp_path)
    assert cli.main(["workspace", f"run={run.path}"]) == 2
    assert "has logged nothing yet" in capsys.readouterr().err
    assert cli.main(["workspace", f"run={tmp_path / 'nowhere'}"]) == 2
    assert "is not a run" in capsys.readouterr().err
