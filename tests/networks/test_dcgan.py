from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from freqgan.errors import UserError
from freqgan.networks import DCGANDiscriminator, DCGANGenerator
from freqgan.networks.dcgan import Combine, Norm, normalization

COUNT = 3
JOINS: list[tuple[int, Combine]] = [(0, "concat"), (2, "concat"), (2, "add"), (2, "modulate")]

sizes = pytest.mark.parametrize("size", [(16, 24), (4, 4), (5, 7)])  # halved twice, and too small to be


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def scattered(make: Callable[[], nn.Module]) -> Any:
    """A network in float64 with weights that are no small numbers, so that no error hides."""
    torch.manual_seed(0)
    network = make().double()
    for parameter in network.parameters():
        nn.init.normal_(parameter, 0, 0.3)
    return network


def part(values: dict[str, Tensor], place: int, count: int = COUNT) -> dict[str, Tensor]:
    """What belongs to one of the networks side by side, under a single network's names."""
    parts = {}
    for name, value in values.items():
        if not name.startswith("first."):  # of which there is one each
            parts[name] = value.chunk(count)[place].clone() if value.dim() else value.clone()
        elif name.startswith(f"first.{place}."):
            parts[name.replace(f"first.{place}.", "first.0.")] = value.clone()
    return parts


def gradients(network: nn.Module) -> dict[str, Tensor]:
    found = {name: parameter.grad for name, parameter in network.named_parameters()}
    return {name: gradient for name, gradient in found.items() if gradient is not None}


def assert_equal(several: dict[str, Tensor], one: dict[str, Tensor]) -> None:
    assert several.keys() == one.keys()
    for name, value in one.items():
        torch.testing.assert_close(
            several[name], value, rtol=1e-10, atol=1e-12, msg=lambda text, name=name: name + text
        )


@sizes
@pytest.mark.parametrize(("context", "combine"), JOINS)
@pytest.mark.parametrize("norm", ["batch", "instance", "group", "none"])
def test_generators_side_by_side_are_single_ones(size: tuple[int, int], context: int, combine: Any, norm: Any) -> None:
    def make(count: int) -> DCGANGenerator:
        shape: Any = {"latent_dim": 5, "out_channels": 3, "image_size": size, "context_channels": context}
        return DCGANGenerator(**shape, count=count, combine=combine, channels=8, norm=norm)

    several = scattered(lambda: make(COUNT))
    assert parameters(several) == COUNT * parameters(make(1))
    singles = [make(1).double() for _ in range(COUNT)]
    for place, single in enumerate(singles):
        single.load_state_dict(part(several.state_dict(), place))
    latent, seen = torch.randn(4, COUNT, 5).double(), torch.randn(4, COUNT, 2, *size).double()
    weight = torch.randn(4, COUNT, 3, *size).double()
    images = several(latent.flatten(1), seen.flatten(1, 2) if context else None).unflatten(1, (COUNT, 3))
    (images * weight).sum().backward()
    for place, single in enumerate(singles):
        image = single(latent[:, place], seen[:, place] if context else None)
        torch.testing.assert_close(images[:, place], image, rtol=1e-10, atol=1e-12)
        (image * weight[:, place]).sum().backward()
        assert_equal(part(gradients(several), place), gradients(single))
        assert_equal(part(several.state_dict(), place), single.state_dict())  # what the norms remember too


@sizes
@pytest.mark.parametrize("condition", [0, 3])
@pytest.mark.parametrize("norm", ["batch", "instance", "group", "spectral", "none"])
def test_discriminators_side_by_side_are_single_ones(size: tuple[int, int], condition: int, norm: Norm) -> None:
    channels = [3, 6, 1]

    def make(inputs: int | list[int]) -> DCGANDiscriminator:
        return DCGANDiscriminator(in_channels=inputs, image_size=size, condition_dim=condition, channels=8, norm=norm)

    several = scattered(lambda: make(channels))
    singles = [make(inputs).double() for inputs in channels]
    assert parameters(several) == sum(map(parameters, singles))
    for place, single in enumerate(singles):
        single.load_state_dict(part(several.state_dict(), place))
    images = [torch.randn(4, inputs, *size).double() for inputs in channels]
    wanted = {"condition": torch.randn(4, condition).double()} if condition else {}
    weight = torch.randn(4, COUNT).double()
    logits = several(*images, **wanted)
    assert logits.shape == (4, COUNT)
    (logits * weight).sum().backward()
    for place, single in enumerate(singles):
        logit = single(images[place], **wanted)
        torch.testing.assert_close(logits[:, place : place + 1], logit, rtol=1e-10, atol=1e-12)
        (logit[:, 0] * weight[:, place]).sum().backward()
        assert_equal(part(gradients(several), place), gradients(single))
        assert_equal(part(several.state_dict(), place), single.state_dict())


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
    discriminator = DCGANDiscriminator(in_channels=3, image_size=size, channels=8)
    image = generator(torch.randn(2, 7), torch.randn(2, context, *size) if context else None)
    assert image.shape == (2, 3, *size)
    assert image.abs().max() <= 1
    assert discriminator(image).shape == (2, 1)


@pytest.mark.parametrize("network", [DCGANGenerator, DCGANDiscriminator])
def test_sizes_that_do_not_halve_are_refused_with_the_nearest(network: Any) -> None:
    channels = {"latent_dim": 7, "out_channels": 3} if network is DCGANGenerator else {"in_channels": 3}
    with pytest.raises(UserError, match=r"33x33 .* divisible by 8: the nearest are 32x32 and 40x40"):
        network(**channels, image_size=(33, 33))
    with pytest.raises(UserError, match="at least 4"):
        network(**channels, image_size=(2, 2))


@pytest.mark.parametrize(("context", "combine"), JOINS)
@pytest.mark.parametrize("size", [(16, 16), (4, 4)])
def test_every_weight_of_a_generator_and_the_context_take_part(size: Any, context: int, combine: Combine) -> None:
    generator = DCGANGenerator(
        latent_dim=7, out_channels=3, image_size=size, context_channels=context, combine=combine, channels=8
    )
    seen = torch.randn(4, context, *size, requires_grad=True)
    generator(torch.randn(4, 7), seen if context else None).square().sum().backward()
    assert not context or (seen.grad is not None and seen.grad.abs().sum() > 0)
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in generator.parameters())


def test_joining_by_hand() -> None:
    joined = {}
    x, context = torch.randn(2, 2 * 4, 5, 5), {"concat": 2, "add": 4, "modulate": 8}
    for combine, width in context.items():
        network = DCGANGenerator(
            latent_dim=3, out_channels=1, image_size=(8, 8), context_channels=1, count=2, combine=combine, channels=4
        )
        features = torch.arange(2.0 * width).view(1, -1, 1, 1).expand(2, -1, 5, 5)
        joined[combine] = network._joined(x, features)
    first, second = x.split(4, 1)

    def level(*values: float) -> Tensor:
        return torch.tensor(values).view(1, -1, 1, 1)

    torch.testing.assert_close(joined["add"], x + level(0, 1, 2, 3, 4, 5, 6, 7))
    flat = [level(*pair).expand(2, -1, 5, 5) for pair in ((0, 1), (2, 3))]
    torch.testing.assert_close(joined["concat"], torch.cat([first, flat[0], second, flat[1]], 1))
    scaled = [first * level(1, 2, 3, 4) + level(4, 5, 6, 7), second * level(9, 10, 11, 12) + level(12, 13, 14, 15)]
    torch.testing.assert_close(joined["modulate"], torch.cat(scaled, 1))


@pytest.mark.parametrize("norm", ["batch", "spectral"])
def test_every_weight_of_a_discriminator_takes_part(norm: Norm) -> None:
    discriminator = DCGANDiscriminator(in_channels=[3, 1], image_size=(16, 16), condition_dim=2, channels=8, norm=norm)
    images = torch.randn(4, 3, 16, 16), torch.randn(4, 1, 16, 16)
    discriminator(*images, condition=torch.randn(4, 2)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in discriminator.parameters())


def test_discriminators_side_by_side_judge_their_own_image() -> None:
    discriminator = scattered(lambda: DCGANDiscriminator(in_channels=[3, 3, 1], image_size=(8, 8), channels=8))
    images = [torch.randn(2, channels, 8, 8).double() for channels in (3, 3, 1)]
    before = discriminator(*images)
    for i in range(3):
        moved = [image + (j == i) * torch.rand_like(image) for j, image in enumerate(images)]
        changed = discriminator(*moved) != before
        assert changed.all(0).tolist() == changed.any(0).tolist() == [j == i for j in range(3)]


def test_a_condition_is_projected() -> None:
    discriminator = scattered(
        lambda: DCGANDiscriminator(in_channels=3, image_size=(8, 8), condition_dim=2, channels=4, norm="none")
    )
    image, condition = torch.randn(5, 3, 8, 8).double(), torch.randn(5, 2).double()
    features = nn.functional.leaky_relu(discriminator.first[0](image), 0.2)  # (5, 4, 4, 4)
    plain = torch.einsum("bchw,hwc->b", features, discriminator.to_logit.weight.view(4, 4, 4))
    weights, biases = discriminator.embed.weight, discriminator.embed.bias
    embedded = condition @ weights[1:].T + biases[1:]
    expected = plain + discriminator.to_logit.bias + (embedded * features.mean((2, 3))).sum(1)
    expected = expected + condition @ weights[0] + biases[0]
    torch.testing.assert_close(discriminator(image, condition=condition), expected[:, None])


def test_logits_are_float32_at_least() -> None:
    discriminator = DCGANDiscriminator(in_channels=[3, 1], image_size=(8, 8), condition_dim=2, channels=8)
    images = torch.randn(2, 3, 8, 8), torch.randn(2, 1, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        assert discriminator(*images, condition=torch.randn(2, 2)).dtype == torch.float32


def test_spectral_norm_bounds_every_layer() -> None:
    torch.manual_seed(0)
    discriminator = DCGANDiscriminator(
        in_channels=[3, 6], image_size=(16, 16), condition_dim=4, channels=8, norm="spectral"
    )
    for _ in range(50):
        discriminator(torch.zeros(1, 3, 16, 16), torch.zeros(1, 6, 16, 16), condition=torch.zeros(1, 4))
    layers = {n: m for n, m in discriminator.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)}
    assert list(layers) == ["first.0", "first.1", "stages.0.0", "to_logit", "embed"]
    for name, layer in layers.items():
        for weight in layer.weight.detach().chunk(1 if name.startswith("first") else 2):
            assert float(torch.linalg.matrix_norm(weight.flatten(1), 2)) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(("channels", "groups"), [(2, 1), (7, 1), (8, 2), (36, 6), (64, 8)])
def test_groups_of_a_norm_fit_every_width(channels: int, groups: int) -> None:
    norm = normalization("group", channels, count=3)
    assert isinstance(norm, nn.GroupNorm)
    assert (norm.num_groups, norm.num_channels) == (3 * groups, 3 * channels)


def test_initial_weights_follow_the_paper() -> None:
    torch.manual_seed(0)
    generator = DCGANGenerator(latent_dim=100, out_channels=3, image_size=(64, 64))
    for module in generator.modules():
        if isinstance(module, nn.ConvTranspose2d | nn.Linear) and module.weight.numel() > 10_000:
            assert float(module.weight.detach().std()) == pytest.approx(0.02, rel=0.02)
        if isinstance(module, nn.BatchNorm2d):
            assert float(module.weight.detach().mean()) == pytest.approx(1, abs=0.01)
            assert module.bias.abs().max() == 0
