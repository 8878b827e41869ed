import pytest
import torch
from torch import Tensor

from freqgan.ops.instances import boundaries, derived, instance_means, labels_of, numbers, one_hot, regions


def maps(seed: int = 0) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    return torch.randint(4, (2, 9, 7), generator=random), torch.randint(3, (2, 9, 7), generator=random)


def renamed(instance_map: Tensor) -> Tensor:
    """The same instances under other ids, in another order."""
    return torch.tensor([26007, 5, 26001])[instance_map]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
def test_a_class_is_a_channel_and_what_is_none_has_no_channel(dtype: torch.dtype) -> None:
    labels, _ = maps()
    labels[0, 0] = 255
    found = one_hot(labels.to(dtype), 4)
    assert found.shape == (2, 4, 9, 7)
    assert found.dtype == torch.float32
    assert found[0, :, 0].sum() == 0
    labels[0, 0] = 0
    found[0, 0, 0] = 1
    assert torch.equal(found, torch.nn.functional.one_hot(labels, 4).permute(0, 3, 1, 2).float())


def test_an_edge_has_two_sides() -> None:
    instances = torch.tensor([[[1, 1, 1, 1], [1, 2, 2, 1], [1, 2, 2, 1], [1, 1, 1, 1]]])
    marked = [[0, 1, 1, 0], [1, 1, 1, 1], [1, 1, 1, 1], [0, 1, 1, 0]]  # corners touch at a corner alone
    assert boundaries(instances)[0, 0].int().tolist() == marked


def test_edges_are_those_of_a_loop_over_neighbours() -> None:
    found = boundaries(regions(*maps()))
    labels, instances = maps()
    for image in range(2):
        for y in range(9):
            for x in range(7):
                here = (int(labels[image, y, x]), int(instances[image, y, x]))
                around = [(y + i, x + j) for i, j in ((0, 1), (1, 0), (0, -1), (-1, 0))]
                inside = [(i, j) for i, j in around if 0 <= i < 9 and 0 <= j < 7]
                differs = [(int(labels[image, i, j]), int(instances[image, i, j])) != here for i, j in inside]
                assert bool(found[image, 0, y, x]) == any(differs)


def test_an_instance_is_one_label_and_one_id() -> None:
    labels, instances = torch.tensor([[[0, 0, 1, 1]]]), torch.tensor([[[0, 7, 7, 0]]])
    assert regions(labels, instances).unique().numel() == 4
    assert torch.equal(labels_of(regions(labels, instances)), labels)
    assert torch.equal(labels_of(regions(labels, -instances)), labels)


def test_names_of_instances_do_not_matter() -> None:
    labels, instances = maps()
    values = torch.rand(2, 3, 9, 7)
    one, other = regions(labels, instances), regions(labels, renamed(instances))
    assert torch.equal(boundaries(one), boundaries(other))
    assert torch.equal(instance_means(values, one), instance_means(values, other))
    assert not torch.equal(numbers(instances), numbers(renamed(instances)))


def test_numbers_are_those_of_an_image_alone() -> None:
    instances = torch.tensor([[[9, 9, 4]], [[4, 70000, 5]]])
    assert numbers(instances).tolist() == [[[1, 1, 0]], [[0, 2, 1]]]


def test_means_are_those_of_masks() -> None:
    values, region = torch.rand(2, 3, 9, 7), regions(*maps())
    found = instance_means(values, region)
    for image in range(2):
        for number in region[image].unique():
            mask = region[image] == number
            expected = values[image][:, mask].mean(1, keepdim=True).expand(-1, int(mask.sum()))
            torch.testing.assert_close(found[image][:, mask], expected)


def test_equal_ids_in_two_images_are_two_instances() -> None:
    values = torch.stack([torch.zeros(1, 2, 2), torch.ones(1, 2, 2)])
    assert torch.equal(instance_means(values, torch.zeros(2, 2, 2, dtype=torch.int64)), values)


def test_the_gradient_of_a_mean_is_spread_over_its_instance() -> None:
    values = torch.zeros(1, 1, 1, 4, requires_grad=True)
    instance_means(values, torch.tensor([[[0, 0, 1, 0]]]))[0, 0, 0, 0].backward()
    assert values.grad is not None
    torch.testing.assert_close(values.grad.flatten(), torch.tensor([1 / 3, 1 / 3, 0, 1 / 3]))


def test_means_are_precise_in_bf16() -> None:
    values = torch.full((1, 1, 64, 64), 0.3, dtype=torch.bfloat16)
    found = instance_means(values, torch.zeros(1, 64, 64, dtype=torch.int64))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, values.float())


def test_instances_are_derived_image_by_image() -> None:
    labels = torch.tensor([[[1, 0, 1]], [[0, 1, 2]]])
    found = derived(labels, [1])
    assert found.tolist() == [[[1000, 0, 1001]], [[0, 1000, 2]]]
    assert torch.equal(derived(labels.to(torch.uint8), [1]), found)
    assert found.dtype == torch.int64


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (5, 1)])
def test_narrow_maps(size: tuple[int, int]) -> None:
    region = torch.arange(size[0] * size[1]).view(1, *size)
    assert boundaries(region).shape == (1, 1, *size)
    values = torch.rand(1, 2, *size)
    torch.testing.assert_close(instance_means(values, region), values)
