from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from freqgan.networks import BandDiscriminators, DCGANDiscriminator, connect, group_bands, joined_bands
from freqgan.networks.joined_bands import context_image
from freqgan.transforms import EveryLow, WaveletTransform

BANDS = EveryLow(WaveletTransform("haar", levels=2)).bands(16, 2)
SHAPES = {band.name: band.shape for band in BANDS}


def discriminators(cascade: Any = "previous", *, gans: Any = "band", norm: Any = "batch", **options: Any) -> Any:
    torch.manual_seed(0)
    connected = connect(group_bands(BANDS, gans), BANDS, cascade, scope="global", loop=False)
    make = partial(DCGANDiscriminator, channels=4, norm=norm)
    network = BandDiscriminators(connected, SHAPES, discriminator=make, **options).double()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, 0, 0.3)
    return network


def bands_of(*, batch: int = 3) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {name: torch.randn(batch, *shape, generator=generator).double() for name, shape in SHAPES.items()}


def logits_of(network: BandDiscriminators, bands: dict[str, Tensor], seen: dict[str, Tensor] | None = None) -> Any:
    return network(network.inputs_of(bands), network.contexts_of(bands if seen is None else seen))


def pairs(network: BandDiscriminators) -> Any:
    """Every network with the names of the GANs in it."""
    return zip(network.networks, network.members, strict=True)


def changed(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    return {name for name in before if not torch.equal(before[name], after[name])}


@pytest.mark.parametrize("cascade", ["none", "previous", {"HH1": ["LL2", "HL1"], "HH2": ["LL2"]}])
@pytest.mark.parametrize("sees_context", [True, False])
def test_a_discriminator_sees_what_its_generator_saw(cascade: Any, sees_context: bool) -> None:
    network = discriminators(cascade, sees_context=sees_context)
    bands, sees = bands_of(), {name: gan.sees for name, gan in network.gans.items()}
    before = logits_of(network, bands)
    assert {name: logits.shape for name, logits in before.items()} == dict.fromkeys(SHAPES, (3,))
    for name in SHAPES:
        moved = bands | {name: bands[name] + 1}
        seen_by = {other for other in SHAPES if sees_context and name in sees[other]}
        assert changed(before, logits_of(network, bands, moved)) == seen_by
        assert changed(before, logits_of(network, moved, bands)) == {name}


def test_discriminators_of_one_size_are_one_network() -> None:
    network = discriminators()
    assert network.members == [["LL2", "HL2", "LH2", "HH2"], ["LL1", "HL1", "LH1", "HH1"]]
    assert [len(one.first) for one in network.networks] == [4, 4]
    assert [layer.in_channels for layer in network.networks[0].first] == [2, 4, 4, 4]  # the first one sees nothing


def test_apart_keeps_low_and_high_bands_in_networks_of_their_own() -> None:
    network = discriminators(apart=True)
    assert network.members == [["LL2"], ["HL2", "LH2", "HH2"], ["LL1"], ["HL1", "LH1", "HH1"]]
    bands = bands_of()
    everything = logits_of(network, bands)
    lows = {name: image for name, image in network.inputs_of(bands).items() if network.gans[name].low}
    assert lows.keys() == {"LL2", "LL1"}
    alone = network(lows, network.contexts_of(bands))
    assert alone.keys() == lows.keys()
    assert not changed(alone, everything)


def test_low_bands_may_have_networks_of_their_own_width() -> None:
    network = discriminators(apart=True, low={"channels": 6})
    widths = {name: one.first[0].out_channels for one, names in pairs(network) for name in names}
    assert widths == {name: 6 if gan.low else 4 for name, gan in network.gans.items()}
    assert logits_of(network, bands_of()).keys() == set(SHAPES)


def test_together_is_one_by_one() -> None:
    network = discriminators(norm="spectral").eval()
    bands = bands_of()
    logits, contexts = logits_of(network, bands), network.contexts_of(bands)
    for one, names in pairs(network):
        for i, name in enumerate(names):
            seen = network.gans[name].sees
            context = context_image(bands, seen, network.gans[name].shape[1:])
            assert (context is None) == (contexts[name] is None) == (not seen)
            image = bands[name] if context is None else torch.cat([bands[name], context], 1)
            others = [torch.zeros(3, layer.in_channels, *image.shape[2:]).double() for layer in one.first]
            torch.testing.assert_close(one(*others[:i], image, *others[i + 1 :])[:, i], logits[name])


def test_bands_of_one_gan_are_one_image() -> None:
    network = discriminators("none", gans=[["LL2", "LL1"], ["HL2", "LH2", "HH2"], ["HL1", "LH1", "HH1"]])
    bands = bands_of()
    inputs = network.inputs_of(bands)
    assert {name: image.shape[1:] for name, image in inputs.items()} == {
        "LL2+LL1": (10, 4, 4),
        "HL2+LH2+HH2": (6, 4, 4),
        "HL1+LH1+HH1": (6, 8, 8),
    }
    assert all(torch.equal(image, joined_bands(network.gans[name], bands)) for name, image in inputs.items())
    before = logits_of(network, bands)
    assert changed(before, logits_of(network, bands | {"LH1": bands["LH1"] + 1})) == {"HL1+LH1+HH1"}


def test_the_whole_image_has_a_discriminator_of_its_own() -> None:
    make = partial(DCGANDiscriminator, channels=4)
    network = discriminators(image=make, image_shape=(2, 16, 16), feature_dim=5, condition_dim=3)
    bands, features = bands_of(), torch.randn(3, 5).double()
    contexts, image = network.contexts_of(bands), torch.randn(3, 2, 16, 16).double()
    inputs = network.inputs_of(bands)
    assert network.WHOLE not in network(inputs, contexts, features=features)
    before = network(inputs | {network.WHOLE: image}, contexts, features=features)
    assert before[network.WHOLE].shape == (3,)
    after = network(inputs | {network.WHOLE: image + 1}, contexts, features=features)
    assert changed(before, after) == {network.WHOLE}


def test_features_are_a_condition_of_every_band() -> None:
    network = discriminators(feature_dim=5, condition_dim=3)
    bands, features = bands_of(), torch.randn(3, 5).double()
    inputs, contexts = network.inputs_of(bands), network.contexts_of(bands)
    before = network(inputs, contexts, features=features)
    assert changed(before, network(inputs, contexts, features=features.flip(1))) == set(SHAPES)
    sum(logits.sum() for logits in before.values()).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.condition.parameters())


def test_contexts_are_as_exact_as_the_images() -> None:
    network, bands = discriminators().float(), {name: band.float() for name, band in bands_of().items()}
    mixed = network(network.inputs_of(bands), network.contexts_of({name: b.double() for name, b in bands.items()}))
    assert not changed(mixed, logits_of(network, bands))


def test_parameters_are_shared_out() -> None:
    network = discriminators("none")
    assert sum(map(network.parameters_of, SHAPES)) == sum(p.numel() for p in network.parameters())
