import numpy as np

from freqgan.ops.components import FIRST_THING, components


def test_parts_of_things_have_numbers_of_their_own_and_all_else_its_class() -> None:
    labels = np.random.default_rng(0).integers(0, 6, (40, 50)).astype(np.uint8)
    labels[3] = 255
    things = [2, 4]
    instances = components(labels, things)
    assert (instances.dtype, instances.shape) == (np.int32, labels.shape)
    counted = np.isin(labels, things)
    assert np.array_equal(instances[~counted], labels[~counted])
    numbers = np.unique(instances[counted])
    assert numbers.tolist() == list(range(FIRST_THING, FIRST_THING + len(numbers)))
    for number in numbers:
        assert len(np.unique(labels[instances == number])) == 1
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):  # neighbours of one thing are one instance
        here, there = labels, np.roll(labels, (-down, -right), (0, 1))
        touch = np.isin(here, things) & (here == there)
        touch[-1:] &= not down
        touch[:, -1 if right > 0 else 0] &= not right
        assert np.array_equal(instances[touch], np.roll(instances, (-down, -right), (0, 1))[touch])


def test_a_ring_is_one_thing_and_what_it_holds_another() -> None:
    labels = np.ones((7, 7), np.uint8)
    labels[2:5, 2:5] = 0
    labels[3, 3] = 1
    assert [len(np.unique(components(labels, things))) for things in ([], [1], [0], [0, 1])] == [2, 3, 2, 3]


def test_nothing_to_count() -> None:
    labels = np.zeros((4, 4), np.uint8)
    assert not components(labels, [1, 2]).any()
