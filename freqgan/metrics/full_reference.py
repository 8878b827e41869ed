"""How far an image is from its original, pixel by pixel: PSNR, SSIM and GMSD, in float64.

Values are levels in [0, 255]; each function gives one number per image. torchmetrics has PSNR and SSIM too. Its PSNR of
equal images is infinite, which no mean survives; its SSIM pads the border, and with float64, which the variances of
flat areas need, it takes thirty times as long.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

PEAK = 255.0
PSNR_OF_EQUALS = 100.0  # dB
SSIM_SIDE = 11  # of the window, and so the least of an image

_SIGMA = 1.5
_C1, _C2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2
_T = 170.0  # for 255 levels


def psnr(image: Float[Tensor, "b c h w"], original: Float[Tensor, "b c h w"]) -> Float[Tensor, "b"]:
    """Peak signal-to-noise ratio 10·log10(255² / MSE) in dB, with MSE over all channels and pixels; 100 at most.

    >>> psnr(torch.full((1, 1, 2, 2), 10.0), torch.full((1, 1, 2, 2), 35.5)).item()  # a tenth of the peak
    20.0
    """
    mse = (image.double() - original.double()).square().mean((1, 2, 3))
    ratio: Tensor = 10 * (PEAK**2 / mse.clamp(min=PEAK**2 / 10 ** (PSNR_OF_EQUALS / 10))).log10()
    return ratio


def ssim(image: Float[Tensor, "b c h w"], original: Float[Tensor, "b c h w"]) -> Float[Tensor, "b"]:
    """Structural similarity, 1 for equal images: the mean over channels and all whole windows.

    Reference: Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity", 2004, eq. 13,
    with K1 = 0.01, K2 = 0.03 and Gaussian windows of 11×11 pixels with σ = 1.5; the border is not padded.

    >>> flat = torch.full((1, 1, 11, 11), 100.0)
    >>> ssim(flat, flat / 2).item() == (2 * 100 * 50 + 2.55**2) / (100**2 + 50**2 + 2.55**2)
    True

    Raises:
        ValueError: images of less than 11 pixels a side.
    """
    if min(image.shape[-2:]) < SSIM_SIDE:
        raise ValueError(f"SSIM is of images of {SSIM_SIDE} px a side or more, got {tuple(image.shape)}")
    planes = zip(image.double().unbind(1), original.double().unbind(1), strict=True)
    return torch.stack([_ssim_map(a, b).mean((1, 2)) for a, b in planes]).mean(0)


def _ssim_map(a: Float[Tensor, "b h w"], b: Float[Tensor, "b h w"]) -> Float[Tensor, "b h-10 w-10"]:
    mean_a, mean_b, squares, product = (_blur(x) for x in (a, b, a * a + b * b, a * b))
    product_of_means, squares_of_means = mean_a * mean_b, mean_a.square() + mean_b.square()
    structure = (2 * (product - product_of_means) + _C2) / (squares - squares_of_means + _C2)
    return (2 * product_of_means + _C1) / (squares_of_means + _C1) * structure


def _blur(plane: Float[Tensor, "b h w"]) -> Float[Tensor, "b h-10 w-10"]:
    """Gaussian means over whole windows; a sum of shifted planes, because float64 convolutions are slow."""
    reach = SSIM_SIDE // 2
    weights = torch.exp(-torch.arange(-reach, reach + 1).double().square() / (2 * _SIGMA**2))
    for axis in (1, 2):
        length = plane.shape[axis] - 2 * reach
        blurred = plane.new_zeros(()).expand_as(plane.narrow(axis, 0, length)).contiguous()
        for i, weight in enumerate((weights / weights.sum()).tolist()):
            blurred.add_(plane.narrow(axis, i, length), alpha=weight)
        plane = blurred
    return plane


def gmsd(image: Float[Tensor, "b 1 h w"], original: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b"]:
    """Gradient magnitude similarity deviation of grey images, 0 for equal ones.

    Reference: Xue et al., "Gradient Magnitude Similarity Deviation", 2014, eq. 3 to 6: Prewitt gradients of the 2×2
    averages, T = 170, and beyond the border zeros, as in the authors' code.

    >>> grey = torch.rand(1, 1, 8, 8) * 255
    >>> gmsd(grey, grey).item()
    0.0
    """
    a, b = _gradient(image.double()), _gradient(original.double())
    similarity = (2 * a * b + _T) / (a.square() + b.square() + _T)
    deviation: Tensor = similarity.std((1, 2, 3), correction=0)
    return deviation


def _gradient(grey: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 1 h2 w2"]:
    h, w = grey.shape[-2:]
    half = F.avg_pool2d(F.pad(grey, (0, w % 2, 0, h % 2)), 2)
    across = half.new_tensor([[1.0, 0.0, -1.0]]).expand(3, 3) / 3
    both = F.conv2d(half, torch.stack((across, across.T))[:, None], padding=1)
    return both.square().sum(1, keepdim=True).sqrt()
