from typing import Any

import pytest

from freqgan.errors import UserError
from freqgan.networks import BandGAN, connect, group_bands
from freqgan.networks.band_gans import Cascade, Grouping, Scope
from freqgan.transforms import Band, EveryLow, Fourier, Transform, WaveletTransform

ONE, TWO = WaveletTransform("haar"), WaveletTransform("haar", levels=2)
EVERY = EveryLow(TWO)


def names(gans: list[BandGAN]) -> list[str]:
    return [gan.name for gan in gans]


@pytest.mark.parametrize(
    ("transform", "grouping", "expected"),
    [
        (TWO, "band", "LL2 HL2 LH2 HH2 HL1 LH1 HH1"),
        (EVERY, "band", "LL2 HL2 LH2 HH2 LL1 HL1 LH1 HH1"),
        (TWO, "level", "LL2 HL2+LH2+HH2 HL1+LH1+HH1"),
        (EVERY, "level", "LL2 HL2+LH2+HH2 LL1 HL1+LH1+HH1"),
        (TWO, "all", "LL2+HL2+LH2+HH2+HL1+LH1+HH1"),
        (Fourier(num_classes=3), "band", "F1 F2 F3"),
        (Fourier(num_classes=3), "level", "F1 F2+F3"),
        (Fourier(num_classes=3), {"0": {"low": 2, "high": 1}}, "F1 F1#2 F2+F3"),
        # Lists: sorted by the coarsest band, inside and outside; a band in two of them has two GANs.
        (ONE, [["HH1", "HL1"], ["LL1"], ["LH1"]], "LL1 HL1+HH1 LH1"),
        (ONE, [["LL1", "HL1"], ["LL1"], ["HL1", "LH1", "HH1"]], "LL1+HL1 LL1 HL1+LH1+HH1"),
        (ONE, [["LL1"], ["LL1"], ["LL1"], ["HL1", "LH1", "HH1"]], "LL1 LL1#2 LL1#3 HL1+LH1+HH1"),
        # Counts by level: fewer than bands, more, and a level of which nothing is said.
        (EVERY, {"2": {"high": 1}, "1": {"high": 2}}, "LL2 HL2+LH2+HH2 LL1 HL1+LH1 HH1"),
        (EVERY, {"1": {"low": 3, "high": 5}}, "LL2 HL2 LH2 HH2 LL1 LL1#2 LL1#3 HL1 HL1#2 LH1 LH1#2 HH1"),
        (ONE, {"1": {"high": 6}}, "LL1 HL1 HL1#2 LH1 LH1#2 HH1 HH1#2"),
    ],
)
def test_groupings(transform: Transform, grouping: Grouping, expected: str) -> None:
    assert names(group_bands(transform.bands(32), grouping)) == expected.split()


def test_what_a_gan_makes() -> None:
    gans = {
        gan.name: gan
        for gan in group_bands(
            EVERY.bands(32), [["LL2", "LL1"], ["HL2", "LH2", "HH2", "HH1"], ["HL1", "LH1"], ["LL2"], ["LL1", "HL1"]]
        )
    }
    # Pixels of larger bands are channels at the size of the smallest.
    assert {name: (gan.shape, gan.level, gan.low) for name, gan in gans.items()} == {
        "LL2+LL1": ((3 + 4 * 3, 8, 8), 1, True),
        "LL2": ((3, 8, 8), 2, True),
        "HL2+LH2+HH2+HH1": ((3 * 3 + 4 * 3, 8, 8), 1, False),
        "LL1+HL1": ((6, 16, 16), 1, None),
        "HL1+LH1": ((6, 16, 16), 1, False),
    }


@pytest.mark.parametrize(
    ("grouping", "message"),
    [
        ([["LL1"], ["HL1"]], "model.gans leaves LH1, HH1 to no GAN: name every band at least once"),
        ([["LL1", "HL"]], "model.gans: HL is no band of this transform: did you mean HL1?"),
        ([["LL1", "HL1", "LH1", "HH1"], []], "model.gans: an empty list makes no band; leave it out"),
        ({"2": {"low": 1}}, "model.gans.2 is no level of this transform: it has 1"),
        ({"1": {"high": 0}}, "model.gans.1.high=0: wanted low or high, and at least 1"),
        ({"1": {"mid": 1}}, "model.gans.1.mid=1: wanted low or high, and at least 1"),
    ],
)
def test_impossible_groupings_are_refused(grouping: Any, message: str) -> None:
    with pytest.raises(UserError) as caught:
        group_bands(ONE.bands(32), grouping)
    assert str(caught.value) == message


def test_bands_without_a_common_size_are_refused() -> None:
    bands = [Band("LL2", 2, 0, (3, 5, 5)), Band("HL1", 1, 1, (3, 9, 9))]
    with pytest.raises(UserError, match="sizes that are no multiples of each other: LL2 5x5, HL1 9x9"):
        group_bands(bands, "all")


def seen(cascade: Cascade, *, scope: Scope, loop: bool, every: bool = False) -> dict[str, str]:
    """What each GAN sees, with what it sees later than in the first pass behind a bar."""
    bands = EVERY.bands(32)
    made = [band for band in bands if every or band.name in TWO.names]
    gans = connect(group_bands(made), bands, cascade, scope=scope, loop=loop)
    for gan in gans:
        assert set(gan.sees_first) <= set(gan.sees)
        assert loop or gan.sees_first == gan.sees
    later = {gan.name: [name for name in gan.sees if name not in gan.sees_first] for gan in gans}
    return {
        gan.name: " ".join([*gan.sees_first, *(["|", *later[gan.name]] if later[gan.name] else [])]) for gan in gans
    }


def table(*rows: str) -> dict[str, str]:
    return {name.strip(): sources.strip() for name, sources in (row.split(":") for row in rows)}


@pytest.mark.parametrize("scope", ["level", "global"])
@pytest.mark.parametrize("loop", [False, True])
def test_nobody_sees_anybody_without_a_cascade(scope: Scope, loop: bool) -> None:
    assert set(seen("none", scope=scope, loop=loop, every=True).values()) == {""}


@pytest.mark.parametrize(
    ("cascade", "loop", "expected"),
    [
        ("previous", False, ["LL2:", "HL2:LL2", "LH2:HL2", "HH2:LH2", "HL1:HH2", "LH1:HL1", "HH1:LH1"]),
        ("previous", True, ["LL2:| HH1", "HL2:LL2", "LH2:HL2", "HH2:LH2", "HL1:HH2", "LH1:HL1", "HH1:LH1"]),
        (
            "all",
            False,
            [
                *("LL2:", "HL2:LL2", "LH2:LL2 HL2", "HH2:LL2 HL2 LH2", "HL1:LL2 HL2 LH2 HH2"),
                *("LH1:LL2 HL2 LH2 HH2 HL1", "HH1:LL2 HL2 LH2 HH2 HL1 LH1"),
            ],
        ),
        (
            "all",
            True,
            [
                *("LL2:| HL2 LH2 HH2 HL1 LH1 HH1", "HL2:LL2 | LH2 HH2 HL1 LH1 HH1", "LH2:LL2 HL2 | HH2 HL1 LH1 HH1"),
                *("HH2:LL2 HL2 LH2 | HL1 LH1 HH1", "HL1:LL2 HL2 LH2 HH2 | LH1 HH1", "LH1:LL2 HL2 LH2 HH2 HL1 | HH1"),
                "HH1:LL2 HL2 LH2 HH2 HL1 LH1",
            ],
        ),
    ],
)
def test_cascades_over_all_levels(cascade: Cascade, loop: bool, expected: list[str]) -> None:
    assert seen(cascade, scope="global", loop=loop) == table(*expected)


@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize(
    ("cascade", "loop", "expected"),
    [
        ("previous", False, ["LL2:", "HL2:LL2", "LH2:HL2", "HH2:LH2", "LL1:", "HL1:LL1", "LH1:HL1", "HH1:LH1"]),
        (
            "previous",
            True,
            ["LL2:| HH2", "HL2:LL2", "LH2:HL2", "HH2:LH2", "LL1:| HH1", "HL1:LL1", "LH1:HL1", "HH1:LH1"],
        ),
        (
            "all",
            False,
            [
                *("LL2:", "HL2:LL2", "LH2:LL2 HL2", "HH2:LL2 HL2 LH2"),
                *("LL1:", "HL1:LL1", "LH1:LL1 HL1", "HH1:LL1 HL1 LH1"),
            ],
        ),
        (
            "all",
            True,
            [
                *("LL2:| HL2 LH2 HH2", "HL2:LL2 | LH2 HH2", "LH2:LL2 HL2 | HH2", "HH2:LL2 HL2 LH2"),
                *("LL1:| HL1 LH1 HH1", "HL1:LL1 | LH1 HH1", "LH1:LL1 HL1 | HH1", "HH1:LL1 HL1 LH1"),
            ],
        ),
    ],
)
def test_cascades_within_a_level(every: bool, cascade: Cascade, loop: bool, expected: list[str]) -> None:
    # The low image of a level is seen whether a GAN makes it or the coarser level alone.
    wanted = table(*(row for row in expected if every or not row.startswith("LL1")))
    assert seen(cascade, scope="level", loop=loop, every=every) == wanted


@pytest.mark.parametrize("loop", [False, True])
def test_low_images_that_no_gan_makes_are_complete_once_the_coarser_level_is(loop: bool) -> None:
    mapping = {"HL1": ["LL1", "LL2"], "LL2": ["LL1"] if loop else []}
    expected = dict.fromkeys(TWO.names, "") | {"HL1": "LL2 LL1"} | ({"LL2": "| LL1"} if loop else {})
    assert seen(mapping, scope="global", loop=loop) == expected


def test_a_mapping_counts_for_every_gan_of_a_band_and_leaves_out_its_own() -> None:
    bands = ONE.bands(32)
    gans = connect(
        group_bands(bands, [["LL1"], ["HL1", "LH1"], ["HL1"], ["HH1"]]),
        bands,
        {"HL1": ["LH1", "LL1"], "HH1": ["HL1"]},
        scope="level",
        loop=True,
    )
    assert {gan.name: gan.sees for gan in gans} == {
        "LL1": (),
        "HL1+LH1": ("LL1",),
        "HL1": ("LL1", "LH1"),
        "HH1": ("HL1",),
    }


@pytest.mark.parametrize(
    ("cascade", "message"),
    [
        ({"HL3": ["LL2"]}, "model.cascade.HL3 is no band that a GAN makes: did you mean HL2?"),
        ({"LL1": ["LL2"]}, "model.cascade.LL1 is no band that a GAN makes: did you mean LL2?"),
        ({"HL1": ["LL"]}, "model.cascade.HL1: LL is no band of this transform: did you mean LL2?"),
        ({"LL2": ["LL2"]}, "model.cascade.LL2: LL2 is made by the same GAN; name bands of others"),
        ({"HL1": ["LL2", "LH1"]}, "model.cascade.HL1: LH1 is made by the same GAN; name bands of others"),
        ({"HH2": ["HL1"]}, "model.cascade.HH2: HL1 is not made before it; set model.passes=2"),
        ({"HH2": ["LL1"]}, "model.cascade.HH2: LL1 is not made before it; set model.passes=2"),
    ],
)
def test_impossible_mappings_are_refused(cascade: Any, message: str) -> None:
    gans = group_bands(TWO.bands(32), [["LL2"], ["HL2"], ["LH2"], ["HH2"], ["HL1", "LH1"], ["HH1"]])
    with pytest.raises(UserError) as caught:
        connect(gans, EVERY.bands(32), cascade, scope="global", loop=False)
    assert str(caught.value) == message
    if "passes" in message:
        assert connect(gans, EVERY.bands(32), cascade, scope="global", loop=True)[3].sees
