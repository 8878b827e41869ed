import pytest
import torch

from freqgan.metrics.boundary_sharpness import gradient_energies
from freqgan.ops.instances import regions


def test_gradients_beside_boundaries_are_told_from_others() -> None:
    image = torch.zeros(1, 1, 5, 8)
    image[..., 4:] = 1.0  # a step where the regions end
    image[..., 1, 1] = 0.5  # and a dot inside
    halves = (torch.arange(8) >= 4).long().expand(1, 5, 8)
    found = gradient_energies(image, halves)
    assert found.boundary == pytest.approx(4 * 1.0)  # of the last row there is no gradient
    # Of the dot itself both differences, of the pixels left of and above it one each.
    assert found.elsewhere == pytest.approx(4 * 0.25)


def test_half_the_contrast_has_a_quarter_of_the_energy() -> None:
    image = torch.rand(1, 3, 6, 6, generator=torch.Generator().manual_seed(0)) * 2 - 1
    thirds = torch.arange(36).view(1, 6, 6) // 12
    whole, half = gradient_energies(image, thirds), gradient_energies(image / 2, thirds)
    assert half == pytest.approx([value / 4 for value in whole], rel=1e-5)


def test_without_boundaries_all_is_elsewhere() -> None:
    image = torch.rand(1, 1, 4, 4)
    assert gradient_energies(image, torch.zeros(1, 4, 4, dtype=torch.int64)).boundary == 0.0


def test_where_instances_of_one_class_touch_is_what_labels_do_not_show() -> None:
    image = torch.zeros(1, 1, 6, 8)
    image[..., 2:4] = 1.0  # an instance of class 1 between one of class 0 and one of class 1
    labels = (torch.arange(8) >= 2).long().expand(1, 6, 8)
    instances = (torch.arange(8) >= 4).long().expand(1, 6, 8)
    found = gradient_energies(image, regions(labels, instances))
    assert found.boundary == pytest.approx(2 * 5 * 1.0)
    assert found.touching == pytest.approx(5 * 1.0)
    assert found.elsewhere == 0.0
    assert gradient_energies(image, regions(labels, torch.zeros_like(labels))).touching == 0.0
