"""A session of editing in a headless browser, step by step as pictures of the page.

    python experiments/label_to_image/editing.py run=<run> --thing car --ground road --to <folder>

Chromium and its driver come from Debian's packages chromium and chromium-driver. Words with `=` go to `freqgan edit`.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.support.wait import WebDriverWait

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--hide-scrollbars"),
)
SECONDS = 120  # that an edit may take
Place = Sequence[float]  # x and y in pixels of the canvas


@contextmanager
def chromium(width: int = 1360, height: int = 900) -> Iterator[Chrome]:
    """A browser with a profile of its own."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = ChromeOptions()
        for flag in (*FLAGS, f"--user-data-dir={profile}", f"--window-size={width},{height}"):
            options.add_argument(flag)
        options.binary_location = shutil.which("chromium") or ""
        driver = Chrome(options, Service(shutil.which("chromedriver")))
        try:
            yield driver
        finally:
            driver.quit()


class Page:
    """The editor as a hand and an eye have it."""

    def __init__(self, driver: Chrome, url: str) -> None:
        self.driver = driver
        driver.get(url)
        self._until("return (document.querySelector('.editor') || {dataset: {}}).dataset.revision")

    def click(self, selector: str) -> None:
        """Presses a button."""
        self.driver.find_element("css selector", f".editor {selector}").click()
        self.settle()

    def tool(self, name: str) -> None:
        """Takes a tool into the hand."""
        self.click(f"button[data-tool={name}]")

    def choose(self, label: int) -> None:
        """Takes the brush with a class."""
        self.click(f"[data-label='{label}']")

    def brush(self, size: int) -> None:
        """Another brush."""
        self.script(
            "const b = document.querySelector('[data-brush]'); b.value = arguments[0]; b.oninput({target: b})", size
        )

    def begin(self, value: str) -> None:
        """Begins with `blank`, or an example by its number."""
        self.script(
            "const s = document.querySelector('[data-new]'); s.value = arguments[0]; s.onchange({target: s})", value
        )
        self.settle()

    def drag(self, *points: Place, plane: str = "labels") -> None:
        """Presses the button of the mouse at the first place, and lets it go at the last."""
        left, top, zoom = self.script(
            "const c = document.querySelector(`[data-plane=${arguments[0]}]`), z = c.clientWidth / c.width,"
            " s = document.querySelector('.scroll'); s.scrollLeft = arguments[1] * z - s.clientWidth / 2;"
            " const b = c.getBoundingClientRect(); return [b.left, b.top, z]",
            plane,
            sum(x for x, _ in points) / len(points),
        )
        actions = ActionBuilder(self.driver, duration=20)
        places = [(round(left + x * zoom), round(top + y * zoom)) for x, y in points]
        actions.pointer_action.move_to_location(*places[0]).pointer_down()
        for place in places[1:]:
            actions.pointer_action.move_to_location(*place)
        actions.pointer_action.pointer_up()
        actions.perform()
        self.settle()

    def settle(self) -> None:
        """Waits until everything has been answered."""
        self._until("return document.querySelector('.editor').dataset.busy === 'false'")

    def pixels(self, plane: str) -> tuple[int, int, list[int]]:
        """Width, height and RGBA values of what is shown."""
        width, height, values = self.script(
            "const c = document.querySelector(`[data-plane=${arguments[0]}]`);"
            "return [c.width, c.height, [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]]",
            plane,
        )
        return width, height, values

    def classes(self) -> list[dict[str, Any]]:
        """Names and colours, and whether a stroke is an instance."""
        found: list[dict[str, Any]] = self.script(
            "return [...document.querySelectorAll('[data-label]')].map(b => ({name: b.textContent,"
            " color: b.dataset.color, thing: b.title !== b.textContent}))"
        )
        return found

    def status(self) -> str:
        """What the page says."""
        return str(self.script("return document.querySelector('.status').textContent"))

    def script(self, text: str, *values: Any) -> Any:
        """What a script returns."""
        return self.driver.execute_script(text, *values)

    def _set(self, selector: str, event: str, value: Any) -> None:
        self.script(
            "const e = document.querySelector(arguments[0]); e.value = arguments[2]; e[arguments[1]]({target: e})",
            *(selector, event, value),
        )

    def _until(self, text: str) -> None:
        WebDriverWait(self.driver, SECONDS, 0.05).until(lambda driver: driver.execute_script(text))


def session(page: Page, thing: int, ground: int) -> Iterator[str]:
    """Edits of a run's first example, each with a name."""
    width, height, _ = page.pixels("labels")
    yield "begin"
    page.brush(max(4, height // 6))
    page.choose(thing)
    page.drag((width * 0.3, height * 0.7), (width * 0.42, height * 0.7))
    yield "stroke"
    page.tool("move")
    page.drag((width * 0.36, height * 0.7), (width * 0.66, height * 0.6))
    yield "moved"
    if page.driver.find_element("css selector", "button[data-tool=look]").is_displayed():
        page.tool("look")
        page.drag((width * 0.66, height * 0.6))
        yield "another_look"
        page.drag((width * 0.66, height * 0.6))
        yield "yet_another_look"
    page.choose(ground)
    page.drag((width * 0.05, height * 0.9), (width * 0.95, height * 0.8))
    yield "ground"
    page.tool("remove")
    page.drag((width * 0.66, height * 0.6))
    yield "removed"
    page.click("[data-do=undo]")
    yield "undone"
    for _ in range(4):
        page.click("[data-extend=right]")
    yield "more_room"
    now = page.pixels("labels")[0]
    page.choose(thing)
    for share in (0.5, 0.72, 0.9):
        page.drag((now * share, height * 0.72), (now * share + width * 0.12, height * 0.72))
    yield "drawn_on"
    page.click("[data-extend=left]")
    page.drag((width * 0.2, height * 0.7), (width * 0.32, height * 0.74))
    yield "to_the_left"
    if page.driver.find_element("css selector", "[data-dice]").is_displayed():
        page.click("[data-dice]")
        yield "another_seed"


def numbered(page: Page, name: str | None, *, thing: bool) -> int:
    """A class by its name, or the first that is countable, or is not."""
    for number, one in enumerate(page.classes()):
        if one["name"] == name or (name is None and one["thing"] == thing):
            return number
    raise SystemExit(f"no class is called {name}, or none is{'' if thing else ' not'} countable: set things=[…]")


@contextmanager
def served(words: Sequence[str]) -> Iterator[str]:
    """`freqgan edit` on a free port, and where its page is."""
    command = [sys.executable, "-m", "freqgan.cli", "edit", *words, "port=0"]
    environment = os.environ | {"COLUMNS": "200"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        try:
            told = next((line for line in process.stdout if line.startswith("open http")), None)
            if told is None:
                raise SystemExit("freqgan edit has ended, see above")
            yield told.split()[1]
        finally:
            process.terminate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="+", metavar="key=value", help="of freqgan edit, run=<run> among them")
    parser.add_argument("--thing", help="a class whose strokes are instances")
    parser.add_argument("--ground", help="a class whose strokes are not")
    parser.add_argument("--to", type=Path, required=True, help="folder of the pictures")
    given = parser.parse_args()
    given.to.mkdir(parents=True, exist_ok=True)
    said: dict[str, str] = {}
    with served(given.words) as url, chromium() as driver:
        page = Page(driver, url)
        thing, ground = numbered(page, given.thing, thing=True), numbered(page, given.ground, thing=False)
        for number, name in enumerate(session(page, thing, ground)):
            said[name] = page.status()
            driver.save_screenshot(str(given.to / f"{number:02d}_{name}.png"))
    print(json.dumps(said, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
