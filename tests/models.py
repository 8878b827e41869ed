"""The models that whole runs are tested with, small: every option of conf/model, and designs that differ in a step.

A new model joins by a line.
"""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from tests.forked import NARROW, SHORT, command, only_run, paths

NO_NORMS = ["model.generator.norm=none", "model.discriminator.norm=none"]
BATCH_NORMS = ["model.generator.norm=batch", "model.discriminator.norm=batch"]
FEATURES = ["model/features=efficientnet_lite0", "model.features.network.image_size=32"]
OF_THE_IMAGE = "{_target_: freqgan.networks.DCGANDiscriminator, _partial_: true, channels: 4, norm: none}"

FREQUENCY_GAN = ["model=frequency_gan", *NARROW]
BRANCH_SR = [
    *("model=branch_sr", "model.generator.kernels=[3,5]", "model.generator.channels=4", "model.generator.start=plain"),
    *("model.generator.fused_channels=4", "model.generator.image_channels=4", "model.discriminator.channels=4"),
    *("model.discriminator.stages=2", "model.discriminator.norm=none", "model.terms.generator.adversarial=0.1"),
    *("model.perceptual.network.image_size=32", "model.examples=4"),
]
ENCODERS = [
    *("data.augment.caption=one", "model.encoders.text.vocabulary_size=128"),
    *("model.encoders.text.dim=8", "model.encoders.text.embedding_dim=8", "model.encoders.text.dropout=0.0"),
    *("model.encoders.image.dim=8", "model.encoders.image.channels=4"),
]
IMAGE_TEXT_ENCODER = ["model=image_text_encoder", *ENCODERS, "model.examples=4"]
TRAINED = "model.encoders_run=trained"  # see `with_encoders`
# Narrow discriminators and a low rate: wider ones make much of a last digit, 36 times less at a tenth of the rate.
TEXT_GAN = [
    *(*ENCODERS, TRAINED, "data.image_size=32", "model.generator.upsamplings=1", "model.generator.channels=4"),
    *("model.generator.latent_dim=8", "model.discriminator.channels=1", "model.discriminator.norm=spectral"),
    *("model.captions=8", "optim.lr=0.001"),
]
STAGED_TEXT_GAN = ["model=staged_text_gan", *TEXT_GAN]
STACKED_TEXT_GAN = ["model=stacked_text_gan", *TEXT_GAN, "model.generator.augmentation=4"]
# Dropout draws by process. L1's gradients are signs of differences, which turn by a last digit.
TRANSLATION = [
    *("data.source.domain=pair", "model.generator.channels=4", "model.discriminator.channels=4", "model.examples=4"),
    *("model.discriminator.receptive_field=16", "model.discriminator.norm=instance", "optim.lr=0.001"),
]
# Distances of features are sums of absolute differences, whose signs turn by a last digit.
LABEL_TO_IMAGE = [
    *("model=label_to_image", "model.generator.coarse.channels=4", "model.generator.coarse.halvings=2"),
    *("model.generator.coarse.blocks=1", "model.generator.enhancers=[1]", "model.discriminator.channels=4"),
    *("model.discriminator.layers=2", "model.discriminator.scales=2", "model.encoder.channels=2"),
    *("model.encoder.halvings=1", "model.clusters=3", "model.examples=4", "optim.lr=0.0003"),
    "model.terms.generator.feature_matching=0.01",
]
# The second phase begins with optimisers that remember nothing.
LATER = "{fresh_optimizers: true, optim: {lr: %s}}"
SPECTRUM_FIRST = (
    "{until: 0.4, frozen: [discriminator], terms: {generator: {adversarial: 0, focal_frequency: 0.1}}, "
    "optim: {schedule: linear_decay}}"
)
FEATURES_FIRST = (
    "{until: 0.4, frozen: [generator.branches], terms: {discriminator: {adversarial: 0, gradient_penalty: 0}, "
    "generator: {adversarial: 0, perceptual: 0.01}}}"
)

# By name: settings, without statistics of the batch where nothing else is said.
MODELS = {
    "frequency_gan": [*FREQUENCY_GAN, *NO_NORMS],
    "two_passes": [*FREQUENCY_GAN, *NO_NORMS, "transform.levels=2", "model.passes=2", "model.low_bands=every"],
    "step_before": [*FREQUENCY_GAN, *NO_NORMS, "model.cascade_iteration=step"],
    "one_by_one": [*FREQUENCY_GAN, *BATCH_NORMS, "model.cascade=previous"],
    "taught": [*FREQUENCY_GAN, *NO_NORMS, "model.cascade_real.start=1.0", "model.cascade_real.until=0.8"],
    "low_first": [*FREQUENCY_GAN, *BATCH_NORMS, "model.training_order=low_first"],
    "blend": [*FREQUENCY_GAN, *NO_NORMS, "model.blend.enabled=true", "model.blend.initial=0.7"],
    "whole_image": [
        *(*FREQUENCY_GAN, *NO_NORMS, f"model.image_discriminator={OF_THE_IMAGE}"),
        "model.terms.generator.focal_frequency=1.0",
    ],
    "judged_whole": [
        *("model=frequency_gan", "model.latent_dim=8", "model.generator.channels=4", "model.generator.norm=none"),
        *("model.discriminator=null", f"model.image_discriminator={OF_THE_IMAGE}"),
    ],
    "feature_loss": [
        *(*FREQUENCY_GAN, *NO_NORMS, *FEATURES, "model.features.use=feature_loss"),
        # At first nearly equal images have nearly no deviations, whose gradients make much of a last digit.
        *("model.terms.generator.feature_statistics=0.1", "optim.lr=0.001"),
    ],
    "condition": [*FREQUENCY_GAN, *NO_NORMS, *FEATURES, "model.features.use=condition"],
    "stages": [*FREQUENCY_GAN, *NO_NORMS, f"model.phases=[{SPECTRUM_FIRST}, {LATER % 0.02}]"],
    "branch_sr": BRANCH_SR,
    "image_text_encoder": [*IMAGE_TEXT_ENCODER, "model.altered=2"],
    "staged_text_gan": STAGED_TEXT_GAN,
    "stacked_text_gan": STACKED_TEXT_GAN,
    "memory": [
        *(*STAGED_TEXT_GAN, "model.generator.fusion=dynamic_memory", "model.generator.stage_input=reencoded_image"),
        *("model.generator.augmentation=4", "model.d3.condition=word_mean_and_sentence", "model.gradients=joint"),
        *("model.altered=1", "model.mismatched=altered"),
    ],
    "label_to_image": LABEL_TO_IMAGE,
    "segmenter": [
        *("model=segmenter", "model.network.channels=4", "model.network.max_channels=8", "model.network.halvings=3"),
        *("model.network.pyramid=4", "model.rare=1.1", "model.examples=4", "optim.lr=0.002"),
    ],
    "looks": [*LABEL_TO_IMAGE, "model.features=2", "model.phases=[]", "model.inputs=raw_ids", "loss=hinge"],
    "relativistic": [*BRANCH_SR, "loss=relativistic_average", "model.supervision=last"],
    "encoder_decoder": ["model=encoder_decoder", *TRANSLATION, "model.generator.norm=instance"],
    "pix2pix": [
        *("model=pix2pix", *TRANSLATION, "model.generator.norm=instance", "model.generator.dropout=0.0"),
        "optim.lr=0.0002",
    ],
    "cyclegan": [
        *("model=cyclegan", *TRANSLATION, *NO_NORMS, "model.generator.blocks=1", "model.pool=6", "optim.lr=0.01"),
    ],
    "dualgan": [
        *("model=dualgan", *TRANSLATION, *NO_NORMS, "model.weight_clip=0.1", "model.terms.generator.cycle=50"),
        *("model.n_critic=1", "optim.lr=0.01"),
    ],
    "warm_start": [
        # Signs of differences, of which L1's gradients are made, turn by a last digit.
        *(*BRANCH_SR, "loss=relativistic_average", "optim.lr=0.002"),
        f"model.phases=[{FEATURES_FIRST}, {LATER % 0.001}]",
    ],
}


def with_encoders(settings: list[str]) -> list[str]:
    """The settings of a model; where it builds on trained encoders, with a run that has trained some."""
    return [f"model.encoders_run={_trained_encoders()}" if setting == TRAINED else setting for setting in settings]


@cache
def _trained_encoders() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="freqgan_encoders_"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    given = [*IMAGE_TEXT_ENCODER, "data.image_size=32", "budget.images=16", "optim.lr=0.01"]
    status, output = command(["train", *SHORT, *given, *paths(folder)], folder)
    assert status == 0, output
    return only_run(folder)
