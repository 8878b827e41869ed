from pathlib import Path

import pytest

from freqgan.runs import read_checkpoint
from freqgan.sweeps import cost
from tests.sweeps.running import last, run_of, sweep


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def table(text: str) -> list[list[str]]:
    """Cells of every row."""
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.splitlines() if "│" in line]


@pytest.mark.slow
def test_a_plan_says_what_a_job_then_costs(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    wanted = ["transform=wavelet_haar,identity", "data.image_size=3,16", "budget.images=480"]
    wanted += ["checkpoint.every_images=null"]
    assert sweep(tmp_path, *wanted, verb="plan") == 0
    captured = capfd.readouterr()
    assert not (tmp_path / "tiny").exists()
    rows = table(captured.out)
    assert [row[1] for row in rows] == [
        f"transform={transform} data.image_size={size}"
        for transform in ("wavelet_haar", "identity")
        for size in (3, 16)
    ]
    assert all(row[2:7] == [""] * 5 and row[7].startswith("data.image_size=3 ") for row in rows[::2])
    assert "2 jobs to run, 2 cannot: about " in captured.out
    assert "nothing was started" in captured.out

    assert sweep(tmp_path, *wanted) == 1
    capfd.readouterr()
    for planned, (name, row) in zip(rows, last(tmp_path).items(), strict=True):
        assert planned[1] == name
        if row.state == "refused":
            continue
        run = run_of(tmp_path, row)
        speed = run.record["images_seen"] / run.record["seconds"]
        assert planned[3] == "480"
        assert speed / 3 < float(planned[4]) < speed * 3
        assert float(planned[5]) == pytest.approx(run.record["peak_memory_gib"], rel=0.3)
        assert float(planned[6]) == pytest.approx(480 / float(planned[4]) / 60, abs=0.06)
        networks = read_checkpoint(run.checkpoints()[0])["state_dict"]
        weights = sum(value.numel() for name, value in networks.items() if name.endswith(("weight", "bias")))
        assert int(planned[2].replace(",", "")) == weights

    assert sweep(tmp_path, *wanted, "sweep.engine.slots=2", verb="plan") == 0
    captured = capfd.readouterr()
    assert [row[-1] for row in table(captured.out)][1::2] == ["finished already"] * 2
    assert "0 jobs to run, 2 cannot" in captured.out


def test_jobs_that_cost_the_same_are_measured_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    measured: list[str] = []

    def measure(command: object, proposal: cost.Proposal, *rest: object) -> cost.Cost:
        measured.append(" ".join(proposal.typed))
        failure = "too big" if "data.batch_size=8" in proposal.typed else ""
        return cost.Cost(images_per_second=100.0, memory_gib=0.5, failure=failure)

    monkeypatch.setattr(cost, "measure", measure)
    wanted = ["data.batch_size=4,8", "seed=1,2", "optim.lr=0.1,0.2", "budget.images=6000", "sweep.engine.slots=3"]
    assert sweep(tmp_path, *wanted, verb="plan") == 0
    text = capfd.readouterr().out
    assert measured[0] == "data.batch_size=4 seed=1 optim.lr=0.1"
    assert len(measured) == 1 + 4  # what failed may have failed for itself alone
    assert "4 jobs to run, 4 cannot: about 4.0 minutes of computing, 1.3 in 3 slots, 1.5 GiB at once" in text


def test_a_search_is_planned_by_its_next_trial(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    wanted = ["sweep/search=optuna", "optim.lr=interval(0.0001,0.01)", "sweep.search.metric=train/generator/lr"]
    assert sweep(tmp_path, *wanted, "sweep.search.n_trials=1") == 0
    files = sorted(path for path in (tmp_path / "tiny").rglob("*"))
    study = (tmp_path / "tiny" / "it" / "study.db").read_bytes()
    capfd.readouterr()
    assert sweep(tmp_path, *wanted, "sweep.search.n_trials=7", verb="plan") == 0
    text = capfd.readouterr().out
    assert len(table(text)) == 1
    assert "6 jobs to run: about " in text
    assert sorted(path for path in (tmp_path / "tiny").rglob("*")) == files
    assert (tmp_path / "tiny" / "it" / "study.db").read_bytes() == study


def test_a_plan_without_a_job_that_can_run_is_a_mistake(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert sweep(tmp_path, "data.image_size=3", verb="plan") == 2
    assert "0 jobs to run, 1 cannot" in capfd.readouterr().out
