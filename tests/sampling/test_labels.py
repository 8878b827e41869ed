import torch

from freqgan.data.given_labels import GivenMap
from freqgan.sampling.labels import _of_one_size, looks_of


def test_all_instances_of_a_class_have_its_look() -> None:
    one = GivenMap("a", torch.tensor([[[8, 8, 3], [8, 1, 3]]]), torch.tensor([[[1000, 1001, 3], [1001, 1, 3]]]))
    assert looks_of(one, {8: 2, 5: 1, 3: 0}) == {(8, 1000): 2, (8, 1001): 2, (3, 3): 0}


def test_pictures_of_several_sizes_lie_on_white() -> None:
    together = _of_one_size([torch.zeros(1, 1, 2, 3), torch.zeros(1, 3, 4, 2)])
    assert together.shape == (2, 3, 4, 3)
    assert together[0, 0].tolist() == [[0.0] * 3, [0.0] * 3, [1.0] * 3, [1.0] * 3]
