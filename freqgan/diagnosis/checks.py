"""All checks in the order of their rows."""

from collections.abc import Iterator
from functools import partial

from freqgan.diagnosis import account, environment, gpu, packages, processes, processor, storage, weights
from freqgan.diagnosis.row import Check

IMPORT_SECONDS = 120.0  # the first import after an installation, from a network disk


def checks(*, output_dir: str, cache_dir: str) -> list[Check]:
    """Every check.

    Args:
        output_dir: where run directories go.
        cache_dir: where prepared data and features go.
    """
    return [
        *_packages(),
        *_computing(),
        *_storage(output_dir, cache_dir),
        *_surroundings(output_dir),
        *_weights(),
        *_wandb(),
    ]


def _packages() -> Iterator[Check]:
    check = partial(Check, area="packages")
    yield check(name="python", look=packages.python, required=True)
    yield check(name="freqgan", look=packages.this_program)
    for name in packages.PROBES:
        yield check(
            name=name,
            look=partial(packages.package, name),
            needs=packages.NEEDS.get(name, ()),
            required=name not in packages.NOT_REQUIRED,
            seconds=IMPORT_SECONDS,
            remedy=packages.remedy(name),
        )
    yield check(name="others", look=packages.other_packages, required=True)
    yield check(name="agreement", look=packages.agreement)
    yield check(name="lightning", look=packages.lightning)
    yield check(name="extras", look=packages.optional_parts)


def _computing() -> Iterator[Check]:
    check = partial(Check, area="computing")
    yield check(name="processor", look=processor.processor)
    yield check(name="precision", look=processor.precision, needs=("torch",))
    yield check(name="cores", look=processor.cores)
    yield check(name="threads", look=processor.threads)
    yield check(name="memory", look=processor.memory)
    yield check(name="shared memory", look=processor.shared_memory)
    yield check(name="GPUs", look=gpu.gpus, needs=("torch",), seconds=60.0)
    yield check(name="NCCL", look=processes.nccl, needs=("torch",))
    yield check(name="gloo", look=processes.gloo, needs=("torch",))


def _storage(output_dir: str, cache_dir: str) -> Iterator[Check]:
    check = partial(Check, area="storage")
    for name, folder in (("output_dir", output_dir), ("cache_dir", cache_dir)):
        yield check(name=name, look=partial(storage.writable, name, folder), required=True)
        yield check(name=f"{name} space", look=partial(storage.space, name, folder), needs=(name,))
    yield check(name="temporary space", look=storage.temporary_space)


def _surroundings(output_dir: str) -> Iterator[Check]:
    check = partial(Check, area="surroundings")
    yield check(name="open files", look=environment.open_files)
    yield check(name="clock", look=partial(environment.clock, output_dir))
    yield check(name="character set", look=environment.character_set)


def _weights() -> Iterator[Check]:
    check = partial(Check, area="weights and data")
    yield check(name="EfficientNet-Lite0", look=weights.efficientnet_lite0)
    yield check(name="Inception of FID", look=weights.inception, needs=("torch", "torchvision"))
    yield check(name="VGG19", look=weights.vgg19, needs=("torch", "torchvision"))
    yield check(name="OpenMoji", look=weights.openmoji)
    yield check(name="MiniLM", look=weights.minilm, needs=("torch",))


def _wandb() -> Iterator[Check]:
    check = partial(Check, area="Weights & Biases", needs=("torch", "torchvision", "pytorch-lightning"))
    yield check(name="W&B mode", look=account.state)
    yield check(name="W&B server", look=account.reachable)
