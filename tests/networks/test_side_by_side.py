from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from freqgan.networks import BandGAN, DCGANGenerator
from freqgan.networks.side_by_side import FeatureCondition, GeneratorStack, equal_gans

MEMBERS = [1, 4, 6]


def gan(name: str, *, low: bool | None, side: int = 4) -> BandGAN:
    return BandGAN(name, (name,), (3, side, side), 1, low)


def test_gans_of_one_kind_are_one_network_unless_apart() -> None:
    gans = [gan("LL2", low=True), gan("HL2", low=False), gan("LL1", low=True, side=8), gan("HL1", low=False, side=8)]
    gans += [gan("both", low=None), gan("LH2", low=False)]
    assert equal_gans(gans, lambda one: one.shape, apart=False) == [[0, 1, 4, 5], [2, 3]]
    assert equal_gans(gans, lambda one: one.shape, apart=True) == [[0], [1, 5], [2], [3], [4]]


def stack(norm: Any = "batch", *, context: int = 2) -> GeneratorStack:
    torch.manual_seed(0)
    shape: Any = {"latent_dim": 5, "out_channels": 3, "image_size": (8, 8), "context_channels": context}
    network = GeneratorStack(MEMBERS, partial(DCGANGenerator, **shape, channels=8, norm=norm)).double()
    for parameter in network.parameters():
        nn.init.normal_(parameter, 0, 0.3)
    return network


def inputs(*, context: int = 2) -> tuple[Tensor, list[Tensor | None]]:
    torch.manual_seed(1)
    noise = torch.randn(4, 3, 5).double()
    return noise, [torch.randn(4, context, 8, 8).double() if context else None for _ in MEMBERS]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("context", [0, 2])
@pytest.mark.parametrize("norm", ["batch", "instance", "group", "none"])
def test_all_at_once_is_one_by_one(norm: str, context: int, training: bool) -> None:
    together, singly = stack(norm, context=context), stack(norm, context=context)
    noise, contexts = inputs(context=context)
    for network in (together, singly):
        network(noise, contexts, MEMBERS)  # evaluation has running statistics that are no initial values
        network.train(training)
    at_once = together(noise, contexts, MEMBERS)
    one_by_one = [singly(noise[:, [i]], [contexts[i]], [member])[0] for i, member in enumerate(MEMBERS)]
    torch.testing.assert_close(at_once, one_by_one, rtol=1e-10, atol=1e-12)
    for images in (at_once, one_by_one):
        sum(image.pow(3).sum() * (i + 1) for i, image in enumerate(images)).backward()
    for ours, theirs in zip(together.parameters(), singly.parameters(), strict=True):
        assert ours.grad is not None
        assert ours.grad.abs().sum() > 0
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-10, atol=1e-10)
    for (name, ours), theirs in zip(together.named_buffers(), singly.buffers(), strict=True):
        if "num_batches" not in name:
            torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


def test_evaluation_of_one_changes_no_buffer() -> None:
    network = stack().eval()
    noise, contexts = inputs()
    before = {name: buffer.clone() for name, buffer in network.named_buffers()}
    network(noise[:, :1], contexts[:1], [4])
    assert before
    assert all(torch.equal(buffer, before[name]) for name, buffer in network.named_buffers())


def test_one_generator_is_a_share_of_every_tensor() -> None:
    network = stack()
    single = DCGANGenerator(latent_dim=5, out_channels=3, image_size=(8, 8), context_channels=2, channels=8).double()
    single.load_state_dict(network.of_member(1))
    noise, contexts = inputs()
    (image,) = network(noise[:, [1]], [contexts[1]], [4])
    torch.testing.assert_close(image, single(noise[:, 1], contexts[1]))


def test_the_shape_to_fill_in_is_no_part_of_the_network() -> None:
    network = stack()
    assert {parameter.device.type for parameter in network.parameters()} == {"cpu"}
    assert all(name.startswith("network.") for name in network.state_dict())


def test_features_are_normalised_and_projected() -> None:
    condition = FeatureCondition(6, 4)
    features = torch.randn(3, 6) * 5 + 2
    deviation = features.var(1, unbiased=False, keepdim=True).add(1e-5).sqrt()
    expected = (features - features.mean(1, keepdim=True)) / deviation @ condition.project.weight.T
    torch.testing.assert_close(condition(features), expected + condition.project.bias)
    torch.testing.assert_close(condition(features * 100), condition(features), rtol=1e-4, atol=1e-5)
