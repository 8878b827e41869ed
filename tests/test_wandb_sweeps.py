"""W&B sweeps: what an agent would run is run, with the agent's own code and environment."""

import json
import os
from pathlib import Path
from typing import Any

import hydra
import pytest
import yaml
from torch.nn import functional
from wandb import wandb_agent

from freqgan import config
from freqgan.features import EfficientNetLite0
from freqgan.vocabulary import shipped_conf
from tests.callbacks.wandb_server import KEY, alone, wandb_server
from tests.forked import command

__all__ = ["alone"]

SWEEPS = sorted((Path(__file__).parents[1] / "experiments").glob("*/wandb_sweep.yaml"))
TINY = [
    *("data=scenes", "data.source.length=64", "data.image_size=16", "data.batch_size=4", "budget.images=8"),
    *("model.generator.channels=4", "model.discriminator.channels=4", "model.latent_dim=16", "samples.count=4"),
    *("hardware=cpu", "hardware.threads=1", "name=sweep"),
    *("evaluation.at_start=none", "evaluation.every_images=8"),
]


def test_there_are_sweeps() -> None:
    assert [path.parent.name for path in SWEEPS] == ["frequency_gan_32"]


def values(space: dict[str, Any]) -> list[Any]:
    """All values of a parameter, or its extremes."""
    return space["values"] if "values" in space else [space["min"], space["max"]]


def agents_command(spec: dict[str, Any], chosen: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What W&B's agent would start for a choice; its environment is set here as it would be there."""
    started: list[dict[str, Any]] = []

    class Process:
        def __init__(self, **arguments: Any) -> None:
            started.append(arguments)

    monkeypatch.setattr(wandb_agent, "AgentProcess", Process)
    agent = wandb_agent.Agent(api=None, queue=None, sweep_id="s1")
    agent._sweep_command = spec["command"]
    arguments = {name: {"value": value} for name, value in chosen.items()}
    agent._command_run({"run_id": "r1", "program": spec["program"], "args": arguments})
    for name, value in started[0]["env"].items():
        monkeypatch.setenv(name, value)
    return list(started[0]["command"])


@pytest.fixture
def agents_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an agent sets beside the command, in an empty directory."""
    monkeypatch.chdir(tmp_path)
    for name in ("WANDB_RUN_ID", "WANDB_SWEEP_PARAM_PATH"):
        monkeypatch.setenv(name, "")  # so that what the agent makes of it does not outlive the test
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("WANDB_SWEEP_ID", "s1")
    monkeypatch.setenv("WANDB_API_KEY", KEY)


def with_features_of_small_pictures() -> None:
    """The names of the metrics are the same, and a thousand images take two seconds."""
    EfficientNetLite0.prepare = lambda self, images: functional.interpolate(images, (64, 64))  # type: ignore[method-assign]


@pytest.mark.parametrize("sweep", SWEEPS, ids=lambda path: path.parent.name)
def test_every_value_of_a_sweep_can_be_trained_with(sweep: Path) -> None:
    spec = yaml.safe_load(sweep.read_text(encoding="utf-8"))
    fixed = [word for word in spec["command"] if "=" in word]
    with hydra.initialize_config_dir(str(shipped_conf()), version_base="1.3"):
        for name, space in spec["parameters"].items():
            for value in values(space):
                config.check(hydra.compose("train", [*fixed, f"{name}={value}"]))


@pytest.mark.usefixtures("agents_environment")
@pytest.mark.parametrize("sweep", SWEEPS, ids=lambda path: path.parent.name)
def test_the_command_of_an_agent_logs_the_metric_of_its_sweep(
    sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = yaml.safe_load(sweep.read_text(encoding="utf-8"))
    chosen = {name: values(space)[0] for name, space in spec["parameters"].items()}
    env, program, verb, *overrides = agents_command(spec, chosen, monkeypatch)
    assert (env, program, verb) == ("/usr/bin/env", "freqgan", "train")
    assert {f"{name}={value}" for name, value in chosen.items()} <= set(overrides)
    places = [f"paths.output_dir={tmp_path}", f"paths.cache_dir={tmp_path / 'cache'}"]
    with wandb_server() as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        status, output = command([verb, *overrides, *TINY, *places], tmp_path, before=with_features_of_small_pictures)
        assert status == 0, output
        ((run_id, run),) = server.runs.items()
    assert (run_id, run["sweep"], run["exit_code"]) == ("r1", "s1", 0)
    assert isinstance(run["summary"][spec["metric"]["name"]], float)
    said = {name: value["value"] for name, value in json.loads(run["config"]).items()}
    assert {name: said[name] for name in chosen} == chosen
    record = json.loads(next(tmp_path.glob("sweep/*/run.json")).read_text())
    assert record["wandb_id"] == os.environ["WANDB_RUN_ID"] == "r1"
