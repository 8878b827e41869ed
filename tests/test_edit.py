"""`freqgan edit` with a run: what it begins with, what it refuses, and how it ends."""

import signal
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf
from PIL import Image

from freqgan import config, edit
from freqgan.config.application import compose
from freqgan.edit import load_editor, things_of
from freqgan.editing import Canvas
from freqgan.errors import UserError
from tests.editing.canvases import CAR, ROAD, files, model
from tests.forked import command, only_run, paths
from tests.models import MODELS

TRAINED = [
    *("data=scenes", "data.source.length=60", "data.image_size=16", "data.batch_size=4", "samples.count=4"),
    *(
        "logger=none",
        "hardware=cpu",
        "hardware.threads=1",
        "budget.images=8",
        "metrics=none",
        "evaluation.at_start=none",
    ),
    *("model.features=2", "model.generator.norm=batch", "model.generator.coarse.norm=batch"),
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("edited")
    status, output = command(["train", *MODELS["label_to_image"], *TRAINED, *paths(folder)], folder)
    assert status == 0, output
    return only_run(folder)


def settings(run: Path, *given: str) -> dict[str, Any]:
    words = [f"run={run}", "hardware=cpu", "hardware.threads=1", f"paths.cache_dir={run.parent}", *given]
    return config.resolve(compose("edit", words))


def test_it_begins_with_the_run_s_first_example(run: Path) -> None:
    editor = load_editor(settings(run, "seed=5"))
    system = editor.materials.renderer.system
    assert np.array_equal(editor.canvas.labels, system.examples.batch(0, 1)["label_map"][0])
    assert np.array_equal(editor.canvas.instances, system.examples.batch(0, 1)["instance_map"][0])
    assert editor.canvas.seed == 5
    assert editor.canvas.things == {*range(1, 9)}
    assert editor.about()["classes"][1]["name"] == "circle"
    assert editor.materials.renderer.halo is not None
    assert editor.materials.step % editor.materials.renderer.stride == 0
    assert "error" not in editor.answer({"do": "paint", "points": [[3, 3]], "label": 2, "radius": 2})


def test_it_begins_with_a_label_map_of_any_size(run: Path, tmp_path: Path) -> None:
    labels = np.zeros((20, 40), np.uint8)
    labels[4:9, 3:8] = labels[4:9, 20:25] = 2
    Image.fromarray(labels).save(tmp_path / "street.png")
    editor = load_editor(settings(run, f"labels={tmp_path / 'street.png'}"))
    assert np.array_equal(editor.canvas.labels, labels)
    assert editor.canvas.at((4, 5)) != editor.canvas.at((21, 5))
    as_one = load_editor(settings(run, f"labels={tmp_path / 'street.png'}", "things=[circle]"))
    assert as_one.canvas.at((4, 5)) == as_one.canvas.at((21, 5))
    Image.fromarray(labels + np.uint8(100)).save(tmp_path / "strange.png")
    with pytest.raises(UserError, match=r"strange\.png has ids that are no class"):
        load_editor(settings(run, f"labels={tmp_path / 'strange.png'}"))
    with pytest.raises(UserError, match="40x20 pixels, more than max_pixels=100"):
        load_editor(settings(run, f"labels={tmp_path / 'street.png'}", "max_pixels=100"))


def test_an_export_keeps_no_examples_and_begins_with_nothing(run: Path, tmp_path: Path) -> None:
    status, output = command(["export", f"run={run}", f"output={tmp_path / 'small'}"], tmp_path)
    assert status == 0, output
    editor = load_editor(settings(tmp_path / "small"))
    assert (editor.canvas.labels == 0).all()
    assert editor.canvas.labels.shape == (16, 16)


def test_classes_with_several_ids_are_countable_where_nothing_says_so() -> None:
    plain = np.zeros((2, 2), np.uint8)
    one = Canvas(plain + np.uint8(CAR), np.array([[7, 7], [8, 8]], np.int32))
    other = Canvas(plain + np.uint8(ROAD), (plain + 1).astype(np.int32))
    reading = files().reading
    assert things_of(model(), reading, [one, other], None) == {CAR}
    assert things_of(model(things=[ROAD]), reading, [one, other], None) == {ROAD}
    assert things_of(model(), replace(reading, things=(0,)), [one, other], None) == {0}
    assert things_of(model(), reading, [one, other], ["tree", 1]) == {1, 3}
    with pytest.raises(UserError, match="no class is called bus"):
        things_of(model(), reading, [], ["bus"])


def test_what_is_not_of_it_is_refused(run: Path) -> None:
    with pytest.raises(UserError, match="give one with labels=<file>"):
        load_editor(settings(run, "instances=x.png"))
    with pytest.raises(UserError, match="no class is called bus"):
        load_editor(settings(run, "things=[bus]"))


def test_without_the_page_s_packages_it_says_what_to_install(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "freqgan.editing.server", raising=False)
    monkeypatch.delitem(sys.modules, "freqgan.editing.page", raising=False)
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(UserError, match=r"pip install 'freqgan\[edit\]'"):
        edit.main(OmegaConf.create(settings(run)))


def test_it_says_where_the_page_is_and_ends_at_ctrl_c(run: Path, tmp_path: Path) -> None:
    pytest.importorskip("gradio", reason="the page needs gradio: pip install 'freqgan[edit]'")
    words = ["edit", f"run={run}", "port=0", "hardware=cpu", "hardware.threads=1", f"paths.cache_dir={tmp_path}"]
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    program = [sys.executable, "-m", "freqgan.cli", *words]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    # Children of a shell's background job are born deaf to Ctrl-C.
    pipes["preexec_fn"] = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(program, cwd=tmp_path, **pipes) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        told = process.stdout.readline()
        assert told.startswith("open http://127.0.0.1:"), process.stderr.read()
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(60) == 130
        finally:
            process.kill()
        assert "Traceback" not in process.stderr.read()
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before  # nothing is written into the run
