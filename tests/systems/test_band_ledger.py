"""What is noted of every band beside its losses, against values by hand."""

from functools import partial
from pathlib import Path

import pytest
import torch

from freqgan.networks import DCGANDiscriminator
from freqgan.networks.band_generators import Teacher
from freqgan.ops.global_batch import rank, world_size
from freqgan.systems.band_ledger import EVERY_STEPS, band_statistics
from freqgan.systems.batches import detached
from tests.forked import on_ranks
from tests.systems.small import batch, names, ready, system, two_levels
from tests.systems.stepping import NORMS

# gloo's threads start only in the forked processes.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


def test_energy_is_a_ratio_and_distance_is_in_deviations_of_the_real_values() -> None:
    real = torch.tensor([0.0, 2.0, 4.0, 6.0]).view(1, 1, 2, 2)
    fake = (real.flip(3) + 3).requires_grad_()  # every value shifted by 3, in another order
    found = {name: float(value) for name, value in band_statistics({"HH1": real}, {"HH1": fake})}
    assert found["bands/HH1/energy"] == pytest.approx((9 + 25 + 49 + 81) / (4 + 16 + 36))
    assert found["bands/HH1/distance"] == pytest.approx(3 / float(real.std()))
    equal = {name: float(value) for name, value in band_statistics({"HH1": real}, {"HH1": real.flip(2)})}
    assert equal == {"bands/HH1/energy": 1.0, "bands/HH1/distance": 0.0}


def test_bands_are_compared_over_the_rows_of_all_processes(tmp_path: Path) -> None:
    real = torch.randn(4, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    fake = real.roll(1, 0) * torch.tensor([0.5, 1.0, 2.0, 3.0]).view(4, 1, 1, 1)

    def statistics() -> dict[str, float]:
        rows = slice(2 * rank(), 2 * rank() + 2) if world_size() == 2 else slice(4)
        return {name: float(value) for name, value in band_statistics({"LL1": real[rows]}, {"LL1": fake[rows]})}

    assert on_ranks(2, tmp_path, statistics) == [pytest.approx(statistics())] * 2


def test_large_bands_are_compared_by_a_part_of_their_values() -> None:
    real = torch.randn(8, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    found = {name: float(value) for name, value in band_statistics({"LL1": real}, {"LL1": real + 0.5})}
    assert found["bands/LL1/distance"] == pytest.approx(0.5, rel=0.01)


def test_the_part_holds_every_column() -> None:
    real = torch.randn(256, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    found = {name: float(value) for name, value in band_statistics({"LL1": real}, {"LL1": real * torch.arange(64)})}
    assert found["bands/LL1/distance"] > 10


def test_rows_of_the_ledger_come_with_the_first_of_every_so_many_steps() -> None:
    built = system()
    expected = {f"bands/{name}/{what}" for name in names(built) for what in ("energy", "distance")}
    terms = {f"{player}/{name}/adversarial" for player in built.players() for name in names(built)}
    terms |= {f"bands/{name}/accuracy" for name in names(built)}
    assert built.training_step(batch(), 0).keys() - NORMS == terms | expected
    assert built.training_step(batch(), 0).keys() - NORMS == terms
    built.clock.steps = EVERY_STEPS
    log = built.training_step(batch(), 0)
    assert log.keys() - NORMS == terms | expected
    assert not any(value.requires_grad for value in log.values())


def test_weights_between_generators_of_one_band_are_noted() -> None:
    built = system(two_levels(), gans=[["LL2"], ["HL2", "LH2", "HH2"], ["LL1"], ["HL1", "LH1", "HH1"], ["HL1"]])
    expected = {
        f"bands/{band}/share_{i}": float(share)
        for band, logits in built.generators.shares.items()
        for i, share in enumerate(logits.detach().softmax(0))
    }
    log = built.training_step(batch(), 0)
    assert {name: float(value) for name, value in log.items() if "share" in name} == pytest.approx(expected)
    assert len(expected) == 2 * 2


def test_the_gap_is_noted_where_generators_are_taught_with_real_bands_alone() -> None:
    whole = partial(DCGANDiscriminator, channels=4, norm="none")
    built = system(cascade_real={"start": 0.5, "end": 0.0}, norm="batch", image_discriminator=whole)
    state = {name: value.clone() for name, value in built.state_dict().items()}
    outputs = detached(ready(built))
    built.load_state_dict(state)  # the step itself moved running statistics
    found = dict(built.ledger.gaps(outputs, ()))
    assert all(torch.equal(built.state_dict()[name], value) for name, value in state.items())
    assert built.generator.training
    assert built.game.judges.training
    built.eval()
    logits = []
    for teacher, seen in ((Teacher(outputs["real"]), outputs["real"]), (None, None)):
        bands = built.generators(outputs["noise"], teacher=teacher)
        made = {"fake": bands, "seen": seen or bands, "image": built.generators.bands.image(bands)}
        logits.append(built.game.logits(outputs | made, "fake", ()))
    assert found.keys() == {f"bands/{name}/gap" for name in (*names(built), "whole")}
    for name in (*names(built), "whole"):
        expected = logits[0][name].mean() - logits[1][name].mean()
        torch.testing.assert_close(found[f"bands/{name}/gap"], expected)
    assert found["bands/LL1/gap"] == 0, "it sees no other band"
    assert found["bands/HH1/gap"] != 0
    built.train()
    assert "bands/HH1/gap" in built.training_step(batch(), 0)
    assert not any("gap" in name for name in system().training_step(batch(), 0))
