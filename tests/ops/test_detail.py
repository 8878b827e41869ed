import torch

from freqgan.ops.detail import most_detailed


def test_the_part_with_most_detail_is_found() -> None:
    image = torch.zeros(3, 40, 60)
    image[:, 25:31, 11:19] = torch.rand(3, 6, 8, generator=torch.Generator().manual_seed(0))
    top, left = most_detailed(image, 8, 10)
    assert top <= 25 < 31 <= top + 8
    assert left <= 11 < 19 <= left + 10


def test_all_of_an_image_is_a_part_of_it() -> None:
    assert most_detailed(torch.rand(1, 5, 7), 5, 7) == (0, 0)
    assert most_detailed(torch.zeros(3, 1, 1), 1, 1) == (0, 0)
