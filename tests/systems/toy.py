"""A smallest method: two linear networks, run without a Trainer."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from freqgan.systems import SGD, Clock, Optimizers, System
from freqgan.systems.rules import Batch, Outputs, Terms, Weights

TERMS: Any = {"generator": {"adversarial": 1.0}, "discriminator": {"adversarial": 1.0, "lazy": 0.5}}


class Toy(System):
    """The discriminator tells x from noise times a matrix."""

    TERMS: ClassVar[Any] = {"generator": ("adversarial",), "discriminator": ("adversarial", "lazy")}

    def __init__(
        self,
        *,
        optim: Optimizers | None = None,
        images: int = 10**6,
        generator: Callable[[], nn.Module] = lambda: nn.Linear(3, 2),
        **rules: Any,
    ) -> None:
        torch.manual_seed(0)
        rules = {"terms": TERMS, "seed": 3, "clock": Clock(images=images)} | rules
        super().__init__(
            generator=generator(),
            discriminator=nn.Linear(2, 1),
            optim=optim or SGD(lr=0.1, momentum=0.0),
            **rules,
        )
        self.calls: list[str] = []
        self.noted: Terms = {}
        self._built = self.configure_optimizers()

    def optimizers(self, use_pl_optimizer: bool = True) -> Any:
        return self._built

    def manual_backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        loss.backward()

    def calibrate(self, data: Any) -> None:
        self.calls.append(f"calibrate with {data}")

    def synthesize(self, batch: Batch) -> Outputs:
        self.calls.append("synthesize" if torch.is_grad_enabled() else "synthesize without graph")
        noise = self.draw("noise", lambda g, n: torch.randn(n, 3, generator=g))
        return {"fake": self.generator(noise)}

    def generator_terms(self, batch: Batch, outputs: Outputs) -> Terms:
        self.calls.append("generator")
        return {"adversarial": -self.discriminator(outputs["fake"]).mean()}

    def discriminator_terms(self, batch: Batch, outputs: Outputs) -> Terms:
        assert not outputs["fake"].requires_grad
        self.calls.append("discriminator")
        real, fake = self.discriminator(batch["image"]), self.discriminator(outputs["fake"])
        terms = {"adversarial": (fake.mean() - real.mean()).tanh()}
        if self.wants("discriminator", "lazy"):
            terms["lazy"] = self.discriminator.weight.square().sum()
        self.notes |= self.noted
        return terms

    def aim(self, wishes: Mapping[str, str]) -> None:
        pass

    def sample(self, first: int, count: int, *, seed: int, weights: Weights = "ema") -> Tensor:
        with self.kept_generator(weights) as generator:
            return generator(torch.ones(count, 3))

    def pictures(self, count: int, *, seed: int) -> dict[str, Tensor]:
        return {}

    def sample_ids(self, count: int, *, seed: int) -> list[str]:
        return [f"toy {seed}/{number}" for number in range(count)]

    def measure(
        self, protocol: Any, data: Any, *, split: str, seed: int, weights: Weights, cache_dir: Path
    ) -> dict[str, float]:
        return {}

    def describe(self) -> list[dict[str, str | int]]:
        return []

    def run(self, steps: int, batch_size: int = 8) -> list[dict[str, Tensor]]:
        """Steps on data that depends on the position alone."""
        logs = []
        for _ in range(steps):
            generator = torch.Generator().manual_seed(self.clock.images_seen)
            logs.append(self.training_step({"image": torch.randn(batch_size, 2, generator=generator)}, 0))
        return logs

    def weights(self) -> dict[str, Tensor]:
        return {name: value.clone() for name, value in self.state_dict().items()}
