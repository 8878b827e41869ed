from typing import Any

import pytest
import torch
from torch import Tensor, nn

from freqgan.networks.text_fusion import Attention, DynamicMemory, Fusion, attend, fusion_layer

FUSIONS: list[Fusion] = ["attention", "dynamic_memory"]
LENGTHS = [3, 1, 5]  # words of each caption

fusions = pytest.mark.parametrize("fusion", FUSIONS)


def masked(lengths: list[int], padded: int | None = None) -> Tensor:
    return torch.arange(padded or max(lengths)) < torch.tensor(lengths)[:, None]


def inputs(lengths: list[int] = LENGTHS) -> tuple[Tensor, Tensor, Tensor]:
    """Features of 4 channels and words of 6 numbers, in float64."""
    torch.manual_seed(0)
    mask = masked(lengths)
    return torch.randn(len(lengths), 4, 2, 3).double(), torch.randn(*mask.shape, 6).double(), mask


def layer(fusion: Fusion) -> Any:
    torch.manual_seed(1)
    return fusion_layer(fusion, 6, 4).double()


def softmaxed(keys: Tensor, values: Tensor, query: Tensor) -> tuple[Tensor, Tensor]:
    """One position's mixture of one caption's words, (t, c) both, without padding."""
    weights = torch.tensor([float(torch.dot(key, query)) for key in keys]).double().exp()
    weights = weights / weights.sum()
    return sum(weight * value for weight, value in zip(weights, values, strict=True)), weights  # type: ignore[return-value]


def reference_attention(network: Attention, features: Tensor, words: Tensor) -> tuple[Tensor, Tensor]:
    """The published layer at every position of one image, (c, h, w), with its own words, (t, e), only."""
    embedded = words @ network.embed.weight.T
    fused, maps = torch.empty(8, 2, 3).double(), torch.empty(len(words), 2, 3).double()
    for y in range(2):
        for x in range(3):
            query = features[:, y, x]
            mixture, maps[:, y, x] = softmaxed(embedded, embedded, query)
            fused[:, y, x] = torch.cat([query, mixture])
    return fused, maps


def reference_memory(network: DynamicMemory, features: Tensor, words: Tensor) -> tuple[Tensor, Tensor]:
    image = features.mean((1, 2))
    slots = []
    for word in words:
        gate = torch.sigmoid(network.word_gate.weight[0] @ word + network.image_gate.weight[0] @ image)
        slots.append(gate * network.write_word(word).relu() + (1 - gate) * network.write_image(image).relu())
    keys = torch.stack([network.key(slot).relu() for slot in slots])
    values = torch.stack([network.value(slot).relu() for slot in slots])
    fused, maps = torch.empty(8, 2, 3).double(), torch.empty(len(words), 2, 3).double()
    for y in range(2):
        for x in range(3):
            query = features[:, y, x]
            response, maps[:, y, x] = softmaxed(keys, values, query)
            gate = torch.sigmoid(
                network.response_gate.weight[0, :, 0, 0] @ torch.cat([query, response]) + network.response_gate.bias[0]
            )
            renewed = gate * response + (1 - gate) * query
            fused[:, y, x] = torch.cat([renewed, renewed])
    return fused, maps


@fusions
@torch.no_grad()
def test_each_image_fuses_its_own_words_as_published(fusion: Fusion) -> None:
    network, (features, words, mask) = layer(fusion), inputs()
    fused, attention = network(features, words, mask)
    assert (fused.shape, attention.shape) == ((3, 8, 2, 3), (3, 5, 2, 3))
    reference: Any = reference_attention if fusion == "attention" else reference_memory
    for i, length in enumerate(LENGTHS):
        wanted, maps = reference(network, features[i], words[i, :length])
        torch.testing.assert_close(fused[i], wanted)
        torch.testing.assert_close(attention[i, :length], maps)
        assert (attention[i, length:] == 0).all()
    torch.testing.assert_close(attention.sum(1), torch.ones(3, 2, 3).double())


@fusions
@torch.no_grad()
def test_what_is_padded_and_how_far_change_nothing(fusion: Fusion) -> None:
    network, (features, words, mask) = layer(fusion), inputs()
    fused, attention = network(features, words, mask)
    garbage = torch.where(mask[:, :, None], words, 1e6 * torch.randn_like(words))
    assert torch.equal(network(features, garbage, mask)[0], fused)
    longer = torch.cat([words, torch.randn(3, 4, 6).double()], 1)
    further, maps = network(features, longer, masked(LENGTHS, 9))
    torch.testing.assert_close(further, fused)
    torch.testing.assert_close(maps[:, :5], attention)
    assert (maps[:, 5:] == 0).all()


@fusions
@torch.no_grad()
def test_captions_are_of_their_own_image_in_any_order(fusion: Fusion) -> None:
    network, batch = layer(fusion), inputs()
    fused, attention = network(*batch)
    order = torch.tensor([2, 0, 1])
    again, maps = network(*(part[order] for part in batch))
    torch.testing.assert_close(again, fused[order])
    torch.testing.assert_close(maps, attention[order])
    torch.testing.assert_close(network(*(part[1:2] for part in batch))[0], fused[1:2])


@torch.no_grad()
def test_attention_over_one_vector_repeats_it_everywhere() -> None:
    network, (features, words, _) = layer("attention"), inputs()
    fused, attention = network(features, words[:, :1], torch.ones(3, 1, dtype=torch.bool))
    assert (attention == 1).all()
    repeated = network.embed(words[:, 0])[:, :, None, None].expand(-1, -1, 2, 3)
    torch.testing.assert_close(fused, torch.cat([features, repeated], 1))


@torch.no_grad()
def test_a_caption_without_words_adds_nothing() -> None:
    mixture, weights = attend(torch.randn(2, 4, 2, 3), *torch.randn(2, 2, 4, 5), masked([0, 5]))
    assert mixture[0].abs().max() == weights[0].abs().max() == 0
    assert mixture[1].abs().max() > 0


@fusions
def test_gradients_reach_weights_and_words_but_no_padding(fusion: Fusion) -> None:
    network, (features, words, mask) = layer(fusion), inputs([3, 0, 5])
    words.requires_grad_()
    features.requires_grad_()
    network(features, words, mask)[0].square().sum().backward()
    assert words.grad is not None
    assert features.grad is not None
    assert all(p.grad is not None and p.grad.isfinite().all() and p.grad.any() for p in network.parameters())
    assert features.grad.isfinite().all()
    assert torch.equal(words.grad.any(2), mask)


def test_the_memory_is_written_without_a_gradient_to_the_image() -> None:
    network, (features, words, mask) = layer("dynamic_memory"), inputs()
    nn.init.zeros_(network.response_gate.weight)
    nn.init.constant_(network.response_gate.bias, 50.0)  # only what is read remains
    nn.init.zeros_(network.key.weight)
    nn.init.zeros_(network.key.bias)  # from every word alike, wherever it is read
    features.requires_grad_()
    network(features, words, mask)[0].sum().backward()
    assert features.grad is not None
    assert features.grad.abs().max() < 1e-15


def test_parameters_are_the_published_ones() -> None:
    def count(fusion: Fusion, channels: int) -> int:
        return sum(p.numel() for p in fusion_layer(fusion, 256, channels).parameters())

    assert count("attention", 32) == 256 * 32
    write = (256 + 1) * 128 + (64 + 1) * 128
    assert count("dynamic_memory", 64) == 256 + 64 + write + 2 * (128 + 1) * 64 + 128 + 1 == 58_177


@fusions
def test_weights_are_made_in_float32_under_autocast(fusion: Fusion) -> None:
    network = fusion_layer(fusion, 6, 4)
    features, words, mask = inputs()
    with torch.autocast("cpu", torch.bfloat16):
        fused, attention = network(features.float(), words.float(), mask)
    assert attention.dtype == torch.float32
    assert fused.isfinite().all()
