import csv
import io
import json
from pathlib import Path

from freqgan.comparison import compare, read_local
from freqgan.comparison.records import as_csv, as_data
from tests.comparison.written import rows_of, write_ledger, write_run, write_study


def test_a_row_for_every_run_failed_ones_included(tmp_path: Path) -> None:
    write_study(tmp_path, seeds=2)
    diverging = [*rows_of(1.0, images=400), {"images_seen": 500, "time/seconds": 5.0, "val/fd_x_n100": float("nan")}]
    record = {"status": "diverged", "exit_status": 65, "images_seen": 500}
    write_run(tmp_path / "worse", diverging, changes={"optim.lr": 1e30}, record=record)
    write_ledger(tmp_path / "sweep", [{"key": "x", "overrides": ["a=b"], "state": "refused", "line": 'no, "a" is'}])
    rows = list(csv.DictReader(io.StringIO(as_csv(compare(read_local([str(tmp_path)]))))))
    assert [row["state"] for row in rows] == ["finished"] * 4 + ["refused", "diverged"]
    assert [row["variant"] for row in rows][:2] == ["transform=wavelet_haar optim.lr=0.0002"] * 2
    first, refused, diverged = rows[0], rows[4], rows[5]
    assert (first["seed"], first["transform.wavelet"], first["images_seen"], first["at_images"]) == (
        *("1", "haar", "1000", "1000"),
    )
    last = rows_of(75.0, seed=1)[-1]
    assert float(first["fd_x_n100 at_images"]) == float(first["fd_x_n100 last"]) == last["val/fd_x_n100"]
    assert first["fd_x_n100 best_images"] == "1000"
    assert (float(first["cpu_seconds"]), first["exit_status"]) == (12.5, "0")
    assert (refused["line"], refused["images_seen"], refused["variant"]) == ('no, "a" is', "", "a=b")
    assert (diverged["fd_x_n100 last"], diverged["fd_x_n100 at_images"]) == ("nan", "")
    assert diverged["fd_x_n100 best_images"] == "400"
    assert "parameters" not in first


def test_the_summary_is_strict_json(tmp_path: Path) -> None:
    write_study(tmp_path, seeds=2)
    write_run(
        tmp_path / "nan",
        [{"images_seen": 1000, "time/seconds": 10.0, "val/fd_x_n100": float("nan")}],
        changes={"seed": 3},
    )
    data = as_data(compare(read_local([str(tmp_path)])))
    again = json.loads(json.dumps(data, allow_nan=False))
    assert (again["main_metric"], again["baseline"]) == ("fd_x_n100", "transform=identity")
    assert again["points"]["images"] == {
        "clock": "images",
        "value": 1000,
        "set_by": again["points"]["images"]["set_by"],
    }
    best = again["variants"][0]
    assert (best["name"], best["seeds"], best["states"]) == ("transform=wavelet_haar", [1, 2], {"finished": 2})
    cell = best["metrics"]["fd_x_n100"]["at_images"]
    assert cell["spread"]["n"] == cell["difference"]["n"] == 2
    assert cell["difference"]["low"] < cell["difference"]["high"] < 0
    assert len(again["runs"]) == 5
