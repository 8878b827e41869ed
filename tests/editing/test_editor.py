import base64
import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from freqgan.editing.label_files import png
from freqgan.editing.requests import MOST_POINTS
from freqgan.errors import UserError
from tests.editing.canvases import CAR, MAX_PIXELS, ROAD, SKY, editor, street


def pixels(part: dict[str, Any] | str) -> np.ndarray:
    uri = part if isinstance(part, str) else part["png"]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("RGB"))


def sent(image: np.ndarray) -> str:
    return base64.b64encode(png(Image.fromarray(image))).decode()


class Page:
    """What a browser shows, put together of what arrives."""

    def __init__(self, some) -> None:
        self.editor, self.labels, self.picture = some, None, None
        self.state: dict[str, Any] = {}
        self.ask(do="show")

    def ask(self, **request: Any) -> dict[str, Any]:
        reply: dict[str, Any] = self.editor.answer({"revision": self.state.get("revision")} | request)
        if "revision" in reply:
            for kind in ("labels", "picture"):
                self._put(kind, reply)
            self.state = reply
        return reply

    def _put(self, kind, reply):
        shown = getattr(self, kind)
        if reply["whole"]:
            shown = np.zeros((reply["height"], reply["width"], 3), np.uint8)
        if reply[kind] is not None:
            x, y, width, height = reply[kind]["box"]
            shown[y : y + height, x : x + width] = pixels(reply[kind])
        setattr(self, kind, shown)


EDITS: tuple[dict[str, Any], ...] = (
    {"do": "paint", "points": [[1.5, 1.5], [9.5, 2.5]], "label": CAR, "radius": 1.5},
    {"do": "move", "at": [5.5, 7.5], "by": [3, -2]},
    {"do": "remove", "at": [8.5, 7.5]},
    {"do": "extend", "side": "left"},
    {"do": "paint", "points": [[1.5, 11.5]], "label": SKY, "radius": 0},
    {"do": "extend", "side": "right"},
    {"do": "seed", "seed": 7},
    {"do": "undo"},
    {"do": "undo"},
    {"do": "redo"},
    {"do": "undo"},
    {"do": "undo"},
    {"do": "undo"},
    {"do": "example", "number": 1},
    {"do": "blank", "label": ROAD},
    {"do": "undo"},
)


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_what_arrives_piece_by_piece_is_what_is_there(norm: str) -> None:
    page = Page(editor(norm=norm))
    for edit in EDITS:
        assert "error" not in page.ask(**edit), edit
        fresh = Page(page.editor)
        assert np.array_equal(page.labels, fresh.labels), edit
        assert np.array_equal(page.picture, fresh.picture), edit
        assert np.array_equal(page.picture, page.editor.picture), edit


def test_a_page_that_shows_something_older_gets_everything() -> None:
    some = editor()
    one, other = Page(some), Page(some)
    one.ask(**EDITS[0])
    assert other.ask(**EDITS[1])["whole"]
    assert np.array_equal(other.picture, some.picture)


def test_a_page_that_asks_again_is_told_what_is_new_alone() -> None:
    some = editor()
    one, other = Page(some), Page(some)
    reply = one.ask(do="show")
    assert (reply["whole"], reply["labels"], reply["picture"]) == (False, None, None)
    other.ask(**EDITS[0])
    one.ask(do="show")
    assert np.array_equal(one.picture, some.picture)
    assert np.array_equal(one.labels, other.labels)


def test_a_page_of_an_editor_that_has_ended_is_not_taken_for_one_of_the_next() -> None:
    old = Page(editor())
    old.editor = editor(street(24, 32))
    assert old.ask(do="show")["whole"]


REFUSED: tuple[tuple[Any, str], ...] = (
    (None, "no such request"),
    ([], "no such request"),
    ("paint", "no such request"),
    ({"do": "open", "path": "config.yaml"}, "no such request"),
    ({"do": "show", "path": "config.yaml"}, "path"),
    ({"do": "paint", "points": [], "label": 0, "radius": 1}, "points"),
    ({"do": "paint", "points": [[1, 1]] * (MOST_POINTS + 1), "label": 0, "radius": 1}, "points"),
    ({"do": "paint", "points": [[float("nan"), 1]], "label": 0, "radius": 1}, "points"),
    ({"do": "paint", "points": [[1e30, 1]], "label": 0, "radius": 1}, "points"),
    ({"do": "paint", "points": [[1, 1]], "label": 0, "radius": 1e9}, "radius"),
    ({"do": "paint", "points": [[1, 1]], "label": 4, "radius": 1}, "label 4 is no class, wanted 0 to 3"),
    ({"do": "paint", "points": [[1, 1]], "label": -1, "radius": 1}, "label"),
    ({"do": "move", "at": [1, 1], "by": [10**9, 0]}, "by"),
    ({"do": "seed", "seed": -1}, "seed"),
    ({"do": "seed", "seed": 2**40}, "seed"),
    ({"do": "example", "number": 2}, "there are 2 examples"),
    ({"do": "blank", "label": 9}, "label 9 is no class"),
    ({"do": "extend", "side": "above"}, "side"),
    ({"do": "download", "what": "../run.json"}, "what"),
    ({"do": "look", "at": [1, 1]}, "the run keeps no looks of 0 sky"),
    ({"do": "upload", "png": "???"}, "did not arrive whole"),
    ({"do": "upload", "png": "QUJD"}, "is no PNG file"),
    ({"do": "upload", "png": sent(np.zeros((65, 64), np.uint8))}, f"64x65 pixels, wanted 1 to max_pixels={MAX_PIXELS}"),
    ({"do": "upload", "png": sent(np.full((4, 4), 9, np.uint8))}, "which are no classes"),
)


@pytest.mark.fault("edit", "request that is none")
@pytest.mark.parametrize(("request_", "told"), REFUSED)
def test_what_cannot_be_is_refused_in_a_line_and_changes_nothing(request_: Any, told: str) -> None:
    some = editor()
    before = some.canvas
    error = some.answer(request_)["error"]
    assert told in error
    assert "\n" not in error
    assert some.canvas is before
    assert len(some.history.before) == 0


def test_the_canvas_grows_until_it_is_too_large() -> None:
    page = Page(editor(street(16, 240)))
    assert page.ask(do="extend", side="right")["width"] == 248
    assert page.ask(do="extend", side="right")["width"] == 256
    assert "264x16 pixels, more than max_pixels=4096" in page.ask(do="extend", side="right")["error"]
    with pytest.raises(UserError, match="more than max_pixels"):
        editor(street(32, 240))


def test_looks_of_an_instance_come_one_after_the_other() -> None:
    some = editor(features=2)
    system = some.materials.renderer.system
    for generator in (system.generator, system.ema.module):
        generator.encoder.keep({CAR: torch.tensor([[-1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])})
    page = Page(some)
    assert [one["looks"] for one in page.state["about"]["classes"]] == [0, 0, 3, 0]
    pictures = []
    for _ in range(4):
        page.ask(do="look", at=[5.5, 7.5])
        pictures.append(page.picture.copy())
    assert np.array_equal(pictures[0], pictures[3])
    assert not np.array_equal(pictures[0], pictures[1])
    assert {*some.canvas.looks} == {(CAR, 1000)}


def test_what_is_no_class_has_no_looks() -> None:
    canvas = street()
    labels = canvas.labels.copy()
    labels[0, 0] = 255
    page = Page(editor(replace(canvas, labels=labels)))
    assert page.ask(do="look", at=[0.5, 0.5])["error"] == "the run keeps no looks of 255"


def test_files_are_sent_and_taken() -> None:
    page = Page(editor())
    labels = page.ask(do="download", what="labels")["png"]
    assert np.array_equal(pixels(page.ask(do="download", what="picture")["png"]), page.picture)
    assert page.ask(do="download", what="instances")["png"].startswith("data:image/png;base64,")
    before = page.labels.copy()
    page.ask(do="blank", label=ROAD)
    assert not np.array_equal(page.labels, before)
    page.ask(do="upload", png=labels.partition(",")[2])
    assert np.array_equal(page.labels, before)


@pytest.mark.fault("edit", "request that is none")
def test_a_failure_is_told_and_nothing_is_half_done(monkeypatch: pytest.MonkeyPatch) -> None:
    page = Page(editor())
    picture = page.editor.picture.copy()

    def fails(canvas: object) -> None:
        raise RuntimeError("out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(type(page.editor.materials.renderer), "render", lambda self, canvas: fails(canvas))
        assert page.ask(**EDITS[0])["error"] == "this edit has failed, see the terminal"
    assert np.array_equal(page.editor.picture, picture)
    assert page.state["undo"] == 0
    assert "error" not in page.ask(**EDITS[0])
