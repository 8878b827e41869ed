"""Every YAML file of `conf/` composes, and fits the signatures of what it names."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import hydra
import pytest
import yaml
from omegaconf import DictConfig

from freqgan import config
from freqgan.cli import VERBS
from freqgan.config import signature, targets
from freqgan.config.schema import ROOTS, SweepRoot
from freqgan.config.stored import shipped_targets
from freqgan.vocabulary import Vocabulary, shipped_conf, summary

CONF = shipped_conf()
WORDS = Vocabulary((CONF,))
FILES = sorted(CONF.rglob("*.yaml"))
GROUPS = sorted(folder.name for folder in CONF.iterdir() if folder.is_dir())
INNER = {f"{group}/{name}": choice for group in GROUPS for name, choice in WORDS.inner_groups(group).items()}
OPTIONS = {group: list(WORDS.options(group)) for group in (*GROUPS, *INNER) if group != "hydra"}
DELTAS = [(group, option) for group in ("experiment", "debug") for option in OPTIONS[group]]
NEEDED = {
    option: ["data.root=pictures"]
    for option in (
        *("frequency_gan/folder", "image_text_encoder/folder", "staged_text_gan/cub", "staged_text_gan/coco"),
        *(f"branch_sr/{name}" for name in ("x4_small", "x4_small_gan", "x4_large")),
        *("segmenter/camvid", "label_to_image/camvid", "label_to_image/camvid_pix2pix"),
        *("label_to_image/earth", "label_to_image/earth_night"),
    )
}
ROOTS_OF = {
    **dict.fromkeys(("image_folder", "shards", "super_resolution", "side_by_side", "map_tiles"), ("root",)),
    **dict.fromkeys(("label_folder", "camvid", "cityscapes", "ade20k", "nyu", "earth"), ("root",)),
    **dict.fromkeys(("paired_folders", "unpaired_folders"), ("root", "root_b")),
}
NEEDED_BY_VERB = {
    "pack": ["root=pictures", "output=shards"],
    "edit": ["run=somewhere"],
    "upscale": ["run=somewhere", "input=photos", "output=large"],
    "translate": ["run=somewhere", "input=photos", "output=translated"],
}
# The n-th options of all groups together, until every option had its turn: composing each alone takes a minute.
NO_LEAVES = ("experiment", "debug", "sweep")


def turns(group: str) -> list[tuple[str, ...]]:
    """Every option of a group, as often as the groups that it chooses among have options."""
    found = []
    for option in OPTIONS[group]:
        content = yaml.safe_load((CONF / group / f"{option}.yaml").read_text(encoding="utf-8"))
        entries = content.get("defaults", []) if isinstance(content, dict) else []
        inner = {f"{group}/{name}" for entry in entries if isinstance(entry, dict) for name in entry} & {*INNER}
        for n in range(max((len(OPTIONS[name]) for name in inner), default=1)):
            chosen = (f"{name}={OPTIONS[name][n % len(OPTIONS[name])]}" for name in sorted(inner))
            found.append((f"{group}={option}", *chosen))
    return found


# Models that read captions, which not all data have, and one of an image at a time.
READERS = {"model=image_text_encoder", "model=staged_text_gan", "model=stacked_text_gan"}
LABELLERS = {"model=segmenter"}  # which learn label maps
LEAVES = [
    [turn for turn in turns(group) if turn[0] not in READERS | LABELLERS]
    for group in OPTIONS
    if group not in (*NO_LEAVES, *INNER, "metrics")  # which have to fit the model
]
TOGETHER = [tuple(choice for leaf in LEAVES for choice in leaf[n % len(leaf)]) for n in range(max(map(len, LEAVES)))]
READABLE = ("data=scenes", "data.image_size=64", "data.augment.caption=one")
RECTANGLES = {"data=camvid", "data=cityscapes", "data=nyu"}  # which most models refuse


@pytest.fixture(scope="module", autouse=True)
def _conf() -> Iterator[None]:
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        yield


def compose(verb: str, *overrides: str) -> DictConfig:
    return hydra.compose(verb, list(overrides))


@cache
def judged(model: str) -> tuple[str, ...]:
    """Kinds of protocols that judge what a choice of a model makes, the best one first."""
    kinds: tuple[str, ...] = targets.locate(compose("train", model).model["_target_"]).JUDGES
    return kinds


def best(choices: tuple[str, ...]) -> str:
    """The choice of the protocol that is best for the model among some choices."""
    return f"metrics={judged(next(choice for choice in choices if choice.startswith('model=')))[0]}"


def test_every_file_is_a_primary_config_or_an_option_of_a_group_of_train() -> None:
    assert sorted(file.stem for file in FILES if file.parent == CONF) == sorted(VERBS) == sorted(ROOTS)
    assert len(FILES) == sum(map(len, OPTIONS.values())) + len(VERBS) + len(WORDS.options("hydra"))
    assert {*GROUPS, *INNER} == set(WORDS.defaults("train")) - {"local"}


@pytest.mark.parametrize("group", [*GROUPS, *INNER])
def test_every_group_has_an_option(group: str) -> None:
    assert WORDS.options(group)


@pytest.mark.parametrize("verb", VERBS)
def test_the_options_that_a_primary_config_chooses_exist(verb: str) -> None:
    for group, option in WORDS.defaults(verb).items():
        assert option in (*WORDS.options(group), "stored", None) or group == "local"


@pytest.mark.parametrize("choices", TOGETHER, ids=" ".join)
def test_options_compose_and_pass_all_nets(choices: tuple[str, ...]) -> None:
    needed = [f"data.{root}=x" for data, roots in ROOTS_OF.items() if f"data={data}" in choices for root in roots]
    needed += ["data.image_size=64"] if {*choices} & RECTANGLES else []
    config.check(compose("train", *choices, best(choices), *needed))


@pytest.mark.parametrize("option", OPTIONS["metrics"])
def test_a_protocol_composes_and_passes_all_nets_with_a_model_that_it_judges(option: str) -> None:
    kind = targets.locate(compose("train", f"metrics={option}").metrics["_target_"]).KIND
    model = next(choice for choice, *_ in turns("model") if kind is None or kind in judged(choice))
    data = READABLE if model in READERS else ("data=scenes",) if model in LABELLERS else ()
    config.check(compose("train", model, *data, f"metrics={option}"))


@pytest.mark.parametrize("choices", [turn for turn in turns("model") if turn[0] in READERS], ids=" ".join)
def test_readers_of_captions_compose_and_pass_all_nets(choices: tuple[str, ...]) -> None:
    config.check(compose("train", *choices, best(choices), *READABLE))


@pytest.mark.parametrize("choices", [turn for turn in turns("model") if turn[0] in LABELLERS], ids=" ".join)
def test_what_learns_label_maps_composes_and_passes_all_nets(choices: tuple[str, ...]) -> None:
    config.check(compose("train", *choices, best(choices), "data=scenes"))


@pytest.mark.parametrize(("group", "option"), DELTAS, ids=str)
def test_delta_composes_and_passes_all_nets(group: str, option: str) -> None:
    config.check(compose("train", f"{group}={option}", *NEEDED.get(option, [])))


@pytest.mark.parametrize("sweep", OPTIONS["sweep"])
@pytest.mark.parametrize("inner", [f"{g}={option}" for g in INNER if g.startswith("sweep/") for option in OPTIONS[g]])
def test_every_way_to_sweep_composes_and_passes_its_schema(sweep: str, inner: str) -> None:
    config.check({"sweep": compose("train", f"sweep={sweep}", inner).sweep}, SweepRoot)


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "evaluate"])
def test_verb_composes_and_passes_its_root_schema(verb: str) -> None:
    needed = NEEDED_BY_VERB.get(verb, ["run=somewhere"] if "run" in ROOTS[verb].model_fields else [])
    config.check(compose(verb, *needed), ROOTS[verb])


def test_evaluate_composes_with_the_groups_of_train() -> None:
    train = WORDS.defaults("train")
    config.check(
        compose("evaluate", "run=x", f"data={train['data']}", f"metrics={train['metrics']}"),
        ROOTS["evaluate"],
    )


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(CONF).as_posix())
def test_file_says_in_its_first_line_what_it_is(file: Path) -> None:
    assert len(summary(file)) > 7


@pytest.mark.parametrize("option", WORDS.options("experiment"))
def test_experiment_is_a_short_delta_with_a_question_and_a_cost(option: str) -> None:
    lines = (CONF / "experiment" / f"{option}.yaml").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# @package _global_"
    header = " ".join(line for line in lines if line.startswith("#"))
    assert f"freqgan train experiment={option}" in header
    for word in ("Question: ", "Reference: ", "Command: ", "Cost: ", "Expected: "):
        assert word in header
    assert len([line for line in lines if line and not line.startswith("#")]) <= 25


def test_stored_configs_can_build_our_own_classes_only() -> None:
    assert {name for name in shipped_targets() if not name.startswith("freqgan.")} == set()
    assert all(isinstance(targets.locate(name), type) for name in shipped_targets())


def test_every_argument_of_every_target_can_be_checked() -> None:
    unchecked = [
        f"{name}.{parameter.name}"
        for name in sorted(shipped_targets())
        for parameter in targets.parameters(targets.locate(name)).values()
        if parameter.annotation is Any or signature._adapter(parameter.annotation) is None
    ]
    assert unchecked == []


def test_no_interpolation_but_from_paths_data_facts_name_and_seed() -> None:
    """A value that is configured twice would drift; a value computed in YAML would be a program."""
    allowed = {"paths", "data", "name", "tags", "seed", "oc.env"}
    for file in FILES:
        text = yaml.dump(yaml.safe_load(file.read_text(encoding="utf-8")))
        for reference in text.split("${")[1:]:
            name = reference.split("}")[0].split(":")[0]
            assert name.split(".")[0] in allowed or name in allowed, f"{file}: {name}"


@pytest.mark.parametrize("path", sorted((CONF / "model").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_gradient_penalty_weighs_as_much_as_the_loss_that_lambda_is_relative_to(path: Path) -> None:
    terms = yaml.safe_load(path.read_text()).get("terms", {}).get("discriminator") or {}
    assert terms.get("gradient_penalty") == (terms["adversarial"] if "gradient_penalty" in terms else None)
