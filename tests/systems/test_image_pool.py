"""The pool by itself: what it shows, what it keeps, and that neither splits nor resumes change it."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from freqgan.ops.global_batch import rank, world_size
from freqgan.ops.keyed_random import torch_generator
from freqgan.systems import ImagePool
from freqgan.systems.rules import Rows
from tests.forked import on_ranks

# gloo's threads start only in the forked processes.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")

BATCH, STEPS = 4, 30


def numbered(step: int, count: int = BATCH) -> Tensor:
    """Images whose pixels say which they are."""
    return torch.arange(step * count, (step + 1) * count).float().view(-1, 1, 1, 1).expand(-1, 1, 2, 3)


def shown(pool: ImagePool, step: int, *, parts: int = 1, count: int = BATCH) -> list[int]:
    """Numbers of what this process's discriminator sees in a step."""
    local = count // world_size()
    size, first = local // parts, rank() * local
    seen: list[int] = []
    for start in range(first, first + local, size):
        rows, random = Rows(start, start + size, count), torch_generator(3, "pool", step)
        images = pool(numbered(step, count)[start : start + size], rows=rows, random=random)
        seen += images[:, 0, 0, 0].int().tolist()
    return seen


def test_without_room_new_images_pass() -> None:
    pool = ImagePool(0)
    assert shown(pool, 0) == [0, 1, 2, 3]
    assert len(pool.images) == 0


def test_while_there_is_room_new_images_are_shown_and_stored() -> None:
    pool = ImagePool(8)
    assert [shown(pool, step) for step in (0, 1)] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert pool.images[:, 0, 0, 0].tolist() == [*range(8)]


def test_a_full_pool_shows_stored_images_half_of_the_time() -> None:
    pool = ImagePool(8)
    old = 0
    for step in range(500):
        before = pool.images[:, 0, 0, 0].tolist() if step else []
        seen = shown(pool, step)
        new = [number for number in seen if number in numbered(step)[:, 0, 0, 0]]
        assert set(seen) <= {*before, *new}
        old += len(seen) - len(new)
    assert abs(old / 2000 - 0.5) < 0.04
    assert pool.images.shape == (8, 1, 2, 3)
    assert pool.images.min() > 1500  # old ones leave


def test_one_image_at_a_time_is_the_published_rule() -> None:
    pool, stored = ImagePool(5), list[int]()
    for step in range(200):
        new, where = torch.rand(1, 2, generator=torch_generator(3, "pool", step))[0].tolist()
        if len(stored) < 5:
            stored.append(step)
            expected = step
        elif new < 0.5:
            expected = step
        else:
            place = int(where * 5)
            expected, stored[place] = stored[place], step
        assert shown(pool, step, count=1) == [expected]
    assert pool.images[:, 0, 0, 0].tolist() == stored


def test_what_is_shown_is_a_copy() -> None:
    pool = ImagePool(2)
    for step in range(20):
        images = pool(numbered(step), rows=Rows(0, 4, 4), random=torch_generator(3, "pool", step))
        images.fill_(-1)
        assert pool.images.min() >= 0


def test_images_are_kept_in_float32_and_shown_as_they_came() -> None:
    pool, image = ImagePool(1), torch.rand(1, 3, 2, 2).bfloat16()
    shown_now = pool(image, rows=Rows(0, 1, 1), random=torch_generator(0, "pool"))
    assert (shown_now.dtype, pool.images.dtype) == (torch.bfloat16, torch.float32)
    assert torch.equal(pool.images.bfloat16(), image)
    assert not pool.images.requires_grad


def test_parts_of_a_batch_are_the_batch() -> None:
    whole, parts = ImagePool(6), ImagePool(6)
    for step in range(STEPS):
        assert shown(whole, step) == shown(parts, step, parts=2)
        assert torch.equal(whole.images, parts.images)


@pytest.mark.parametrize("parts", [1, 2])
def test_processes_are_one_pool(parts: int, tmp_path: Path) -> None:
    def scenario() -> list[Any]:
        pool = ImagePool(6)
        return [*([shown(pool, step, parts=parts) for step in range(STEPS)]), pool.images[:, 0, 0, 0].tolist()]

    *alone, stored = scenario()
    outcomes = on_ranks(2, tmp_path, scenario) if parts == 1 else [*on_ranks(2, tmp_path, scenario)]
    for step, expected in enumerate(alone):
        assert [number for outcome in outcomes for number in outcome[step]] == expected
    assert all(outcome[-1] == stored for outcome in outcomes)


@pytest.mark.parametrize("at", [0, 1, 7])
def test_a_stored_pool_goes_on_as_if_nothing_had_happened(at: int) -> None:
    whole, before = ImagePool(6), ImagePool(6)
    expected = [shown(whole, step) for step in range(STEPS)]
    seen = [shown(before, step) for step in range(at)]
    after = ImagePool(6)
    after.load_state_dict({name: value.clone() for name, value in before.state_dict().items()})
    assert seen + [shown(after, step) for step in range(at, STEPS)] == expected
    assert torch.equal(after.images, whole.images)
