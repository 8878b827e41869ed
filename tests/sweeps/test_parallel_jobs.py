"""Jobs of several processes: Lightning starts the others from a job's own arguments, however the job was started."""

from pathlib import Path

import pytest
import torch

from freqgan.runs import read_checkpoint
from tests.sweeps.running import last, run_of, sweep

pytestmark = pytest.mark.slow

SAME = [
    *("model.generator.norm=none", "model.discriminator.norm=none", "optim=sgd", "hardware.precision=float32"),
    *("transform=wavelet_haar", "log_every_steps=2"),
]


def weights(folder: Path) -> dict[str, dict[str, torch.Tensor]]:
    """Of every job of the only sweep in a folder; all have finished."""
    rows = last(folder)
    assert {row.state for row in rows.values()} == {"finished"}
    runs = {name: run_of(folder, row) for name, row in rows.items()}
    for run in runs.values():
        assert [row["images_seen"] for row in run.metrics] == [8, 16]
    return {name: read_checkpoint(run.checkpoints()[0])["state_dict"] for name, run in runs.items()}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, torch.Tensor]]:
    folder = tmp_path_factory.mktemp("alone")
    assert sweep(folder, *SAME, "seed=1,2") == 0
    return weights(folder)


@pytest.mark.parametrize("start", ["fork", "fresh"])
def test_two_processes_a_job(
    tmp_path: Path,
    start: str,
    alone: dict[str, dict[str, torch.Tensor]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    assert sweep(tmp_path, *SAME, "hardware=cpu_ddp", "seed=1,2", f"sweep.engine.start={start}") == 0
    together = weights(tmp_path)
    assert together.keys() == alone.keys() == {"seed=1", "seed=2"}
    for name, row in last(tmp_path).items():
        log = (tmp_path / "tiny" / "it" / "logs" / f"{row.key}.log").read_text()
        assert "MEMBER: 1/2" in log
        assert "MEMBER: 2/2" in log
        for key, value in together[name].items():
            torch.testing.assert_close(value, alone[name][key], rtol=0, atol=1e-5)
