import torch

from freqgan.ops.palette import label_colors, nearest_labels, painted_labels


def test_the_colours_of_pascal_voc() -> None:
    colors = label_colors(256)
    published = {1: (128, 0, 0), 7: (128, 128, 128), 9: (192, 0, 0), 15: (192, 128, 128), 20: (0, 64, 128)}
    assert {label: tuple(colors[label].tolist()) for label in published} == published
    assert colors[255].tolist() == [224, 224, 192]  # the border between objects
    assert len(colors.unique(dim=0)) == 256


def test_painting_is_undone_by_the_nearest_colour() -> None:
    labels = torch.arange(256, dtype=torch.uint8).view(8, 32)
    painted = painted_labels(labels)
    assert painted.shape == (3, 8, 32)
    noise = torch.rand(2, 3, 8, 32, generator=torch.Generator().manual_seed(0)) * 0.2 - 0.1
    seen = painted / 127.5 - 1 + noise
    assert torch.equal(nearest_labels(seen, 256), labels.long().expand(2, -1, -1))
    # A colour of a label that is not there belongs to the nearest of those that are.
    assert nearest_labels(label_colors(10)[9].view(1, 3, 1, 1) / 127.5 - 1, 9).tolist() == [[[1]]]
