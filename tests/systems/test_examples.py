import pytest
import torch
from torch import Tensor

from freqgan.systems import Examples
from freqgan.systems.examples import _middles

SHAPES = {"image": (3, 8, 8), "image_low": (3, 4, 4), "labels": (1, 8, 8)}


def sample(height: int, width: int, seed: int = 0) -> dict[str, Tensor]:
    """Levels of 8 bits in [-1, 1], every low pixel its square's upper left one, and labels above 255."""
    image = torch.randint(256, (1, 3, height, width), generator=torch.Generator().manual_seed(seed))
    return {"image": image / 127.5 - 1, "image_low": image[..., ::2, ::2] / 127.5 - 1, "labels": image[:, :1] + 1000}


def test_middles_are_kept_exactly_and_lie_over_each_other() -> None:
    examples = Examples(3, SHAPES)
    whole = [sample(20, 30), sample(8, 8, 1), sample(12, 10, 2)]
    examples.keep(iter(whole))
    assert len(examples) == 3
    batch = examples.batch(0, 3)
    torch.testing.assert_close(batch["image"][0], whole[0]["image"][0, :, 6:14, 10:18], rtol=0, atol=1e-6)
    torch.testing.assert_close(batch["image"][1], whole[1]["image"][0], rtol=0, atol=1e-6)
    torch.testing.assert_close(batch["image"][..., ::2, ::2], batch["image_low"], rtol=0, atol=0)
    assert torch.equal(((batch["image"][:, :1] + 1) * 127.5).round().long() + 1000, batch["labels"])


def test_no_more_than_there_is_room_for_and_after_the_last_comes_the_first() -> None:
    examples = Examples(2, SHAPES)
    examples.keep(sample(8, 8, seed) for seed in range(5))
    assert len(examples) == 2
    batch = examples.batch(1, 4)["image"]
    assert torch.equal(batch[0], batch[2])
    assert torch.equal(batch[1], batch[3])
    assert not torch.equal(batch[0], batch[1])


def test_fewer_images_than_room_go_round_among_themselves() -> None:
    examples = Examples(5, SHAPES)
    examples.keep([sample(8, 8)])
    assert len(examples) == 1
    assert examples.batch(0, 3)["image"].abs().amin(dim=(1, 2, 3)).shape == (3,)
    assert torch.equal(examples.batch(0, 1)["image"], examples.batch(2, 1)["image"])
    assert len(examples.ids(5)) == 1


def test_small_images_are_continued_by_their_border() -> None:
    small = sample(6, 4)
    middles = _middles(small, SHAPES)
    assert {name: tuple(x.shape[1:]) for name, x in middles.items()} == SHAPES
    assert torch.equal(middles["image"][..., :6, :4], small["image"])
    assert torch.equal(middles["image"][..., 6:, :4], small["image"][..., 5:, :].expand(-1, -1, 2, -1))


def test_ids_follow_from_the_content_alone() -> None:
    first, second = Examples(4, SHAPES), Examples(2, SHAPES)
    first.keep(sample(8, 8, seed) for seed in (0, 1, 2))
    second.keep(sample(8, 8, seed) for seed in (1, 0))
    assert len(set(first.ids(4))) == 3
    assert first.ids(2) == second.ids(2)[::-1]


def test_they_travel_in_the_state() -> None:
    first, second = Examples(2, SHAPES), Examples(2, SHAPES)
    first.keep([sample(8, 8)])
    second.load_state_dict(first.state_dict())
    assert second.ids(2) == first.ids(2)


@pytest.mark.parametrize("count", [1, 3])
def test_none_at_all_are_none(count: int) -> None:
    examples = Examples(count, SHAPES)
    assert len(examples) == 0
    assert examples.ids(count) == []
