"""What holds for every super-resolution network."""

import pytest
import torch

from freqgan.errors import UserError
from freqgan.networks import Bicubic, SuperResolver
from tests.networks.small_resolvers import low_images, resolvers

RESOLVERS = resolvers()
every = pytest.mark.parametrize("network", RESOLVERS.values(), ids=RESOLVERS)


@every
@pytest.mark.parametrize("size", [(5, 7), (1, 1), (1, 6)])
def test_an_image_at_every_scale(network: SuperResolver, size: tuple[int, int]) -> None:
    images = network(low_images(*size, batch=2))
    assert list(images) == list(network.scales)
    for scale, image in images.items():
        assert image.shape == (2, 3, scale * size[0], scale * size[1])
        assert image.isfinite().all()


@every
def test_upscale_is_the_last_image(network: SuperResolver) -> None:
    low = low_images(6, 5)
    assert network.scale == network.scales[-1]
    torch.testing.assert_close(network.upscale(low), network(low)[network.scale], rtol=0, atol=1e-12)


@every
def test_the_halo_is_as_far_as_a_pixel_depends_on_and_no_further(network: SuperResolver) -> None:
    halo, scale = network.halo, network.scale
    low = low_images(2 * halo + 3, 2 * halo + 5).requires_grad_()
    row, column = halo + 1, halo + 2
    image = network.upscale(low)
    farthest = 0
    for phase in (0, scale - 1):  # the pixels of a low one that see furthest up and left, and down and right
        pixel = image[0, :, row * scale + phase, column * scale + phase].sum()
        (gradient,) = torch.autograd.grad(pixel, low, retain_graph=True)
        rows, columns = gradient.abs().amax((0, 1)).nonzero(as_tuple=True)
        reach = int(max((rows - row).abs().max(), (columns - column).abs().max()))
        assert reach <= halo
        farthest = max(farthest, reach)
    assert farthest == halo


@every
def test_a_tile_with_its_halo_is_cut_from_the_whole(network: SuperResolver) -> None:
    halo, scale, side = network.halo, network.scale, 2
    low = low_images(side + 2 * halo + 3, side + 2 * halo + 2)
    whole = network.upscale(low)[..., (halo + 3) * scale : (halo + 3 + side) * scale, : side * scale]
    tile = network.upscale(low[..., 3:, : side + halo])  # the left and lower borders are the image's own
    tile = tile[..., halo * scale : (halo + side) * scale, : side * scale]
    torch.testing.assert_close(tile, whole, rtol=0, atol=1e-12)


@every
def test_folding_changes_no_bit_and_not_the_network_itself(network: SuperResolver) -> None:
    low = low_images(7, 6)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    folded = network.folded()
    assert type(folded) is type(network)
    assert not folded.training
    assert not any(parameter.requires_grad for parameter in folded.parameters())
    with torch.no_grad():
        for scale, image in network(low).items():
            assert torch.equal(folded(low)[scale], image)
    after = network.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert all(parameter.requires_grad for parameter in network.parameters())


@every
def test_every_weight_and_the_input_take_part(network: SuperResolver) -> None:
    low = low_images(6, 6, batch=2).requires_grad_()
    torch.stack([image.square().mean() for image in network(low).values()]).sum().backward()
    assert low.grad is not None
    assert low.grad.abs().sum() > 0
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


@pytest.mark.parametrize("name", ["parallel", "edsr", "srcnn"])
def test_bf16_and_channels_last_give_the_same_picture(name: str) -> None:
    network = resolvers()[name].float()
    low = low_images(12, 12).float()
    exact = network.upscale(low)
    network.to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        image = network.upscale(low.to(memory_format=torch.channels_last))
    assert (image.float() - exact).abs().mean() < 0.02 * exact.abs().mean()


@pytest.mark.parametrize("scales", [(), (0,), (2, 2), (2, 3), (4, 2), (-1, 2)])
def test_scales_that_do_not_grow_are_refused(scales: tuple[int, ...]) -> None:
    class OfScales(SuperResolver):
        halo = 0

        def images(self, low: torch.Tensor, wanted: object) -> dict[int, torch.Tensor]:
            return {}

    with pytest.raises(UserError, match=r"model.generator.scales=\[.*\] must be whole numbers"):
        OfScales(scales=scales)
    with pytest.raises(UserError, match=r"model.generator.scales=\[0\] must"):
        Bicubic(scale=0)
