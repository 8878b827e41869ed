import torch
from torch import Tensor

from freqgan.networks import InstanceEncoder
from freqgan.ops.instances import regions
from freqgan.systems.looks import clusters, features_of


class Stub(torch.nn.Module):
    """Takes the colour of an image for its features."""

    def forward(self, image: Tensor) -> Tensor:
        return image


def encoder(count: int = 2) -> InstanceEncoder:
    built = InstanceEncoder(features=3, clusters=count, num_classes=3, channels=2, halvings=1)
    built.network = Stub()  # type: ignore[assignment]
    return built


def painted(
    labels: list[list[int]], ids: list[list[int]], colors: dict[tuple[int, int], float]
) -> tuple[Tensor, Tensor]:
    """An image whose instances have one grey each, enlarged, and its regions."""
    label_map, instance_map = (torch.tensor([m]).repeat_interleave(8, 1).repeat_interleave(8, 2) for m in (labels, ids))
    image = torch.zeros(label_map.shape)
    for (label, instance), grey in colors.items():
        image[(label_map == label) & (instance_map == instance)] = grey
    return image.unsqueeze(1).expand(-1, 3, -1, -1).contiguous(), regions(label_map, instance_map)


def test_instances_of_a_class_are_sorted_by_their_features() -> None:
    samples = [
        painted([[0, 1]], [[0, n]], {(0, 0): 0.9, (1, n): grey})
        for n, grey in enumerate([-0.5, 0.5, -0.5, 0.5, -0.4, 0.4], 5)
    ]
    found = clusters(encoder(), samples)
    assert {*found} == {0, 1}
    torch.testing.assert_close(found[0], torch.full((1, 3), 0.9))
    torch.testing.assert_close(found[1], torch.tensor([[-1.4 / 3] * 3, [1.4 / 3] * 3]))


def test_small_instances_count_only_where_there_are_no_large_ones() -> None:
    image, region = painted([[1] * 16] * 8, [[0] * 16] * 8, {(1, 0): 0.5})
    one = torch.ones(1, 1, 1, dtype=torch.int64)
    region[0, 0, 0], image[0, :, 0, 0] = regions(one, one), -0.5
    region[0, 0, 1], image[0, :, 0, 1] = regions(2 * one, 0 * one), 0.25
    found = clusters(encoder(), [(image, region)])
    torch.testing.assert_close(found[1], torch.full((1, 3), 0.5))
    torch.testing.assert_close(found[2], torch.full((1, 3), 0.25))


def test_what_is_no_class_has_no_clusters() -> None:
    assert {*clusters(encoder(), [painted([[255, 0]], [[0, 0]], {(0, 0): 0.1})])} == {0}


def ready() -> InstanceEncoder:
    built = encoder(3)
    built.keep({0: torch.full((1, 3), 0.1), 1: torch.tensor([[0.2] * 3, [0.3] * 3, [0.4] * 3])})
    return built


def test_an_instance_has_the_look_that_is_asked_for() -> None:
    _, region = painted([[0, 1, 1, 2]], [[0, 7, 8, 0]], {})
    made = features_of(ready(), region, {(1, 7): 2, (1, 8): 0}, seed=0)[0, :, 0, ::8]
    torch.testing.assert_close(made, torch.tensor([0.1, 0.4, 0.2, 0.0]).expand(3, -1))


def test_other_looks_are_drawn_each_by_itself() -> None:
    _, region = painted([[1, 1, 1]], [[7, 8, 9]], {})
    seen = {tuple(features_of(ready(), region, {}, seed=seed)[0, 0, 0, ::8].tolist()) for seed in range(60)}
    assert len(seen) > 15  # of 27
    once = features_of(ready(), region, {}, seed=4)
    assert torch.equal(features_of(ready(), region, {}, seed=4), once)
    chosen = features_of(ready(), region, {(1, 8): 1}, seed=4)
    assert torch.equal(chosen[..., :8], once[..., :8])
    assert torch.equal(chosen[..., 16:], once[..., 16:])
    _, alone = painted([[0, 1]], [[0, 9]], {})
    assert torch.equal(features_of(ready(), alone, {}, seed=4)[..., 8:], once[..., 16:])
