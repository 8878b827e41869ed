import numpy as np

from freqgan.data.splits import belongs, position

NAMES = [f"folder/{i}.png" for i in range(5000)]


def test_sides_are_exclusive_complete_and_of_the_asked_share():
    val = {name for name in NAMES if belongs(name, "val", 0.2)}
    train = {name for name in NAMES if belongs(name, "train", 0.2)}
    assert not val & train
    assert val | train == set(NAMES) == {name for name in NAMES if belongs(name, "all", 0.2)}
    assert abs(len(val) / len(NAMES) - 0.2) < 4 * np.sqrt(0.2 * 0.8 / len(NAMES))


def test_a_larger_fraction_only_adds_to_validation():
    small, large = ({name for name in NAMES if belongs(name, "val", share)} for share in (0.1, 0.3))
    assert small < large


def test_no_fraction_leaves_no_validation():
    assert not any(belongs(name, "val", 0.0) for name in NAMES)


def test_names_that_are_not_utf8_have_a_position():
    assert 0 <= position("\udcff\n.png") < 1
