"""The page in headless Chromium: what a hand does there, and what an eye sees then."""

import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from freqgan.editing import Editor
from tests.editing.canvases import CAR, ROAD, editor, street

pytest.importorskip("gradio", reason="the page needs gradio: pip install 'freqgan[edit]'")
pytest.importorskip("selenium", reason="a browser is led by selenium: pip install selenium")
from tests.editing.serving import served

sys.path.insert(0, str(Path(__file__).parents[2] / "experiments" / "label_to_image"))
from editing import Page, chromium

pytestmark = pytest.mark.skipif(
    not (shutil.which("chromium") and shutil.which("chromedriver")),
    reason="there is no Chromium: apt-get install chromium chromium-driver",
)


@pytest.fixture(scope="module")
def some() -> Editor:
    """With statistics that are fixed at use, and wider than a stroke reaches."""
    return editor(street(22, 168))


@pytest.fixture(scope="module")
def page(some: Editor) -> Iterator[Page]:
    with served(some) as server, chromium() as driver:
        yield Page(driver, server.url)


def seen(page: Page, plane: str) -> np.ndarray:
    width, height, values = page.pixels(plane)
    return np.array(values, np.uint8).reshape(height, width, 4)[..., :3]


def test_a_stroke_changes_the_picture_where_it_was_painted_and_nowhere_beyond_reach(page: Page, some: Editor) -> None:
    labels, picture = seen(page, "labels"), seen(page, "picture")
    page.brush(4)
    page.choose(CAR)
    page.drag((80, 6), (86, 6))
    painted = (seen(page, "labels") != labels).any(-1)
    assert painted[6, 80:86].all()
    assert not np.delete(painted, np.arange(77, 90), 1).any()
    changed = (seen(page, "picture") != picture).any(-1)
    assert changed[4:8, 78:88].mean() > 0.25
    halo = some.materials.renderer.halo
    assert halo is not None
    beyond = np.r_[0 : 78 - halo - 1, 88 + halo + 1 : 168]
    assert len(beyond) > 20
    assert not changed[:, beyond].any()
    assert np.array_equal(seen(page, "picture"), some.picture)


def test_the_picture_can_be_painted_on_too(page: Page, some: Editor) -> None:
    page.choose(ROAD)
    page.drag((120.5, 4.5), plane="picture")
    assert some.canvas.at((120.5, 4.5))[0] == ROAD
    assert np.array_equal(seen(page, "picture"), some.picture)


def test_an_instance_is_dragged_and_deleted_and_what_was_done_is_undone(page: Page, some: Editor) -> None:
    page.tool("move")
    page.drag((5.5, 12.5), (25.5, 6.5))
    assert some.canvas.at((25.5, 6.5)) == (CAR, 1000)
    page.tool("remove")
    page.drag((25.5, 6.5))
    assert 1000 not in some.canvas.instances
    for _ in range(2):
        page.click("[data-do=undo]")
    assert some.canvas.at((5.5, 12.5)) == (CAR, 1000)
    page.click("[data-do=redo]")
    assert some.canvas.at((25.5, 6.5)) == (CAR, 1000)
    assert np.array_equal(seen(page, "picture"), some.picture)


def test_the_canvas_grows_at_both_sides_until_it_says_why_not(page: Page, some: Editor) -> None:
    picture = seen(page, "picture")
    page.click("[data-extend=left]")
    assert seen(page, "picture").shape == (22, 176, 3)
    assert some.canvas.origin == -8
    far = 8 + (some.materials.renderer.halo or 0) + 1
    assert np.array_equal(seen(page, "picture")[:, far:], picture[:, far - 8 :])
    page.click("[data-extend=right]")
    assert seen(page, "picture").shape == (22, 184, 3)
    assert page.status().startswith("184×22 pixels")
    page.choose(CAR)
    for x in (183.5, 0.5):  # wider than the window by now, and every column is reached
        page.drag((x, 4.5))
        assert some.canvas.at((x, 4.5))[0] == CAR
    page.click("[data-extend=right]")
    assert "192x22 pixels, more than max_pixels=4096" in page.status()


def test_begins_anew_with_an_example_or_a_blank_canvas(page: Page, some: Editor) -> None:
    page.begin("0")
    assert seen(page, "labels").shape == (12, 16, 3)
    page.begin("blank")
    assert (some.canvas.labels == some.canvas.labels[0, 0]).all()


def test_what_others_draw_is_seen_too(page: Page, some: Editor) -> None:
    before, other = seen(page, "labels"), (int(some.canvas.labels[2, 2]) + 1) % 4
    some.answer({"do": "paint", "points": [[2.5, 2.5]], "label": other, "radius": 1})
    deadline = time.monotonic() + 20
    while np.array_equal(seen(page, "labels"), before):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    page.settle()
    assert np.array_equal(seen(page, "picture"), some.picture)


def test_nothing_is_fetched_from_elsewhere(page: Page) -> None:
    fetched = page.script("return performance.getEntriesByType('resource').map(e => e.name)")
    assert fetched
    assert {name.partition("//")[2].partition("/")[0].partition(":")[0] for name in fetched if "//" in name} == {
        "127.0.0.1"
    }


def test_labels_and_picture_of_a_canvas_that_is_not_wide_are_seen_whole_side_by_side() -> None:
    with served(editor(street(53, 73))) as server, chromium(1360, 900) as driver:
        page = Page(driver, server.url)
        sides = "const s = document.querySelector('.scroll'); return [s.scrollWidth, s.clientWidth]"
        content, room = page.script(sides)
    assert 2 * 6 * 73 < content <= room
