from typing import Any

import pytest
import torch
from torch import nn

from freqgan.errors import UserError
from freqgan.networks import PatchDiscriminator
from freqgan.networks.patch_discriminator import HALVINGS

FIELDS: list[Any] = list(HALVINGS)


def parameters(network: nn.Module) -> int:
    return sum(w.numel() for w in network.parameters())


def test_its_parameters_are_those_that_were_published() -> None:
    with torch.device("meta"):
        assert parameters(PatchDiscriminator(in_channels=6)) == 2_769_601
        assert parameters(PatchDiscriminator(norm="instance")) == 2_764_737


@pytest.mark.parametrize("field", FIELDS)
def test_a_logit_depends_on_its_field_and_on_nothing_else(field: Any) -> None:
    network = PatchDiscriminator(receptive_field=field, channels=2, max_channels=2, norm="none").double()
    for name, weight in network.named_parameters():
        weight.data.fill_(0.1 if name.endswith("weight") else 0.0)
    side = 3 * field + 64
    image = torch.ones(1, 3, side, side, dtype=torch.float64, requires_grad=True)
    logits = network(image)
    place = logits.shape[-1] // 2
    logits[0, 0, place, place].backward()
    assert image.grad is not None
    touched = image.grad.abs().sum((0, 1))
    for axis in (0, 1):
        seen = touched.sum(axis).nonzero().flatten()
        assert int(seen.max() - seen.min()) + 1 == field
    assert touched.count_nonzero() == field**2


def test_256_pixels_have_a_map_of_30() -> None:
    with torch.device("meta"):
        assert PatchDiscriminator()(torch.empty(1, 3, 256, 256)).shape == (1, 1, 30, 30)
        assert PatchDiscriminator(receptive_field=1)(torch.empty(1, 3, 17, 9)).shape == (1, 1, 17, 9)


@pytest.mark.parametrize("norm", ["batch", "instance", "spectral", "none"])
def test_norms(norm: Any) -> None:
    network = PatchDiscriminator(receptive_field=34, channels=4, norm=norm)
    logits = network(torch.randn(2, 3, 40, 33))
    assert logits.dtype == torch.float32
    logits.square().mean().backward()
    assert all(w.grad is not None and w.grad.isfinite().all() for w in network.parameters())
    normed = [type(layer).__name__ for layer in network.layers if "Norm" in type(layer).__name__]
    assert normed == {"batch": ["BatchNorm2d"] * 2, "instance": ["InstanceNorm2d"] * 2}.get(norm, [])


@pytest.mark.parametrize("field", FIELDS)
def test_images_too_small_for_a_patch_are_refused(field: Any) -> None:
    network = PatchDiscriminator(receptive_field=field, channels=2, norm="none")
    least = network.least_side
    assert network(torch.randn(1, 3, least, least)).shape == (1, 1, 1, 1)
    if least > 1:
        with pytest.raises(UserError, match=rf"receptive_field={field} needs images of {least} pixels a side, got"):
            network(torch.randn(1, 3, least, least - 1))


def test_it_begins_as_dcgan_does() -> None:
    torch.manual_seed(0)
    weights = torch.cat([m.weight.flatten() for m in PatchDiscriminator().modules() if isinstance(m, nn.Conv2d)])
    assert abs(weights.std().item() - 0.02) < 2e-4
