"""Focal frequency loss: squared distance of spectra, weighted towards the frequencies that are furthest off.

Reference: Jiang et al., "Focal Frequency Loss for Image Reconstruction and Synthesis", 2021, with the options of the
authors' code. Departures: the mean spectrum and the batch's largest weight are those of all processes, and besides the
authors' mean of complex spectra there is one of magnitudes. The first is the spectrum of the mean image, in which the
details of images that are no pairs cancel; the second keeps them.
"""

from typing import Literal, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from freqgan.errors import UserError
from freqgan.limits import Count, NonNegative
from freqgan.ops.global_batch import gather_rows

AverageSpectrum = Literal["none", "complex", "magnitude"]


def focal_frequency(
    fake: Float[Tensor, "b c h w"],
    real: Float[Tensor, "b c h w"],
    *,
    alpha: float = 1.0,
    patch_factor: int = 1,
    average_spectrum: AverageSpectrum = "none",
    log_matrix: bool = False,
    batch_matrix: bool = False,
) -> Float[Tensor, ""]:
    """Mean over frequencies of w·|F(real) − F(fake)|², w = |F(real) − F(fake)|^α over its largest value.

    F is the orthonormal two-dimensional Fourier transform, and no gradient flows through w.

    Args:
        fake: generated images.
        real: the images they are compared with, one by one unless spectra are averaged.
        alpha: of the weights; 0 weighs all frequencies equally, which is the mean squared error of pixels.
        patch_factor: images are cut into this many patches a side, each with its own spectrum.
        average_spectrum: compare the mean spectra of the batch, as images that are no pairs need it: of complex
            numbers as published, or of their magnitudes.
        log_matrix: take the logarithm of 1 + |…|^α for the weight.
        batch_matrix: divide by the largest weight in the batch, instead of that of each channel of each patch.

    Raises:
        UserError: `patch_factor` does not divide the images' height and width.

    >>> focal_frequency(torch.ones(1, 1, 2, 2), torch.zeros(1, 1, 2, 2)).item()  # only F(0, 0) = 2: 1 · 2² / 4
    1.0
    """
    of_fake, of_real = (_spectrum(images, patch_factor, average_spectrum) for images in (fake, real))
    squared = (of_real - of_fake).abs().square()
    return (_weights(squared.detach(), alpha, log_matrix, batch_matrix) * squared).mean()


@final
class FocalFrequencyLoss(nn.Module):
    """Distance of spectra, weighted towards the frequencies that are furthest off.

    Args:
        alpha: see `focal_frequency`, as for all others.
        patch_factor: patches that an image is cut into, a side.
        average_spectrum: compare mean spectra of the batch.
        log_matrix: take the logarithm for the weights.
        batch_matrix: divide by the batch's largest weight.
    """

    def __init__(
        self,
        *,
        alpha: NonNegative = 1.0,
        patch_factor: Count = 1,
        average_spectrum: AverageSpectrum = "none",
        log_matrix: bool = False,
        batch_matrix: bool = False,
    ) -> None:
        super().__init__()
        self.alpha = alpha
        self.patch_factor = patch_factor
        self.average_spectrum: AverageSpectrum = average_spectrum
        self.log_matrix = log_matrix
        self.batch_matrix = batch_matrix

    def forward(self, fake: Float[Tensor, "b c h w"], real: Float[Tensor, "b c h w"]) -> Float[Tensor, ""]:
        """The loss of generated images against real ones."""
        return focal_frequency(
            fake,
            real,
            alpha=self.alpha,
            patch_factor=self.patch_factor,
            average_spectrum=self.average_spectrum,
            log_matrix=self.log_matrix,
            batch_matrix=self.batch_matrix,
        )


def _spectrum(images: Tensor, patch_factor: int, average: AverageSpectrum) -> Tensor:
    """Of every patch (b, c, p, p, h / p, w / p), or the mean over the batch (1, c, p, p, h / p, w / p)."""
    images = images.to(torch.promote_types(images.dtype, torch.float32))
    if average == "complex":
        images = _batch_mean(images)  # whose spectrum is the mean of the spectra
    spectrum: Tensor = torch.fft.fft2(_patches(images, patch_factor), norm="ortho")
    return _batch_mean(spectrum.abs()) if average == "magnitude" else spectrum


def _batch_mean(x: Tensor) -> Tensor:
    """Mean over the rows of all processes, as one row."""
    return gather_rows(x.mean(0, keepdim=True)).mean(0, keepdim=True)


def _patches(images: Tensor, factor: int) -> Tensor:
    height, width = images.shape[-2:]
    if height % factor or width % factor:
        fitting = ", ".join(str(n) for n in range(1, factor) if height % n == width % n == 0)
        raise UserError(
            f"patch_factor={factor} of the focal frequency loss does not divide images of {height}x{width}: "
            f"set it to one of {fitting}"
        )
    patches: Tensor = images.unflatten(3, (factor, -1)).unflatten(2, (factor, -1)).transpose(3, 4)
    return patches


def _weights(squared: Tensor, alpha: float, log_matrix: bool, batch_matrix: bool) -> Tensor:
    """Of squared distances (b, c, p, p, h, w), in [0, 1]."""
    weights = squared.pow(alpha / 2)
    if log_matrix:
        weights = weights.log1p()
    largest = gather_rows(weights.amax()[None]).amax() if batch_matrix else weights.amax((-2, -1), keepdim=True)
    # Where nothing differs the weights are 0.
    return weights / largest.clamp_min(torch.finfo(weights.dtype).tiny)
