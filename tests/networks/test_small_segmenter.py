import pytest
import torch
from torch import Tensor

from freqgan.networks import SmallSegmenter


def network(**given: int) -> SmallSegmenter:
    torch.manual_seed(0)
    return SmallSegmenter(**{"num_classes": 5, "channels": 4, "max_channels": 8, "halvings": 3, "pyramid": 6} | given)


def images(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.mark.parametrize("size", [(16, 24), (15, 21), (7, 40)])
def test_every_pixel_of_any_size_has_logits(size: tuple[int, int]) -> None:
    logits = network().eval()(images(2, 3, *size))
    assert logits.shape == (2, 5, *size)
    assert logits.dtype == torch.float32


def test_sizes_that_need_no_continuing_are_not_continued() -> None:
    built = network().eval()
    whole, part = images(1, 3, 16, 16), images(1, 3, 16, 16)[..., :13]
    assert torch.equal(built(whole[..., :13]), built(part))
    assert not torch.allclose(built(whole)[..., :13], built(part))  # the mean is over what is seen


def test_in_evaluation_an_image_s_logits_do_not_depend_on_others() -> None:
    built, two = network().eval(), images(2, 3, 16, 16)
    torch.testing.assert_close(built(two)[1:], built(two[1:]))


def test_every_pixel_knows_of_the_whole_image() -> None:
    built, image = network().eval(), images(1, 3, 64, 64).requires_grad_()
    built(image)[0, :, 0, 0].sum().backward()
    assert image.grad is not None
    assert image.grad[..., -8:, -8:].abs().sum() > 0


def test_gradients_reach_every_weight() -> None:
    built = network()
    built(images(2, 3, 16, 16)).square().sum().backward()
    assert [name for name, weight in built.named_parameters() if weight.grad is None or not weight.grad.any()] == []


def test_parameters() -> None:
    assert sum(weight.numel() for weight in SmallSegmenter(num_classes=11).parameters()) == 1_928_891
    assert (
        sum(weight.numel() for weight in network(in_channels=1).parameters())
        == sum(weight.numel() for weight in network().parameters()) - 2 * 4 * 16
    )


def test_it_learns_from_nothing() -> None:
    built = network()
    before = {name: value.clone() for name, value in built.state_dict().items()}
    built.take_pretrained()
    assert all(torch.equal(value, before[name]) for name, value in built.state_dict().items())
