"""Architectures, one per file."""

from freqgan.networks.band_discriminators import BandDiscriminators
from freqgan.networks.band_gans import BandGAN, connect, group_bands
from freqgan.networks.band_generators import BandGenerators, Bands, Teacher
from freqgan.networks.bicubic import Bicubic
from freqgan.networks.branch_sr import BranchSR
from freqgan.networks.coarse_to_fine import CoarseToFine, LocalEnhancer
from freqgan.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from freqgan.networks.edsr import EDSR
from freqgan.networks.encoder_decoder import EncoderDecoder
from freqgan.networks.global_generator import GlobalGenerator
from freqgan.networks.image_encoder import ImageEncoder, ImageFeatures, PretrainedImageEncoder, ResidualImageEncoder
from freqgan.networks.instance_encoder import InstanceEncoder
from freqgan.networks.joined_bands import joined_bands, parted_bands
from freqgan.networks.multi_scale_discriminator import MultiScaleDiscriminator
from freqgan.networks.patch_discriminator import PatchDiscriminator
from freqgan.networks.pooling_discriminator import PoolingDiscriminator
from freqgan.networks.resnet_generator import ResNetGenerator
from freqgan.networks.scene_reader import SceneReader, SceneReading
from freqgan.networks.segmentation import SegmentationNetwork
from freqgan.networks.small_segmenter import SmallSegmenter
from freqgan.networks.srcnn import SRCNN
from freqgan.networks.super_resolver import SuperResolver
from freqgan.networks.text_discriminators import StageDiscriminator
from freqgan.networks.text_generator import TextGenerator
from freqgan.networks.text_stages import Distribution, StageOutput
from freqgan.networks.torchvision_segmenter import TorchvisionSegmenter
from freqgan.networks.translator import Translator
from freqgan.networks.unet import UNet
from freqgan.networks.vgg_discriminator import VGGDiscriminator

__all__ = [
    "EDSR",
    "SRCNN",
    "BandDiscriminators",
    "BandGAN",
    "BandGenerators",
    "Bands",
    "Bicubic",
    "BranchSR",
    "CoarseToFine",
    "DCGANDiscriminator",
    "DCGANGenerator",
    "Distribution",
    "EncoderDecoder",
    "GlobalGenerator",
    "ImageEncoder",
    "ImageFeatures",
    "InstanceEncoder",
    "LocalEnhancer",
    "MultiScaleDiscriminator",
    "PatchDiscriminator",
    "PoolingDiscriminator",
    "PretrainedImageEncoder",
    "ResNetGenerator",
    "ResidualImageEncoder",
    "SceneReader",
    "SceneReading",
    "SegmentationNetwork",
    "SmallSegmenter",
    "StageDiscriminator",
    "StageOutput",
    "SuperResolver",
    "Teacher",
    "TextGenerator",
    "TorchvisionSegmenter",
    "Translator",
    "UNet",
    "VGGDiscriminator",
    "connect",
    "group_bands",
    "joined_bands",
    "parted_bands",
]
