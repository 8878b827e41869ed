"""Architectures, one per file."""

from freqgan.networks.band_discriminators import BandDiscriminators
from freqgan.networks.band_gans import BandGAN, connect, group_bands
from freqgan.networks.band_generators import BandGenerators, Teacher
from freqgan.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from freqgan.networks.joined_bands import joined_bands, parted_bands
from freqgan.networks.pooling_discriminator import PoolingDiscriminator

__all__ = [
    "BandDiscriminators",
    "BandGAN",
    "BandGenerators",
    "DCGANDiscriminator",
    "DCGANGenerator",
    "PoolingDiscriminator",
    "Teacher",
    "connect",
    "group_bands",
    "joined_bands",
    "parted_bands",
]
