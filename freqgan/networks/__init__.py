"""Architectures, one per file."""

from freqgan.networks.band_discriminators import BandDiscriminators
from freqgan.networks.band_gans import BandGAN, connect, group_bands
from freqgan.networks.band_generators import BandGenerators, Teacher
from freqgan.networks.bicubic import Bicubic
from freqgan.networks.branch_sr import BranchSR
from freqgan.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from freqgan.networks.edsr import EDSR
from freqgan.networks.image_encoder import ImageEncoder, ImageFeatures, PretrainedImageEncoder, ResidualImageEncoder
from freqgan.networks.joined_bands import joined_bands, parted_bands
from freqgan.networks.pooling_discriminator import PoolingDiscriminator
from freqgan.networks.srcnn import SRCNN
from freqgan.networks.super_resolver import SuperResolver
from freqgan.networks.text_discriminators import StageDiscriminator
from freqgan.networks.text_generator import TextGenerator
from freqgan.networks.text_stages import Distribution, StageOutput
from freqgan.networks.vgg_discriminator import VGGDiscriminator

__all__ = [
    "EDSR",
    "SRCNN",
    "BandDiscriminators",
    "BandGAN",
    "BandGenerators",
    "Bicubic",
    "BranchSR",
    "DCGANDiscriminator",
    "DCGANGenerator",
    "Distribution",
    "ImageEncoder",
    "ImageFeatures",
    "PoolingDiscriminator",
    "PretrainedImageEncoder",
    "ResidualImageEncoder",
    "StageDiscriminator",
    "StageOutput",
    "SuperResolver",
    "Teacher",
    "TextGenerator",
    "VGGDiscriminator",
    "connect",
    "group_bands",
    "joined_bands",
    "parted_bands",
]
