"""Small super-resolution networks of every kind, with weights that hide nothing."""

from typing import Any

import torch
from torch import Tensor, nn

from freqgan.networks import EDSR, SRCNN, Bicubic, BranchSR, SuperResolver

TINY: dict[str, Any] = {"kernels": (3, 5), "channels": (4, 3), "fused_channels": 5, "image_channels": 4}


def branch_sr(**options: Any) -> BranchSR:
    return scattered(BranchSR(**(TINY | options)))


def scattered(network: Any) -> Any:
    """In float64, with weights that are no small numbers."""
    generator = torch.Generator().manual_seed(0)
    for parameter in network.double().parameters():
        nn.init.normal_(parameter, 0, 0.3, generator=generator)
    return network


def resolvers() -> dict[str, SuperResolver]:
    return {
        "parallel": branch_sr(),
        "plain": branch_sr(start="plain", reparameterized=False, image_layers=0),
        "branch_output": branch_sr(link="branch_output", image_layers=2),
        "interpolation": branch_sr(upsampler="interpolation", kernels=(3,), channels=4, scales=(2, 6)),
        "series": branch_sr(arrangement="series", scales=(3,)),
        "one branch of eight": branch_sr(kernels=(3,), channels=4, scales=(1, 8)),
        "pixels": branch_sr(kernels=(1,), channels=4, fused_channels=4, layers=("conv",), scales=(4,)),
        "edsr": scattered(EDSR(channels=6, blocks=2, scale=4)),
        "edsr x3": scattered(EDSR(channels=6, blocks=1, scale=3)),
        "srcnn": scattered(SRCNN(widths=(6, 4), scale=4)),
        "srcnn 9-5-5 x3": scattered(SRCNN(widths=(6, 4), kernels=(9, 5, 5), sees="channels", scale=3)),
        "srcnn x2": scattered(SRCNN(widths=(6, 4), scale=2)),
        "bicubic": Bicubic(scale=4),
        "bicubic x3": Bicubic(scale=3),
    }


def low_images(height: int, width: int, *, batch: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(batch, 3, height, width, generator=generator, dtype=torch.float64) * 2 - 1
