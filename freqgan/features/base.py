"""The contract of frozen pre-trained networks.

Images go in as the rest of the project handles them: float in [-1, 1], 1 or 3 channels, any size. Each
network converts and resizes them as its authors published. Nothing is read before the first use, so that
constructing one costs nothing.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn

from freqgan.errors import UserError


class FeatureNetwork(nn.Module, ABC):
    """A frozen network that turns images into features; gradients reach the images, never the weights.

    The network itself is no submodule: it is in no `state_dict` and no optimiser, never leaves evaluation
    mode, and follows the device of the images. It computes in float32 whatever autocast or precision is set
    around it, because features are compared across machines.

    Attributes:
        name: the part of a metric's name that says which features it uses; other numbers, other name.
        dim: length of the feature vector.
        layers: names of the layers `extract` offers, from image to features; the last is the feature vector.
        activations: those layers that are maps right after an activation function, whose values are at least 0.
        frechet_name: what the Fréchet distance of these features is called.
        cpu_tile: images per pass on a CPU; the activations of more fall out of its caches.
    """

    name: str
    dim: int
    layers: tuple[str, ...]
    activations: tuple[str, ...] = ()
    frechet_name: str = "fd"
    cpu_tile: int = 4

    def __init__(self) -> None:
        super().__init__()
        self._loaded: tuple[nn.Sequential, str] | None = None

    @abstractmethod
    def read_weights(self) -> dict[str, Tensor]:
        """The weights as published, from the file or package that carries them.

        Raises:
            UserError: they cannot be had; says how to get them and what to choose instead.
        """

    @abstractmethod
    def build(self, weights: Mapping[str, Tensor]) -> nn.Sequential:
        """The network as a sequence whose children's names contain `layers`, ending in (b, dim)."""

    @abstractmethod
    def prepare(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 s s"]:
        """Images in [-1, 1] at the size and in the range the network was trained on."""

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        """Feature vectors, float32, of images in [-1, 1] with 1 or 3 channels."""
        return self.extract(images, self.layers[-1:])[self.layers[-1]]

    def extract(self, images: Float[Tensor, "b c h w"], layers: Sequence[str]) -> dict[str, Tensor]:
        """The outputs of the named layers, each (b, …) in float32; nothing beyond the last one is computed.

        Args:
            images: values in [-1, 1], 1 or 3 channels.
            layers: names out of `self.layers`.

        Raises:
            UserError: neither 1 nor 3 channels.
            ValueError: a layer that is not in `self.layers`.
        """
        if images.shape[1] not in (1, 3):
            wanted = f"{self.name} features need images of 1 or 3 channels"
            raise UserError(f"{wanted}, got {images.shape[1]}: set data.channels=3 or metrics=none")
        if unknown := sorted(set(layers) - set(self.layers)):
            raise ValueError(f"{self.name} has the layers {', '.join(self.layers)}, got {', '.join(unknown)}")
        network = self._network().to(images.device)
        tile = self.cpu_tile if images.device.type == "cpu" else max(len(images), 1)
        parts = [self._run(network, part, layers) for part in images.split(tile)]
        return {layer: torch.cat([part[layer] for part in parts]) for layer in layers}

    def weights_hash(self) -> str:
        """SHA-256 of the published weights: names, shapes and bytes."""
        self._network()
        assert self._loaded is not None
        return self._loaded[1]

    def _network(self) -> nn.Sequential:
        if self._loaded is None:
            # Tensors born in inference mode could never take part in a backward pass later.
            with torch.inference_mode(False), torch.no_grad():
                weights = self.read_weights()
                network = self.build(weights).eval().requires_grad_(False)
                self._loaded = (network.to(memory_format=torch.channels_last), weights_digest(weights))
        return self._loaded[0]

    def _run(self, network: nn.Sequential, images: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        outputs: dict[str, Tensor] = {}
        # What a step will cost is computed on the meta device, which autocast does not know.
        kind = "cpu" if images.is_meta else images.device.type
        with _precise_arithmetic(), self._autocast(kind):
            x = self.prepare(images.float().expand(-1, 3, -1, -1))
            x = x.contiguous(memory_format=torch.channels_last)
            for name, layer in network.named_children():
                x = layer(x)
                if name in layers:
                    outputs[name] = x.float()
                if len(outputs) == len(set(layers)):
                    break
        return outputs

    def _autocast(self, device_type: str) -> torch.autocast:
        return torch.autocast(device_type, enabled=False)


@contextmanager
def _precise_arithmetic() -> Iterator[None]:
    """Float32 means float32: no TF32 or bfloat16 inside an operation, whatever was chosen for training."""
    switches = (
        torch.backends.cudnn.conv,  # type: ignore[attr-defined]
        torch.backends.cuda.matmul,
        torch.backends.mkldnn.conv,  # type: ignore[attr-defined]
        torch.backends.mkldnn.matmul,  # type: ignore[attr-defined]
    )
    chosen = [switch.fp32_precision for switch in switches]
    for switch in switches:
        switch.fp32_precision = "ieee"
    try:
        yield
    finally:
        for switch, precision in zip(switches, chosen, strict=True):
            switch.fp32_precision = precision


def weights_digest(weights: Mapping[str, Tensor]) -> str:
    """SHA-256 of weights: names, shapes and bytes."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
