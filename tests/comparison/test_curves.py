import io
import math
import xml.etree.ElementTree as ET
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from freqgan.comparison import compare, read_local
from freqgan.comparison.curves import COLOURS, OTHERS, Curves, as_svg, colours, mean_curve, x_limits, y_limits
from freqgan.comparison.run import Series
from tests.comparison.written import rows_of, write_run, write_study


def series(images: list[float], values: list[float], seconds: list[float] | None = None) -> Series:
    return Series(*(np.asarray(column, float) for column in (images, seconds or images, values)))


def test_the_mean_is_taken_where_all_were_measured() -> None:
    runs = [series([1, 2, 3], [1, 2, 3], [1, 2, 3]), series([1, 3, 4], [3, 5, 9], [3, 6, 8])]
    found = mean_curve(runs, "images")
    assert found is not None
    x, mean, deviation = (column.tolist() for column in found)
    assert x == [1, 3]  # at 2 one of them was not measured, at 4 the other had ended
    assert mean == [2, 4]
    assert deviation == pytest.approx([math.sqrt(2)] * 2)
    along = mean_curve(runs, "seconds")
    assert along is not None
    assert along[0].tolist() == [2, 4.5]


def test_there_is_no_mean_of_one_run_nor_without_a_common_count() -> None:
    assert mean_curve([series([1], [1])], "images") is None
    assert mean_curve([series([1, 2], [1, 2]), series([1.5, 2.5], [1, 2])], "images") is None


def test_what_is_not_finite_has_no_part_in_the_mean() -> None:
    found = mean_curve([series([1, 2], [1, math.nan]), series([1, 2], [3, 4]), series([1, 2], [5, 6])], "images")
    assert found is not None
    assert found[0].tolist() == [1]


def test_a_diverging_run_does_not_flatten_the_others() -> None:
    steady = series(list(range(400)), list(np.linspace(1, 2, 400)))
    limits = y_limits([steady, series([1, 2], [1e30, math.nan])])
    assert limits is not None
    assert limits == pytest.approx((0.95, 2.05))
    assert y_limits([series([1], [math.nan])]) is None
    assert y_limits([]) is None
    assert y_limits([series([1, 2], [0, 0])]) == (-1.0, 1.0)
    assert x_limits([series([1, math.nan], [1, 1])], "images") == (0.0, 2.0)


def test_the_first_ten_variants_have_a_colour_of_their_own(tmp_path: Path) -> None:
    for n in range(12):
        write_run(tmp_path / f"{n:02d}", rows_of(1.0 + n), changes={"optim.lr": float(n)})
    write_run(tmp_path / "empty", [], changes={"optim.lr": 99.0})
    found = colours(compare(read_local([str(tmp_path)])).variants)
    assert list(found.values()) == [*COLOURS, OTHERS, OTHERS, OTHERS]


def test_a_figure_is_a_drawing_for_both_modes_and_a_picture_with_a_legend(tmp_path: Path) -> None:
    before = dict(mpl.rcParams)
    curves = Curves(compare(read_local([str(write_study(tmp_path))])))
    figure = curves.draw("val/fd_x_n100", "$fd$ <b> & _")
    assert figure is not None
    svg = as_svg(figure)
    root = ET.fromstring(svg)
    texts = "".join(root.itertext())
    assert "$fd$ <b> & _" in texts
    assert "prefers-color-scheme:dark" in texts
    assert "currentColor" in svg
    assert not [element for element in root.iter() if any("http" in v for v in element.attrib.values())]
    left, right = figure.axes
    assert (left.get_xlabel(), right.get_xlabel()) == ("images", "seconds")
    bold = [line for line in left.lines if line.get_linewidth() == 2]
    assert [line.get_linestyle() for line in bold] == ["--", "-"]  # the baseline, and the best one above it
    assert [line.get_color() for line in bold] == [COLOURS[1], COLOURS[0]]
    assert len(left.collections[-1].get_paths()) == 6  # type: ignore[attr-defined]
    with Image.open(io.BytesIO(curves.as_png(figure))) as picture:
        width, height = figure.canvas.get_width_height()
        assert (picture.width, picture.mode) == (width, "RGB")
        assert picture.height > height
    assert curves.draw("val/none", "nothing") is None
    assert dict(mpl.rcParams) == before


def test_names_that_matplotlib_would_read_as_something_else(tmp_path: Path) -> None:
    for tag in ("$x", "_hidden", "漢字 🎨"):
        write_run(tmp_path / tag, rows_of(1.0), changes={"model.note": tag})
    curves = Curves(compare(read_local([str(tmp_path)])))
    figure = curves.draw("train/generator", "terms")
    assert figure is not None
    assert curves.as_png(figure)
