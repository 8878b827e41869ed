import torch

from freqgan.ops.keyed_random import key, numpy_generator, permutation, torch_generator


def test_each_part_of_a_key_separates_streams() -> None:
    keys = {key(s, p, k) for s in range(5) for p in ("noise", "augment") for k in range(200)}
    assert len(keys) == 5 * 2 * 200
    assert all(0 <= k < 2**63 for k in keys)


def test_neighbouring_positions_are_unrelated() -> None:
    draws = torch.stack([torch.randn(2000, generator=torch_generator(0, "noise", k)) for k in range(20)])
    correlation = torch.corrcoef(draws) - torch.eye(20)
    assert correlation.abs().max() < 0.1


def test_generators_do_not_touch_the_global_one() -> None:
    torch.manual_seed(0)
    expected = torch.randn(3)
    torch.manual_seed(0)
    torch.randn(3, generator=torch_generator(1, "noise", 2))
    numpy_generator(1, "noise", 2).random()
    assert torch.equal(torch.randn(3), expected)


def test_a_permutation_holds_every_item_once_and_differs_by_epoch() -> None:
    first, second = permutation(3, "order", 0, 50), permutation(3, "order", 1, 50)
    assert sorted(first) == sorted(second) == list(range(50))
    assert list(first) != list(second)
