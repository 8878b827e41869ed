import base64
import io
import re

import numpy as np
import torch
from PIL import Image

from freqgan.inference import gallery_page, gallery_sheet
from freqgan.inference.gallery import with_parts

EVIL = '<script>"a"</script>'


def flat(value: float, side: int = 32) -> torch.Tensor:
    return torch.full((3, side, side), value)


def exhibits(name: str = "a") -> list[tuple[str, dict[str, torch.Tensor]]]:
    """Detail at two places: of the result, and of the target."""
    made, target = flat(-1.0), flat(-1.0)
    made[:, 3:6:2, 3:6:2] = 1.0
    target[:, 20:26:2, 21:27:2] = 1.0
    return [(name, {"input": flat(0.5), "result": made, "target": target})]


def test_parts_are_where_the_target_has_detail() -> None:
    ((_, pictures),) = exhibits()
    parts = with_parts(pictures)
    assert [*parts] == ["input", "result", "target", "input, 4×", "result, 4×", "target, 4×"]
    assert [tuple(part.shape) for part in parts.values()] == 3 * [(3, 32, 32)] + 3 * [(3, 8, 8)]
    assert parts["target, 4×"].sum() > parts["target, 4×"].numel() * -1
    assert (parts["result, 4×"] == -1).all()
    untargeted = with_parts({"input": pictures["target"], "result": pictures["result"]})
    assert torch.equal(untargeted["input, 4×"], parts["target, 4×"])
    assert with_parts({"input": torch.zeros(1, 3, 2)})["input, 4×"].shape == (1, 1, 1)


def test_the_sheet_has_a_row_for_each() -> None:
    one, two = (gallery_sheet(n * exhibits()) for n in (1, 2))
    assert one.width == two.width
    assert two.height > 1.8 * one.height
    white = (np.asarray(one) == 255).all(2)
    assert white.mean() < 0.6


def test_the_page_holds_the_pixels_that_there_are() -> None:
    text = gallery_page(EVIL, {"images seen": 3}, {"a_to_b": exhibits(EVIL), "b_to_a": exhibits()})
    assert EVIL not in text
    assert "<h2>a to b</h2>" in text
    assert "<h2>b to a</h2>" in text
    found = re.findall(r'<img class="pixels" src="data:image/png;base64,([^"]*)" width="(\d+)" height="(\d+)"', text)
    assert len(found) == 12
    pictures = [np.asarray(Image.open(io.BytesIO(base64.b64decode(content)))) for content, *_ in found]
    assert [picture.shape for picture in pictures[:6]] == 3 * [(32, 32, 3)] + 3 * [(8, 8, 3)]
    assert {(width, height) for _, width, height in found} == {("96", "96")}
    assert (pictures[0] == 191).all()
    ((_, large),) = [("", {"input": torch.rand(3, 300, 400)})]
    reduced = gallery_page("", {}, {"x": [("", large)]})
    content = re.findall(r"base64,([^\"]*)", reduced)
    sizes = [Image.open(io.BytesIO(base64.b64decode(uri))).size for uri in content]
    assert sizes == [(256, 192), (100, 75)]
