import pytest
import torch

from freqgan.errors import UserError
from freqgan.networks import DCGANDiscriminator, DCGANGenerator


def parameters(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_64_pixel_networks_are_the_published_ones() -> None:
    # Transposed and plain 4x4 convolutions over 100-512-256-128-64-3 and back, batch norms of two numbers a channel;
    # the last layer of each has a bias, and so has the discriminator's first, which has no batch norm.
    convolutions = 16 * (100 * 512 + 512 * 256 + 256 * 128 + 128 * 64 + 64 * 3)
    generator = DCGANGenerator(latent_dim=100, out_channels=3, image_size=(64, 64))
    assert parameters(generator) == convolutions + 2 * (512 + 256 + 128 + 64) + 3
    discriminator = DCGANDiscriminator(in_channels=3, image_size=(64, 64))
    convolutions = 16 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512)
    assert parameters(discriminator) == convolutions + 2 * (128 + 256 + 512) + 64 + 1


@pytest.mark.parametrize("size", [(4, 4), (8, 8), (48, 96), (20, 28), (5, 7)])
@pytest.mark.parametrize("context", [0, 6])
def test_any_accepted_size_works(size: tuple[int, int], context: int) -> None:
    generator = DCGANGenerator(latent_dim=7, out_channels=3, image_size=size, context_channels=context, channels=8)
    discriminator = DCGANDiscriminator(in_channels=3, image_size=size, context_channels=context, channels=8)
    seen = torch.randn(2, context, *size) if context else None
    image = generator(torch.randn(2, 7), seen)
    assert image.shape == (2, 3, *size)
    assert image.abs().max() <= 1
    assert discriminator(image, seen).shape == (2,)


def test_sizes_that_do_not_halve_are_refused_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"33x33 .* divisible by 8: the nearest are 32x32 and 40x40"):
        DCGANGenerator(latent_dim=7, out_channels=3, image_size=(33, 33))
    with pytest.raises(UserError, match="at least 4"):
        DCGANDiscriminator(in_channels=3, image_size=(2, 2))


def test_every_parameter_and_the_context_take_part() -> None:
    generator = DCGANGenerator(latent_dim=7, out_channels=3, image_size=(16, 16), context_channels=3, channels=8)
    context = torch.randn(4, 3, 16, 16, requires_grad=True)
    generator(torch.randn(4, 7), context).square().sum().backward()
    assert context.grad is not None
    assert context.grad.abs().sum() > 0
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in generator.parameters())


def test_spectral_norm_bounds_every_convolution() -> None:
    discriminator = DCGANDiscriminator(in_channels=3, image_size=(16, 16), channels=8, norm="spectral")
    for _ in range(50):
        discriminator(torch.randn(2, 3, 16, 16))
    convolutions = [m for m in discriminator.modules() if isinstance(m, torch.nn.Conv2d)]
    assert len(convolutions) == 3
    for convolution in convolutions:
        assert float(torch.linalg.matrix_norm(convolution.weight.detach().flatten(1), 2)) == pytest.approx(1, abs=0.02)


def test_initial_weights_follow_the_paper() -> None:
    torch.manual_seed(0)
    generator = DCGANGenerator(latent_dim=100, out_channels=3, image_size=(64, 64))
    for module in generator.modules():
        if isinstance(module, torch.nn.ConvTranspose2d | torch.nn.Linear) and module.weight.numel() > 10_000:
            assert float(module.weight.detach().std()) == pytest.approx(0.02, rel=0.02)
        if isinstance(module, torch.nn.BatchNorm2d):
            assert float(module.weight.detach().mean()) == pytest.approx(1, abs=0.01)
            assert module.bias.abs().max() == 0
