"""Network architectures, one per file, each the whole graph from top to bottom."""

from freqgan.networks.band_cascade import BandDiscriminators, BandGenerators, cascade_sources
from freqgan.networks.dcgan import DCGANDiscriminator, DCGANGenerator

__all__ = ["BandDiscriminators", "BandGenerators", "DCGANDiscriminator", "DCGANGenerator", "cascade_sources"]
