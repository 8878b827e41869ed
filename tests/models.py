"""The models that whole runs are tested with, small: every option of conf/model, and designs that differ in a step.

A new model joins by a line.
"""

NO_NORMS = ["model.generator.norm=none", "model.discriminator.norm=none"]
BATCH_NORMS = ["model.generator.norm=batch", "model.discriminator.norm=batch"]
FEATURES = ["model/features=efficientnet_lite0", "model.features.network.image_size=32"]
OF_THE_IMAGE = "{_target_: freqgan.networks.DCGANDiscriminator, _partial_: true, channels: 4, norm: none}"

# By name: settings, without statistics of the batch where nothing else is said.
MODELS = {
    "frequency_gan": ["model=frequency_gan", *NO_NORMS],
    "two_passes": ["model=frequency_gan", *NO_NORMS, "transform.levels=2", "model.passes=2", "model.low_bands=every"],
    "step_before": ["model=frequency_gan", *NO_NORMS, "model.cascade_iteration=step"],
    "one_by_one": ["model=frequency_gan", *BATCH_NORMS, "model.cascade=previous"],
    "taught": ["model=frequency_gan", *NO_NORMS, "model.cascade_real.start=1.0", "model.cascade_real.until=0.8"],
    "low_first": ["model=frequency_gan", *BATCH_NORMS, "model.training_order=low_first"],
    "blend": ["model=frequency_gan", *NO_NORMS, "model.blend.enabled=true", "model.blend.initial=0.7"],
    "whole_image": [
        *("model=frequency_gan", *NO_NORMS, f"model.image_discriminator={OF_THE_IMAGE}"),
        "model.terms.generator.focal_frequency=1.0",
    ],
    "feature_loss": [
        *("model=frequency_gan", *NO_NORMS, *FEATURES, "model.features.use=feature_loss"),
        # At first nearly equal images have nearly no deviations, whose gradients make much of a last digit.
        *("model.terms.generator.feature_statistics=0.1", "optim.lr=0.001"),
    ],
    "condition": ["model=frequency_gan", *NO_NORMS, *FEATURES, "model.features.use=condition"],
}
