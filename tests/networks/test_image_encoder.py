"""Image encoders: shapes, what changes their vectors and what does not."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from freqgan.errors import UserError
from freqgan.features import EfficientNetLite0
from freqgan.networks import ImageEncoder, PretrainedImageEncoder, ResidualImageEncoder


def images(count: int = 2, side: int = 32, channels: int = 3) -> Tensor:
    return torch.rand(count, channels, side, side, generator=torch.Generator().manual_seed(2)) * 2 - 1


def residual(image_size: int = 32, **settings: int) -> ResidualImageEncoder:
    torch.manual_seed(0)
    return ResidualImageEncoder(image_size=image_size, dim=6, channels=4, **settings).eval()


@pytest.fixture(scope="module")
def pretrained() -> PretrainedImageEncoder:
    torch.manual_seed(0)
    return PretrainedImageEncoder(EfficientNetLite0(image_size=64), dim=6)


@pytest.mark.parametrize(("image_size", "side"), [(64, 8), (32, 8), (16, 8), (300, 9), (33, 8)])
def test_regions_are_a_map_of_about_eight_by_eight(image_size: int, side: int) -> None:
    encoder = residual(image_size)
    features = encoder(images(side=image_size))
    assert isinstance(encoder, ImageEncoder)
    assert features.overall.shape == (2, 6)
    assert features.regions.shape == (2, 6, side**2)


def test_number_of_weights() -> None:
    # 4×4 kernels halve, each followed by a 3×3 one, beside a 1×1; norms have two numbers a channel.
    widths = [(32, 64), (64, 128), (128, 256)]
    blocks = sum(16 * i * o + 9 * o * o + 4 * o + (i + 1) * o for i, o in widths)
    expected = 16 * 5 * 32 + 64 + blocks + 129 * 256 + 257 * 256
    assert sum(w.numel() for w in ResidualImageEncoder(image_size=64).parameters()) == expected == 1_608_960


def test_images_of_other_sizes_are_resized() -> None:
    encoder, large = residual(), images(side=48)
    small = F.interpolate(large, (32, 32), mode="bilinear", antialias=True)
    for got, wanted in zip(encoder(large), encoder(small), strict=True):
        torch.testing.assert_close(got, wanted)


def test_it_knows_where_things_are() -> None:
    # The middle ones of 16×16 regions do not reach the border, beyond which there are zeros.
    features = residual(128, region_side=16)(torch.zeros(1, 3, 128, 128))
    middle = features.regions.unflatten(2, (16, 16))[0, :, 6:10, 6:10].flatten(1)
    assert torch.pdist(middle.T).min() > 1e-4


def test_gradients_reach_weights_and_images() -> None:
    encoder, batch = residual(), images(4, 24).requires_grad_(True)
    features = encoder.train()(batch)
    (features.overall.square().mean() + features.regions.square().mean()).backward()
    assert batch.grad is not None
    assert batch.grad.abs().sum() > 0
    assert all(w.grad is not None and w.grad.isfinite().all() for w in encoder.parameters())


def test_a_pretrained_network_has_two_trained_layers(pretrained: PretrainedImageEncoder) -> None:
    batch = images(side=40).requires_grad_(True)
    features = pretrained(batch)
    assert features.overall.shape == (2, 6)
    assert features.regions.shape == (2, 6, 16)
    network = pretrained.network.extract(batch, ("stage5", "pool"))
    torch.testing.assert_close(features.overall, pretrained.to_overall(network["pool"]))
    regions = torch.einsum("dk,bkn->bdn", pretrained.to_regions.weight[:, :, 0, 0], network["stage5"].flatten(2))
    torch.testing.assert_close(features.regions, regions, rtol=1e-4, atol=1e-5)
    assert [*pretrained.state_dict()] == ["to_regions.weight", "to_overall.weight", "to_overall.bias"]
    assert max(w.abs().max() for w in (pretrained.to_regions.weight, pretrained.to_overall.weight)) <= 0.1
    features.regions.sum().backward()
    assert batch.grad is not None
    assert batch.grad.abs().sum() > 0


def test_vectors_are_float32_within_autocast(pretrained: PretrainedImageEncoder) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        for encoder in (residual(), pretrained):
            assert {x.dtype for x in encoder(images())} == {torch.float32}


def test_identity_follows_what_is_not_in_the_state(pretrained: PretrainedImageEncoder) -> None:
    names = {residual().identity(), residual(64).identity(), residual(region_side=4).identity()}
    other = PretrainedImageEncoder(EfficientNetLite0(image_size=64), dim=6, region_layer="stage4", region_channels=80)
    assert len(names | {pretrained.identity(), other.identity()}) == 5


def test_mistakes() -> None:
    with pytest.raises(UserError, match=r"region_side=9: wanted 2 to 8, half of image_size=16"):
        ResidualImageEncoder(image_size=16, region_side=9)
    with pytest.raises(UserError, match=r"region_layer=pool: choose from stem, stage1"):
        PretrainedImageEncoder(EfficientNetLite0(), region_layer="pool")
    encoder = PretrainedImageEncoder(EfficientNetLite0(image_size=64), region_layer="stage4")
    with pytest.raises(UserError, match=r"region_channels=112: stage4 of efficientnet_lite0_64px has 80, set it"):
        encoder(images())
