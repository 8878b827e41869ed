"""Small networks of every kind, and what is true of all of them."""

from typing import TypeVar

import torch
from torch import Tensor, nn

from freqgan.networks import EncoderDecoder, GlobalGenerator, ResNetGenerator, Translator, UNet

Network = TypeVar("Network", bound=nn.Module)


def small(name: str) -> Translator:
    torch.manual_seed(0)
    made: dict[str, Translator] = {
        "encoder_decoder": EncoderDecoder(image_size=16, channels=4),
        "encoder_decoder_none": EncoderDecoder(image_size=16, channels=4, norm="none"),
        "encoder_decoder_instance": EncoderDecoder(image_size=16, channels=4, norm="instance"),
        "unet": UNet(image_size=16, channels=4),
        "unet_fixed": UNet(image_size=16, channels=4, at_test="fixed"),
        "unet_none": UNet(image_size=16, channels=4, norm="none", dropout=0.0),
        "unet_noisy": UNet(image_size=16, channels=4, norm="none"),
        "unet_dualgan": UNet(image_size=16, channels=4, kernel=3, outer_kernel=5, norm="instance", dropout=0.0),
        "unet_dualgan_fixed": UNet(image_size=16, channels=4, kernel=3, outer_kernel=5, at_test="fixed"),
        "global": GlobalGenerator(channels=4, max_channels=8, halvings=3, blocks=1),
        "global_batch": GlobalGenerator(channels=4, halvings=2, blocks=1, norm="batch"),
        "global_interpolation": GlobalGenerator(
            channels=4, halvings=2, blocks=1, norm="batch", upsampler="interpolation"
        ),
        "resnet": ResNetGenerator(channels=4, blocks=2),
        "resnet_batch": ResNetGenerator(channels=4, blocks=2, norm="batch"),
        "resnet_none": ResNetGenerator(channels=4, blocks=2, norm="none"),
    }
    return made[name]


FINITE = (
    "encoder_decoder",
    "encoder_decoder_none",
    "unet_fixed",
    "unet_none",
    "unet_dualgan_fixed",
    "resnet_batch",
    "global_batch",
    "global_interpolation",
)
WHOLE = ("encoder_decoder_instance", "unet", "unet_noisy", "unet_dualgan", "resnet", "global")
ALL = (*FINITE, *WHOLE, "resnet_none")


def image(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def positive(network: Network) -> Network:
    """In evaluation, with weights that let every dependence through: no ReLU is closed, nothing cancels."""
    for name, weight in network.double().eval().named_parameters():
        weight.data.fill_(0.01 if name.endswith("weight") else 0.1)
    return network
