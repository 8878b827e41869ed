import numpy as np
import pytest
import torch

from freqgan.inference import Row, captioned_sheet, lit

WHITE, RED = torch.ones(3, 4, 4), torch.tensor([1.0, -1.0, -1.0]).view(3, 1, 1).expand(3, 8, 8)


def test_pictures_stand_in_rows_at_one_size() -> None:
    sheet = np.asarray(captioned_sheet([Row("two", [RED, -WHITE], ["a", "b"]), Row("one", [RED], ["c"])]))
    red = (sheet == (255, 0, 0)).all(2)
    black = (sheet == 0).all(2)
    assert red.sum() == 2 * 96 * 96
    assert black.sum() == 96 * 96
    (tops, lefts), (black_tops, black_lefts) = np.nonzero(red), np.nonzero(black)
    assert (lefts.min(), lefts.max()) == (8, 103)
    assert black_tops.min() == tops.min()
    assert black_lefts.min() == 112
    assert len({*tops.tolist()}) == 2 * 96


def test_shapes_are_kept_and_large_pictures_reduced() -> None:
    wide, tall = RED[:, :2], RED[..., :4]
    sheet = np.asarray(captioned_sheet([Row("", [wide, tall], ["", ""])]))
    areas = (sheet == (255, 0, 0)).all(2).sum()
    assert areas == 96 * 24 + 48 * 96
    large = torch.rand(3, 300, 600)
    assert captioned_sheet([Row("", [large], [""])]).width == 480
    assert captioned_sheet([Row("", [large] * 2, ["", ""])]).width == 2 * 256 + 3 * 8


def test_words_are_written_and_long_ones_make_the_sheet_longer() -> None:
    short, long = (captioned_sheet([Row(text, [WHITE[:1]], [""])]) for text in ("a", "many words " * 40))
    assert (np.asarray(short) < 128).any()
    assert long.width == short.width
    assert long.height > short.height + 50
    letters = [np.asarray(captioned_sheet([Row(text, [WHITE], [""])])) for text in ("ö", "ж", "W" * 900)]
    assert not np.array_equal(letters[0], letters[1])
    assert letters[2].shape[1] == short.width


def test_an_image_is_lit_where_attention_is() -> None:
    attention = torch.tensor([[[0.2, 0.0], [0.0, 0.0]], [[0.1, 0.1], [0.1, 0.1]], [[0.0, 0.0], [0.0, 0.0]]])
    first, even, none = lit(torch.ones(3, 8, 8), attention)
    assert first[0, 0, 0] == pytest.approx(1.0)
    assert first[0, 7, 7] == pytest.approx(2 * 0.2 - 1)
    torch.testing.assert_close(even, torch.ones(3, 8, 8))
    torch.testing.assert_close(none, torch.full((3, 8, 8), -0.6))
