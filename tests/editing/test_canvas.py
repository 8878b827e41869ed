import numpy as np
import pytest

from freqgan.editing import Canvas
from freqgan.editing.history import MOST, History
from freqgan.errors import UserError
from tests.editing.canvases import CAR, ROAD, SKY, THINGS, TREE, street


def test_a_stroke_paints_what_its_round_brush_goes_over_and_nothing_else() -> None:
    before = Canvas.blank(20, 30, SKY)
    after = before.painted([(5.5, 5.5), (15.5, 10.5), (15.5, 16.5)], ROAD, 2.0)
    y, x = np.mgrid[:20, :30] + 0.5
    for row in range(20):
        for column in range(30):
            line = [(5.5 + 10 * t, 5.5 + 5 * t) for t in np.linspace(0, 1, 120)]
            line += [(15.5, 10.5 + 6 * t) for t in np.linspace(0, 1, 120)]
            distance = min(np.hypot(x[row, column] - a, y[row, column] - b) for a, b in line)
            if abs(distance - 2) > 0.01:
                assert (after.labels[row, column] == ROAD) == (distance < 2), (row, column)
    assert (before.labels == SKY).all()  # what was before can be had again


def test_the_thinnest_brush_paints_the_pixel_it_is_in() -> None:
    after = Canvas.blank(4, 4, SKY).painted([(2.1, 1.9)], ROAD, 0)
    assert np.argwhere(after.labels == ROAD).tolist() == [[1, 2]]


def test_a_stroke_outside_paints_nothing() -> None:
    before = street()
    after = before.painted([(-50, -50), (-40, -50)], ROAD, 3)
    assert np.array_equal(after.labels, before.labels)


def test_a_stroke_that_would_take_long_is_refused() -> None:
    zigzag = [(0.0, 0.0), (1000.0, 1000.0)] * 2000
    with pytest.raises(UserError, match="draw it in several"):
        Canvas.blank(1024, 1024, SKY).painted(zigzag, ROAD, 3)


def test_a_stroke_of_a_countable_class_is_an_instance_of_its_own() -> None:
    after = street().painted([(1.5, 1.5)], CAR, 1).painted([(14.5, 1.5)], CAR, 1)
    ids = {after.at(place)[1] for place in ((1.5, 1.5), (14.5, 1.5), (4.5, 7.5), (8.5, 7.5))}
    assert len(ids) == 4


def test_a_stroke_that_begins_on_an_instance_of_its_class_continues_it() -> None:
    before = street()
    after = before.painted([(8.5, 7.5), (8.5, 2.5)], CAR, 1)
    assert after.at((8.5, 2.5)) == before.at((8.5, 7.5)) == (CAR, 1001)
    tree = before.painted([(8.5, 7.5)], TREE, 1)
    assert tree.at((8.5, 7.5)) == (TREE, 1002)


def test_a_stroke_of_any_other_class_belongs_to_what_there_is_of_it() -> None:
    shifted = Canvas(street().labels, np.where(street().labels == ROAD, 77, street().instances).astype(np.int32))
    assert shifted.painted([(1.5, 1.5)], ROAD, 1).at((1.5, 1.5)) == (ROAD, 77)
    assert Canvas.blank(4, 4, SKY).painted([(1.5, 1.5)], ROAD, 0).at((1.5, 1.5)) == (ROAD, ROAD)


def test_a_moved_instance_is_elsewhere_and_the_ground_fills_its_place() -> None:
    before = street()
    after = before.moved((5.5, 7.5), 8, -5)
    assert np.array_equal(after.labels[1:4, 12:15], np.full((3, 3), CAR))
    assert (after.instances == 1000).sum() == 9
    assert (after.instances == 1001).sum() == 9  # its neighbour does not fill it
    removed = before.removed((8.5, 7.5)).removed((5.5, 7.5))
    assert {*np.unique(removed.labels)} == {SKY, ROAD}


def test_what_is_moved_over_the_border_is_lost() -> None:
    after = street().moved((5.5, 7.5), 11, 0)
    assert (after.instances == 1000).sum() == 3
    assert (street().moved((5.5, 7.5), 100, 0).instances == 1000).sum() == 0


def test_of_a_class_that_is_not_countable_the_part_at_the_place_is_meant() -> None:
    lake = Canvas.blank(10, 10, SKY, things=THINGS).painted([(2.5, 2.5)], ROAD, 1).painted([(7.5, 7.5)], ROAD, 1)
    after = lake.removed((2.5, 2.5))
    assert after.at((2.5, 2.5))[0] == SKY
    assert after.at((7.5, 7.5))[0] == ROAD


def test_a_canvas_of_one_instance_cannot_lose_it() -> None:
    assert (Canvas.blank(3, 3, SKY).removed((1, 1)).labels == SKY).all()


@pytest.mark.parametrize("side", ["left", "right"])
def test_more_room_continues_the_ground_and_not_the_things(side: str) -> None:
    before = street(12, 10).painted([(0.5, 7.5)], CAR, 1).painted([(9.5, 7.5)], CAR, 1)
    after = before.extended(side, 8)  # type: ignore[arg-type]
    here = slice(8, None) if side == "left" else slice(10)
    assert np.array_equal(after.labels[:, here], before.labels)
    assert np.array_equal(after.instances[:, here], before.instances)
    new = np.delete(after.regions, np.arange(18)[here], axis=1)
    assert {*np.unique(new)} == {SKY * 65536 + SKY, ROAD * 65536 + ROAD}
    assert after.origin == (-8 if side == "left" else 0)
    assert np.array_equal(np.unique(new[0]), [SKY * 65536 + SKY])


def test_the_id_of_a_removed_instance_with_a_look_is_not_given_again() -> None:
    place = (1.5, 1.5)
    painted = street().painted([place], CAR, 1).looking(place, 3)
    again = painted.removed(place).painted([place], CAR, 1)
    assert again.at(place) not in painted.looks


def test_steps_back_and_forth_lead_to_the_very_canvases() -> None:
    canvases = [street(), street().painted([(1, 1)], ROAD, 1), street().removed((5, 7))]
    history = History(canvases[0]).added(canvases[1]).added(canvases[2])
    back = history.undone().undone()
    assert back.canvas is canvases[0]
    assert back.undone() is back
    assert back.redone().redone().canvas is canvases[2]
    assert history.redone() is history
    other = back.redone().undone().added(canvases[2])
    assert other.redone() is other


def test_the_oldest_steps_are_forgotten() -> None:
    history = History(street())
    for _ in range(MOST + 9):
        history = history.added(history.canvas.seeded(1))
    assert len(history.before) == MOST
