from pathlib import Path

import jinja2
import pytest

from freqgan.pages import render


def test_a_page_extends_what_all_have_in_common_and_escapes_text(tmp_path: Path) -> None:
    template = tmp_path / "page.html"
    template.write_text('{% extends "base.html" %}{% block body %}<p>{{ words }}</p>{% endblock %}')
    page = render(template, title="a & b", words="<b>")
    assert "<title>a &amp; b</title>" in page
    assert "<p>&lt;b&gt;</p>" in page
    assert page.startswith("<!doctype html>")
    with pytest.raises(jinja2.UndefinedError):
        render(template, title="")
