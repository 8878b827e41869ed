from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from freqgan.errors import UserError
from freqgan.networks import BranchSR
from freqgan.networks.folding_convolution import FoldingConv2d
from freqgan.ops.resample import resize
from tests.networks.small_resolvers import TINY, branch_sr, low_images

INTERLEAVED = ("conv", "dilated", "conv", "dilated", "conv", "dilated", "conv", "conv")


def convolutions(module: nn.Module) -> list[nn.Conv2d]:
    return [layer for layer in module.modules() if isinstance(layer, nn.Conv2d)]


def note(seen: list[Tensor], _: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> None:
    seen.extend([given[0], output])


def changed(before: dict[int, Tensor], after: dict[int, Tensor]) -> list[int]:
    return [scale for scale in before if not torch.equal(before[scale], after[scale])]


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("arrangement", ["parallel", "series"])
@pytest.mark.parametrize(
    ("layers", "dilations", "expected"),
    [
        (None, 2, [1, 1, 1, 1, 2, 2, 2, 1]),
        (None, (1 + 1, 3, 4), [1, 1, 1, 1, 2, 3, 4, 1]),
        (INTERLEAVED, (2, 4, 8), [1, 2, 1, 4, 1, 8, 1, 1]),
    ],
)
def test_every_branch_is_four_convolutions_three_dilated_and_one_of_one_kernel_size(
    layers: Any, dilations: Any, expected: list[int], arrangement: Any
) -> None:
    given = {} if layers is None else {"layers": layers}
    network = branch_sr(kernels=(3, 5, 7), channels=4, dilations=dilations, arrangement=arrangement, **given)
    assert len(network.branches) == 3
    for branch, kernel in zip(network.branches, (3, 5, 7), strict=True):
        assert [layer.dilation for layer in convolutions(branch)] == [(d, d) for d in expected]
        assert {layer.kernel_size for layer in convolutions(branch)} == {(kernel, kernel)}
        assert {layer.out_channels for layer in convolutions(branch)} == {4}


def test_branches_read_the_image_side_by_side_or_one_after_the_other() -> None:
    first = [convolutions(branch)[0].in_channels for branch in branch_sr().branches]
    assert first == [3, 3]
    assert convolutions(branch_sr().fusion)[0].in_channels == 4 + 3
    series = branch_sr(arrangement="series")
    assert [convolutions(branch)[0].in_channels for branch in series.branches] == [3, 4]
    assert convolutions(series.fusion)[0].in_channels == 3
    for network in (branch_sr(), series):
        seen: list[Tensor] = []
        for branch in network.branches:
            branch.register_forward_hook(partial(note, seen))
        network(low := low_images(4, 4))
        assert seen[0] is low
        assert seen[2] is (seen[1] if network is series else low)


def test_the_fusion_is_its_first_convolution_where_the_third_is_zero() -> None:
    fusion = branch_sr().fusion
    assert [layer.kernel_size for layer in convolutions(fusion)] == [(1, 1), (3, 3), (3, 3)]
    features = torch.randn(2, 7, 5, 6, dtype=torch.float64)
    assert not torch.equal(fusion(features), fusion.conv1(features))
    nn.init.zeros_(fusion.conv3.weight)
    nn.init.zeros_(fusion.conv3.bias)
    assert torch.equal(fusion(features), fusion.conv1(features))


@pytest.mark.parametrize("link", ["upsampled_features", "branch_output"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_an_image_counts_for_itself_or_for_the_later_ones_too(link: Any, place: int) -> None:
    network, low = branch_sr(link=link), low_images(5, 6)
    before = network(low)
    nn.init.zeros_(network.reconstruction[place].to_image.weight)
    nn.init.zeros_(network.reconstruction[place].to_image.bias)
    scales = network.scales
    expected = scales[place : place + 1] if link == "upsampled_features" else scales[place:]
    assert changed(before, network(low)) == list(expected)


def test_the_second_reconstruction_goes_on_from_the_fused_features_and_the_third_from_upsampled_ones() -> None:
    network, low = branch_sr(image_layers=2), low_images(5, 6)
    seen: list[Tensor] = []
    for branch in network.reconstruction:
        branch.upsampling.register_forward_hook(partial(note, seen))
    fused = network.fused(low)
    network(low)
    given, made = seen[::2], seen[1::2]
    assert all(torch.equal(x, fused) for x in (given[0], made[0], given[1]))
    assert given[2] is made[1]


def test_only_what_the_last_image_needs_is_computed() -> None:
    network, low = branch_sr(), low_images(4, 4)
    called: list[nn.Module] = []
    for layer in convolutions(network):
        layer.register_forward_hook(lambda module, *_: called.append(module))
    network.upscale(low)
    idle = {id(layer) for branch in network.reconstruction[:-1] for layer in convolutions(branch.hidden)}
    idle |= {id(branch.to_image) for branch in network.reconstruction[:-1]}
    assert {id(layer) for layer in called} == {id(layer) for layer in convolutions(network)} - idle
    assert len(idle) == 4


@pytest.mark.parametrize("link", ["upsampled_features", "branch_output"])
@pytest.mark.parametrize("scales", [(1, 2, 4), (3,)])
def test_it_starts_as_bicubic(scales: Sequence[int], link: Any) -> None:
    network, low = BranchSR(**TINY, scales=scales, link=link), low_images(6, 5).float()
    for scale, image in network(low).items():
        assert torch.equal(image, resize(low, scale))
    plain = BranchSR(**TINY, scales=scales, link=link, start="plain")
    assert all(image.abs().max() > 0.1 for image in plain(low).values())


@pytest.mark.parametrize("kernels", [(3,), (5, 3), (3, 5, 7, 9)])
@pytest.mark.parametrize("scales", [(2,), (3,), (1, 8), (1, 2, 4, 8), (2, 6)])
def test_numbers_of_branches_and_of_scales_are_independent(kernels: Any, scales: Any) -> None:
    network = BranchSR(kernels=kernels, scales=scales, channels=2, fused_channels=3, image_channels=2)
    images = network(low_images(3, 4).float())
    assert {scale: image.shape for scale, image in images.items()} == {s: (1, 3, 3 * s, 4 * s) for s in scales}


def test_initial_features_neither_fade_nor_grow() -> None:
    for reparameterized in (False, True):
        torch.manual_seed(0)
        network = BranchSR(channels=32, reparameterized=reparameterized)
        low = low_images(32, 32).float()
        with torch.no_grad():
            for branch in network.branches:
                assert 0.3 < float(branch(low).std() / low.std()) < 5


def test_parameters_are_those_of_the_layers() -> None:
    def conv(inputs: int, outputs: int, kernel: int) -> int:
        return outputs * (inputs * kernel**2 + 1)

    network = BranchSR(channels=(32, 16), kernels=(3, 5), reparameterized=False, image_channels=(32, 16, 8))
    branches = conv(3, 32, 3) + 7 * conv(32, 32, 3) + conv(3, 16, 5) + 7 * conv(16, 16, 5)
    fusion = conv(48, 64, 1) + 2 * conv(64, 64, 3)
    first = conv(64, 32, 3) + conv(32, 3, 3)
    second = conv(64, 4 * 16, 3) + conv(16, 16, 3) + conv(16, 3, 3)
    third = conv(16, 4 * 8, 3) + conv(8, 8, 3) + conv(8, 3, 3)
    assert parameters(network) == branches + fusion + first + second + third
    folded = BranchSR(channels=(32, 16), kernels=(3, 5), image_channels=(32, 16, 8)).folded()
    assert parameters(folded) == parameters(network)
    assert not any(isinstance(module, FoldingConv2d) for module in folded.modules())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernels": ()}, r"model.generator.kernels=\[\] must name an odd kernel size for each branch"),
        ({"kernels": (3, 4)}, r"kernels=\[3, 4\] must name an odd kernel size"),
        (
            {"channels": (8, 8, 8)},
            r"channels=\[8, 8, 8\] must be one number, or one for each kernel, of which there are 2",
        ),
        ({"image_channels": (8,)}, r"image_channels=\[8\] must .* for each scale, of which there are 3"),
        ({"dilations": (2, 2)}, r"dilations=\[2, 2\] must .* for each dilated layer, of which there are 3"),
        ({"dilations": (1, 2, 2)}, r"dilations=\[1, 2, 2\] must be at least 2"),
        ({"layers": ()}, r"layers=\[\] must name at least one layer"),
        ({"scales": (2, 3)}, r"scales=\[2, 3\] must be whole numbers, each a multiple"),
    ],
)
def test_what_cannot_be_built_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        BranchSR(**(TINY | options))


def test_all_mistakes_are_named_at_once() -> None:
    with pytest.raises(UserError) as error:
        BranchSR(kernels=(2,), channels=(4, 4), dilations=1)
    assert len(error.value.lines) == 3
