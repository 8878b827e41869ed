from itertools import product
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from freqgan.errors import UserError
from freqgan.networks import StageOutput, TextGenerator

ATTNGAN: dict[str, Any] = {
    **{"sentence_dim": 256, "word_dim": 256, "upsamplings": 4, "augmentation": 100},
    "conditions": ["sentence", "words", "words"],
}
SMALL: dict[str, Any] = {"sentence_dim": 6, "word_dim": 5, "image_size": 32, "latent_dim": 7, "channels": 4}
STAGES = ("stage1", "stage2", "stage3")


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def small(**options: Any) -> TextGenerator:
    torch.manual_seed(0)
    return TextGenerator(**{**SMALL, **options}).double()


def text(batch: int = 4, words: int = 5) -> dict[str, Tensor]:
    """Captions of unequal lengths."""
    torch.manual_seed(1)
    lengths = torch.tensor([words - i % 3 for i in range(batch)])
    return {
        "sentence": torch.randn(batch, 6).double(),
        "words": torch.randn(batch, words, 5).double(),
        "mask": torch.arange(words) < lengths[:, None],
    }


def noise(network: TextGenerator, batch: int = 4) -> Tensor:
    torch.manual_seed(2)
    return torch.randn(batch, network.noise_dim).double()


def images(outputs: tuple[StageOutput, ...]) -> list[Tensor]:
    return [output.image for output in outputs]


def moved(network: nn.Module) -> list[bool]:
    """Which stages a gradient reached."""
    return [any(p.grad is not None and bool(p.grad.any()) for p in getattr(network, s).parameters()) for s in STAGES]


def test_parameters_are_the_published_ones() -> None:
    with torch.device("meta"):
        birds = TextGenerator(**ATTNGAN)
        coco = TextGenerator(**ATTNGAN, channels=48, residuals=3)
        memory = TextGenerator(**ATTNGAN, channels=64, fusion="dynamic_memory")
    # Sentence code, projection with its norm, four upsamplings from 512 channels on, image head.
    augmented, projected = 257 * 400, 200 * 16_384 + 2 * 16_384
    up = sum(9 * n * n + 2 * n for n in (512, 256, 128, 64))
    first = augmented + projected + up + 27 * 32
    # Attention, two residual blocks of 64 channels, upsampling, image head.
    residual = 9 * 64 * 128 + 2 * 128 + 9 * 64 * 64 + 2 * 64
    following = 256 * 32 + 2 * residual + 9 * 64 * 64 + 2 * 64 + 27 * 32
    assert [parameters(getattr(birds, stage)) for stage in STAGES] == [first, following, following]
    assert parameters(birds) == 7_084_592  # published as 7.08 M
    assert parameters(coco) == 13_811_456  # published as 13.8 M
    residual = 9 * 128 * 256 + 2 * 256 + 9 * 128 * 128 + 2 * 128
    assert parameters(memory.stage3) == 58_177 + 2 * residual + 9 * 128 * 128 + 2 * 128 + 27 * 64


def test_the_source_s_first_stage_upsamples_noise_three_times() -> None:
    with torch.device("meta"):
        network = TextGenerator(sentence_dim=256, word_dim=256)
    assert network.noise_dims == (100, 0, 0)
    assert network.image_sizes == (64, 128, 256)
    up = sum(9 * n * n + 2 * n for n in (256, 128, 64))
    assert parameters(network.stage1) == 102 * 2 * 256 * 8 * 8 + up + 27 * 32


@pytest.mark.parametrize("sizes", [(16, 32, 64), (64, 128, 256)])
def test_images_features_and_attention_have_the_stages_sizes(sizes: tuple[int, ...]) -> None:
    network = small(image_size=sizes[2], image_channels=1, channels=[4, 3, 2], augmentation=3)
    assert network.noise_dim == 7 + 3
    outputs = network(noise(network, 2), **text(2))
    for output, size, channels in zip(outputs, sizes, (4, 3, 2), strict=True):
        assert output.image.shape == (2, 1, size, size)
        assert output.features.shape == (2, channels, size, size)
        assert output.image.abs().max() < 1
    assert [output.attention is None for output in outputs] == [True, True, False]
    attention = outputs[2].attention
    assert attention is not None
    assert attention.shape == (2, 5, sizes[1], sizes[1])
    torch.testing.assert_close(attention.sum(1), torch.ones(2, sizes[1], sizes[1]).double())


@pytest.mark.parametrize(("upsamplings", "side"), [(0, 8), (1, 4), (3, 1)])
def test_the_first_stage_starts_where_its_upsamplings_begin(upsamplings: int, side: int) -> None:
    network = small(upsamplings=upsamplings)
    assert network.stage1.start == (2 * 4 * 2**upsamplings, side, side)
    assert images(network(noise(network), **text()))[0].shape == (4, 3, 8, 8)


@torch.no_grad()
def test_values_of_the_whole_graph() -> None:
    network: Any = small(upsamplings=1, residuals=1, augmentation=3)
    z, batch = noise(network), text()

    def normed(x: Tensor, norm: Any) -> Tensor:
        return F.batch_norm(x, None, None, norm.weight, norm.bias, training=True)

    def gated(x: Tensor) -> Tensor:
        values, gates = x.chunk(2, 1)
        return values * gates.sigmoid()

    def convolved(x: Tensor, layer: Any) -> Tensor:
        return F.conv2d(x, layer.weight, padding=1)

    def up(x: Tensor, block: Any) -> Tensor:
        enlarged = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
        return gated(normed(convolved(enlarged, block[0]), block[1]))

    def residual(x: Tensor, block: Any) -> Tensor:
        hidden = gated(normed(convolved(x, block.body[0]), block.body[1]))
        return x + normed(convolved(hidden, block.body[3]), block.body[4])

    def image(x: Tensor, stage: Any) -> Tensor:
        return convolved(x, stage.to_image[0]).tanh()

    first, second, third = network.stage1, network.stage2, network.stage3
    projected = z[:, :7] @ first.project.weight.T
    start = gated(F.batch_norm(projected, None, None, first.project_norm.weight, first.project_norm.bias, True))
    h1 = up(start.view(4, 8, 4, 4), first.blocks[0])
    told = gated(second.code.to_distribution[0](batch["sentence"]))
    mean, log_variance = told[:, :3], told[:, 3:]
    code = mean + z[:, 7:] * (log_variance / 2).exp()
    context = (code @ second.fusion.embed.weight.T)[:, :, None, None].expand(-1, -1, 8, 8)
    h2 = up(residual(torch.cat([h1, context], 1), second.residuals[0]), second.up)
    h3 = up(residual(third.fusion(h2, batch["words"], batch["mask"])[0], third.residuals[0]), third.up)
    outputs = network(z, **batch)
    for output, features, stage in zip(outputs, (h1, h2, h3), (first, second, third), strict=True):
        torch.testing.assert_close(output.features, features)
        torch.testing.assert_close(output.image, image(features, stage))
    torch.testing.assert_close(outputs[1].distribution, (mean, log_variance))
    assert outputs[0].distribution is outputs[2].distribution is None


@torch.no_grad()
@pytest.mark.parametrize("stage_input", ["hidden_features", "reencoded_image"])
@pytest.mark.parametrize("fusion", ["attention", "dynamic_memory"])
def test_language_enters_stage_by_stage(fusion: str, stage_input: str) -> None:
    network = small(fusion=fusion, stage_input=stage_input).eval()
    z, batch = noise(network), text()
    before = images(network(z, **batch))

    def same(**changed: Tensor) -> list[bool]:
        return [torch.equal(a, b) for a, b in zip(before, images(network(z, **{**batch, **changed})), strict=True)]

    assert same(sentence=torch.randn(4, 6).double()) == [True, False, False]
    assert same(words=torch.randn(4, 5, 5).double()) == [True, True, False]
    assert same(words=torch.where(batch["mask"][:, :, None], batch["words"], 1e3)) == [True, True, True]


@torch.no_grad()
@pytest.mark.parametrize("fusion", ["attention", "dynamic_memory"])
def test_padding_and_order_of_a_batch_change_no_picture(fusion: str) -> None:
    network = small(fusion=fusion, conditions=["sentence", "words", "words"], augmentation=3).eval()
    z, batch = noise(network), text()
    before = images(network(z, **batch))
    order = torch.tensor([3, 1, 0, 2])
    shuffled = images(network(z[order], **{name: value[order] for name, value in batch.items()}))
    longer = {
        "sentence": batch["sentence"],
        "words": F.pad(batch["words"], (0, 0, 0, 4), value=3.0),
        "mask": F.pad(batch["mask"], (0, 4)),
    }
    padded = images(network(z, **longer))
    third = {name: value[2:3] if name == "sentence" else value[2:3, :3] for name, value in batch.items()}
    alone = images(network(z[2:3], **third))
    for image, again, further, single in zip(before, shuffled, padded, alone, strict=True):
        torch.testing.assert_close(again, image[order])
        torch.testing.assert_close(further, image)
        torch.testing.assert_close(single, image[2:3])


@pytest.mark.parametrize("stage_input", ["hidden_features", "reencoded_image"])
@pytest.mark.parametrize(("detach", "stage"), list(product([True, False], range(3))))
def test_a_stage_s_loss_trains_that_stage_or_all_before(detach: bool, stage: int, stage_input: str) -> None:
    network = small(stage_input=stage_input)
    values = images(network(noise(network), **text()))
    outputs = network(noise(network), **text(), detach=detach)
    assert all(torch.equal(a, b) for a, b in zip(values, images(outputs), strict=True))
    outputs[stage].image.square().sum().backward()
    assert moved(network) == [(i == stage if detach else i <= stage) for i in range(3)]


@pytest.mark.parametrize("stage_input", ["hidden_features", "reencoded_image"])
@pytest.mark.parametrize("fusion", ["attention", "dynamic_memory"])
@pytest.mark.parametrize("conditions", [["none", "sentence", "words"], ["sentence", "words", "words"]])
def test_every_weight_takes_part(conditions: list[str], fusion: str, stage_input: str) -> None:
    network = small(conditions=conditions, fusion=fusion, stage_input=stage_input, augmentation=3)
    outputs = network(noise(network), **text())
    torch.cat([output.image.flatten() for output in outputs]).pow(2).sum().backward()
    unused = {name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()}
    # Keys make no difference where there is a single one, as a sentence's.
    single = conditions[1] == "sentence" and fusion == "dynamic_memory"
    assert unused == ({f"stage2.fusion.key.{kind}" for kind in ("weight", "bias")} if single else set())


def test_stages_part_the_parameters() -> None:
    network = small(augmentation=3, stage_input="reencoded_image")
    parts = [parameter for stage in STAGES for parameter in getattr(network, stage).parameters()]
    assert len(set(map(id, parts))) == len(parts) == len(list(network.parameters()))


@torch.no_grad()
def test_a_code_is_drawn_about_its_sentence() -> None:
    code = small(augmentation=3).stage2.code
    assert code is not None
    sentence = text()["sentence"][:1].expand(20_000, -1)
    draws, distribution = code(sentence, torch.randn(20_000, 3).double())
    assert distribution is not None
    torch.testing.assert_close(draws.mean(0), distribution.mean[0], atol=0.05, rtol=0)
    torch.testing.assert_close(draws.var(0), distribution.log_variance[0].exp(), atol=0, rtol=0.05)


def test_without_augmentation_the_sentence_is_its_own_code() -> None:
    network = small(conditions=["sentence", "sentence", "words"])
    assert network.noise_dims == (7, 0, 0)
    code, sentence = network.stage1.code, torch.randn(2, 6).double()
    assert code is not None
    drawn, distribution = code(sentence, sentence[:, :0])
    assert drawn is sentence
    assert distribution is None


def test_weights_begin_as_published() -> None:
    torch.manual_seed(0)
    network: Any = TextGenerator(**{**SMALL, "channels": 16})
    matrix = network.stage2.up[0].weight.detach().flatten(1)
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(32))
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    weights = torch.cat([norm.weight.detach() for norm in norms])
    assert float(weights.mean()) == pytest.approx(1, abs=0.01)
    assert float(weights.std()) == pytest.approx(0.02, rel=0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_size": 40}, r"upsamplings=3 .* multiples of 32, got 40: set data.image_size=32"),
        ({"image_size": 16}, r"multiples of 32, got 16: set data.image_size=32 or fewer"),
        ({"upsamplings": -1}, r"upsamplings=-1"),
        ({"channels": [8, 4]}, r"channels=\[8, 4\] must be one width, or one for each of the three"),
        ({"channels": 0}, r"channels=\[0, 0, 0\]"),
        ({"conditions": ["words", "sentence", "words"]}, r"conditions=\['words', .*none or sentence"),
        ({"conditions": ["none", "none", "words"]}, r"conditions=\['none', 'none'"),
        ({"conditions": ["none", "sentence"]}, r"must say what each stage reads"),
    ],
)
def test_what_cannot_be_built_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        small(**options)


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(UserError) as caught:
        small(image_size=40, channels=[1], conditions=[])
    assert len(caught.value.lines) == 3


def test_images_are_made_under_autocast() -> None:
    network = TextGenerator(**SMALL, augmentation=3)
    batch = {name: value if name == "mask" else value.float() for name, value in text().items()}
    with torch.autocast("cpu", torch.bfloat16):
        outputs = network(noise(network).float(), **batch)
    assert all(image.isfinite().all() for image in images(outputs))
    assert outputs[1].distribution is not None
    assert outputs[1].distribution.mean.dtype == torch.float32


@pytest.mark.parametrize("fusion", ["attention", "dynamic_memory"])
def test_every_batch_norm_s_gradient_keeps_channels_last(fusion: str) -> None:
    # In mixed formats batch norm's gradient took half of a training step.
    network = small(fusion=fusion).to(memory_format=torch.channels_last)
    kept = []
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.register_full_backward_hook(
                lambda _, __, gradients: kept.append(gradients[0].is_contiguous(memory_format=torch.channels_last))
            )
    torch.cat([image.flatten() for image in images(network(noise(network), **text()))]).sum().backward()
    assert kept == [True] * 14
