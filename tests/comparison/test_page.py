import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from freqgan.comparison import compare, read_local
from freqgan.comparison.grids import sheets
from freqgan.comparison.page import page, plots_of
from freqgan.comparison.wording import headline
from tests.comparison.written import METRICS, TRANSFORMS, rows_of, write_ledger, write_run, write_study

EVIL = '<script>alert("1")</script>'
VOID = {"meta", "link", "img", "br", "wbr", "hr", "input"}


class Document(HTMLParser):
    """Elements with their attributes, the text of each table's cells, and whether every element was closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.cells: list[list[list[str]]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.cells.append([])
        elif tag == "tr":
            self.cells[-1].append([])
        elif tag in ("td", "th"):
            self.cells[-1][-1].append("")

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if "td" in self.open or "th" in self.open:
            self.cells[-1][-1][-1] += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def table(self, start: str) -> list[list[str]]:
        """Rows of the table whose caption begins so, white space tidied."""
        captions = re.findall(r"<caption>(.*?)</caption>", self.source)
        (number,) = [i for i, caption in enumerate(captions) if caption.startswith(start)]
        return [[" ".join(cell.split()) for cell in row] for row in self.cells[number]]

    source = ""


def made(folder: Path, **asked: Any) -> Document:
    comparison = compare(read_local([str(folder)]), **asked)
    text = page(comparison, plots_of(comparison), sheets(comparison, count=2))
    document = Document(text)
    document.source = text
    assert document.open == []
    return document


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Document:
    folder = tmp_path_factory.mktemp("study")
    write_study(folder, grid=True)
    record = {"status": "diverged", "exit_status": 65, "machine": {"processor": "two"}}
    write_run(folder / "worse", rows_of(9.0, images=200), changes={"optim.lr": 1e30}, record=record)
    write_ledger(folder / "sweep", [{"key": "x", "overrides": ["a=b"], "state": "refused", "line": "no such a"}])
    return made(folder)


def test_the_page_needs_nothing_else(study: Document) -> None:
    for tag, attributes in study.elements:
        for name in ("src", "href", "srcset", "data", "action", "poster"):
            value = attributes.get(name) or ""
            assert value.startswith(("data:image/", "#")) or not value, (tag, name, value[:80])
    assert not re.search(r"@import|url\((?!#)|fetch\(|XMLHttpRequest|import\(|https?://(?!www\.w3\.org)", study.source)
    (policy,) = [m["content"] for m in study.named("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "prefers-color-scheme: dark" in study.source


def test_the_page_can_be_read_aloud_and_without_scripts(study: Document) -> None:
    assert study.named("html") == [{"lang": "en"}]
    tables = study.named("table")
    assert len(tables) == study.source.count("<caption>") >= 7
    assert all(image["alt"] for image in study.named("img"))
    assert len(study.named("img")) == 7 + 3 * 2 * 2  # curves of five metrics and two players; samples of three seeds
    assert {header.get("scope") for header in study.named("th")} == {"col", "row"}
    anchors = {link["href"] for link in study.named("a")}
    ids = [str(attributes["id"]) for _, attributes in study.elements if attributes.get("id")]
    assert len(ids) == len(set(ids))
    assert {str(anchor).removeprefix("#") for anchor in anchors} <= set(ids)
    assert "<button" not in study.source  # sorting is what scripts add


def test_the_verdict_comes_first_and_nothing_is_dropped(study: Document) -> None:
    assert study.source.index('id="verdict"') < study.source.index('id="settings"') < study.source.index('id="curves"')
    rows = study.table("Variants")
    assert [row[0].removesuffix(" baseline") for row in rows[1:]] == [
        "transform=wavelet_haar optim.lr=0.0002",
        "transform=identity optim.lr=0.0002",
        "a=b",
        "transform=identity optim.lr=1e+30",
    ]
    assert rows[1][1] == "3 finished seeds 1, 2, 3"
    assert rows[1][5] == "better on 3 of 3 seeds: too few to be sure"
    assert rows[2][5] == "baseline"
    assert [row[1].split()[1] for row in rows[3:]] == ["refused", "diverged"]
    wrong = study.table("What went wrong")
    assert [(row[3], row[4]) for row in wrong[1:]] == [("refused", "no such a"), ("diverged", "–")]
    assert len(study.table("Every run")) == 1 + 8
    assert "machine.processor" in study.text
    assert "The runs' hardware differs" in study.text


def test_settings_costs_and_metrics(study: Document) -> None:
    settings = study.table("Settings")
    assert settings[0][1:] == ["transform", "optim.lr", "transform.wavelet", "transform.levels"]
    assert settings[1][1:] == ["WaveletTransform", "0.0002", "haar", "1"]
    cost = study.table("Cost")
    assert cost[1][2:] == ["3,000", cost[1][3], "37.5", cost[1][5], "0.5"]
    metrics = study.table("All metrics at 1,000 images")
    assert [title.split()[0] for title in metrics[0][2:]] == [name.rpartition("_x")[0] or name[:-5] for name in METRICS]
    assert len(metrics) == 3  # variants without a value have no row here


def test_what_comes_from_configs_is_text(tmp_path: Path) -> None:
    write_run(tmp_path / "a", rows_of(1.0), changes={"name": EVIL, "model.note": EVIL, "tags": ["x", EVIL]}, grid=True)
    changes = {"model.note": "ünï ☃ 漢字", "tags": [], "transform": {"_target_": f"x.{EVIL}"}}
    write_run(tmp_path / "<b>&amp;", rows_of(1.0), changes=changes, record={"data_fingerprint": "abc"})
    names = {"ids": [f"caption {EVIL}"], "columns": 2, "gap": 1, "cell": [8, 8], "scale": 2}
    (tmp_path / "a" / "samples" / "cells.json").write_text(str(names).replace("'", '"').replace('("1")', "(1)"))
    write_ledger(tmp_path / "s", [{"key": EVIL, "overrides": [f"z={EVIL}"], "state": "failed", "line": f"{EVIL} ]]>"}])
    write_run(tmp_path / "m", rows_of(1.0, names=(f"fd_{EVIL}",)), changes={"seed": 4})
    document = made(tmp_path, mark=True)
    assert len(document.named("script")) == 1
    assert "ünï ☃ 漢字" in document.text
    assert document.text.count("alert(") >= 6
    assert "<b>&amp;" in document.text


def test_a_page_without_numbers(tmp_path: Path) -> None:
    write_ledger(tmp_path, [{"key": "a", "overrides": ["seed=1"], "state": "waiting"}])
    document = made(tmp_path)
    assert "There is nothing to rank" in document.text
    assert 'id="curves"' not in document.source


def test_the_headline_names_the_second_where_the_baseline_is_the_best(tmp_path: Path) -> None:
    write_study(tmp_path)
    said = "".join(text for text, _ in headline(compare(read_local([str(tmp_path)]), baseline="haar")))
    assert "It is the baseline; the next one, transform=identity, follows with +" in said
    assert said.endswith("worse on 3 of 3 seeds: too few to be sure. ")


def test_one_run_in_progress(tmp_path: Path) -> None:
    write_run(tmp_path / "a", rows_of(1.0, images=300), record={"status": "running"})
    document = made(tmp_path)
    assert "study has the best fd at 200 images: " in document.text
    assert "1 killed" in document.text


def test_the_headline_says_where_time_and_images_disagree(tmp_path: Path) -> None:
    slow = [row | {"time/seconds": row["time/seconds"] * 10} for row in rows_of(50.0)]
    write_run(tmp_path / "a", rows_of(100.0))
    write_run(tmp_path / "b", slow, changes={"transform": TRANSFORMS["wavelet_haar"]})
    pieces = headline(compare(read_local([str(tmp_path)])))
    said = "".join(text for text, _ in pieces)
    assert said.startswith("transform=wavelet_haar has the best fd at 1,000 images: ")
    assert "Against the baseline transform=identity that is −" in said
    assert "one seed: no interval" in said
    assert "seconds of training the best is transform=identity." in said
    assert [text for text, name in pieces if name] == [
        "transform=wavelet_haar",
        "transform=identity",
        "transform=identity",
    ]
