import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, TypedDict, Unpack

import pytest
import torch
import yaml
from omegaconf import OmegaConf

from freqgan import config, networks
from freqgan.config import rules, signature
from freqgan.config.schema import Runs, Train, root_problems
from freqgan.config.signature import node_problems
from freqgan.config.stored import shipped_targets
from freqgan.config.targets import TargetError, locate, parameters
from freqgan.errors import UserError
from freqgan.limits import Count
from freqgan.systems.rules import Phase


class Override(TypedDict, total=False):
    lr: float
    betas: tuple[float, float]


class Rules(TypedDict, total=False):
    clip: float | None
    n_critic: int


class Transform:
    def __init__(self, *, levels: int = 1) -> None:
        self.levels = levels

    def bands(self, size: tuple[int, int]) -> tuple[()]:
        if size[0] % 2**self.levels:
            raise UserError(f"transform.levels={self.levels} does not divide {size[0]}")
        return ()


class Loss:
    def __init__(self, *, smoothing: float = 0.0) -> None:
        if smoothing > 1:
            raise UserError(f"loss.smoothing={smoothing} is more than 1: set loss.smoothing=0.9")


class Optim:
    def __init__(self, *, lr: float = 2e-4, generator: Override | None = None, fused: bool = True) -> None:
        self.lr = lr


class Model:
    def __init__(
        self,
        *,
        transform: Transform,
        loss: Loss,
        network: Callable[..., torch.nn.Module],
        norm: Literal["batch", "none"] = "batch",
        cascade: Literal["none", "all"] | Mapping[str, list[str]] = "all",
        widths: tuple[int, int] = (1, 2),
        layers: list[torch.nn.Module] | None = None,
        folder: Path | str = ".",
        stages: Count = 2,
        channels: Count | Sequence[Count] = 8,
        **rules: Unpack[Rules],
    ) -> None:
        self.transform, self.loss, self.rules = transform, loss, rules
        self.net = network(3, 4, 1)


class Staged:
    def __init__(self, *, phases: list[Phase]) -> None: ...


class Source:
    def __init__(self, *, root: str, split: Literal["train", "val"] = "train") -> None: ...


class Folder(Source):
    def __init__(self, *, depth: int = 1, **settings: Any) -> None: ...


class Plain(torch.nn.Module):
    pass


def anything(**extra: Any) -> dict[str, Any]:
    return extra


@pytest.fixture(autouse=True)
def example(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("example")
    for thing in (Transform, Loss, Optim, Model, Staged, Folder, Plain, anything):
        setattr(module, thing.__name__, thing)
    monkeypatch.setitem(sys.modules, "example", module)
    monkeypatch.setattr(signature, "KINDS", {"model": "example.Model"})


NETWORK = {"_target_": "torch.nn.Conv2d", "_partial_": True, "padding": 1}


def model(**changes: Any) -> dict[str, Any]:
    return {"_target_": "example.Model", "network": NETWORK} | changes


def root(**changes: Any) -> dict[str, Any]:
    return {
        "data": {"_target_": "example.anything", "image_size": 32, "batch_size": 16},
        "model": model(),
        "transform": {"_target_": "example.Transform", "levels": 2},
        "loss": {"_target_": "example.Loss"},
        "optim": {"_target_": "example.Optim", "lr": 1e-3},
        "hardware": {"_target_": "example.anything"},
        "paths": {"output_dir": "outputs", "cache_dir": "cache"},
        "name": "a",
        "group": None,
        "job_type": "train",
        "tags": [],
        "seed": 0,
        "budget": {"images": 100, "minutes": None},
        "evaluation": {"every_images": None, "at_start": "none"},
        "samples": {"every_images": None, "count": 4},
        "checkpoint": {"every_images": None, "keep": 1, "milestones_every_images": None},
        "log_every_steps": 50,
        "on_divergence": "stop",
        "rollback": {"most": 3, "lr_factor": 0.5},
        "resume": None,
        "resume_override": [],
    } | changes


def nodes(value: Any) -> list[str]:
    return [path + text for path, text in node_problems(value, given={"model": ("transform", "loss")})]


# Names and objects


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("example.Optm", "example has no Optm, did you mean example.Optim?"),
        ("torch.nn.Convv2d", "did you mean torch.nn.Conv2d?"),
        ("exampel.Optim", "there is no such package"),
        ("example.Optim.lrr", "example.Optim has no lrr"),
        ("math.pi", "wanted a class or a function"),
        ("", "wanted a dotted name"),
    ],
)
def test_locate_says_why_a_name_leads_nowhere(name: str, reason: str) -> None:
    with pytest.raises(TargetError, match=reason.replace("?", r"\?")):
        locate(name)


def test_locate_names_the_package_that_a_module_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lacking_module.py").write_text("import not_installed_anywhere\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(TargetError, match="the package not_installed_anywhere is not installed"):
        locate("lacking_module.Thing")


def test_locate_does_not_hide_a_broken_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_module.py").write_text("from math import no_such_function\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportError, match="no_such_function"):
        locate("broken_module.Thing")


def test_build_makes_nested_nodes_and_keeps_plain_values_plain() -> None:
    built = config.build(
        {
            "_target_": "example.anything",
            "one": {"_target_": "example.Optim", "lr": 0.5},
            "many": [{"_target_": "example.Loss"}, 3],
            "mapping": {"deep": {"_target_": "torch.nn.Identity"}, "text": "x"},
        }
    )
    assert isinstance(built["one"], Optim)
    assert built["one"].lr == 0.5
    assert isinstance(built["many"][0], Loss)
    assert built["many"][1] == 3
    assert isinstance(built["mapping"]["deep"], torch.nn.Identity)
    assert type(built["mapping"]) is dict


def test_build_passes_parts_by_identity_and_lets_them_win() -> None:
    part: list[int] = []
    built = config.build({"_target_": "example.anything", "x": 1, "y": 2}, x=part)
    assert built["x"] is part
    assert built["y"] == 2


def test_build_leaves_the_call_of_a_partial_node_to_the_receiver() -> None:
    make = config.build({"_target_": "fractions.Fraction", "_partial_": True, "_args_": [6]})
    assert make(4) == 1.5


def test_build_lets_the_exception_of_a_nested_constructor_out_as_it_is() -> None:
    with pytest.raises(UserError, match="smoothing"):
        config.build({"_target_": "example.anything", "loss": {"_target_": "example.Loss", "smoothing": 2.0}})


def test_build_model_gives_only_the_parts_that_its_constructor_names() -> None:
    transform = Transform()
    built = config.build_model(root(), transform=transform, n_critic=5, clock="not a parameter")
    assert built.transform is transform
    assert isinstance(built.loss, Loss)
    assert built.rules == {"n_critic": 5}


# Signatures


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"nrom": "none"}, "model.nrom is unknown to example.Model: did you mean model.norm?"),
        ({"norm": "bach"}, "model.norm=bach: wanted one of batch, none, did you mean batch? (default batch)"),
        ({"norm": None}, "model.norm=null: wanted one of batch, none (default batch)"),
        ({"norm": ""}, "model.norm=(nothing): wanted one of batch, none (default batch)"),
        ({"cascade": "al"}, "model.cascade=al: wanted one of none, all, did you mean all? or a mapping"),
        ({"cascade": {"LL": [1]}}, "model.cascade.LL.0=1: wanted text: quote it twice, '\"1\"'"),
        ({"widths": [1, 2.5]}, "model.widths.1=2.5: wanted a whole number"),
        ({"widths": [1, 2, 3]}, "model.widths=[1, 2, 3]: wanted"),
        ({"widths": 3}, "model.widths=3: wanted a list (default (1, 2))"),
        ({"folder": 3}, "model.folder=3: wanted text: quote it twice"),
        ({"n_critic": 1e3}, "model.n_critic=1000.0: wanted a whole number: write 1000"),
        ({"n_critic": True}, "model.n_critic=true: wanted a whole number"),
        ({"clip": "1"}, "model.clip=1: wanted a number"),
        ({"stages": 0}, "model.stages=0: wanted at least 1 (default 2)"),
        ({"stages": {"_target_": "os.getcwd"}}, "model.stages: wanted int, os.getcwd builds something else"),
        ({"channels": -4}, "model.channels=-4: wanted at least 1 or a list (default 8)"),
        ({"channels": [4, 0]}, "model.channels.1=0: wanted at least 1"),
        ({"n_critc": 1}, "model.n_critc is unknown to example.Model: did you mean model.n_critic?"),
        ({"network": "conv"}, "model.network=conv: wanted an object, given by _target_"),
        ({"transform": None}, "model.transform=null: wanted an object, given by _target_"),
        (
            {"network": NETWORK | {"paddin": 1}},
            "model.network.paddin is unknown to torch.nn.Conv2d: did you mean",
        ),
        (
            {"network": {"_target_": "torch.nn.Conv2"}},
            "model.network._target_=torch.nn.Conv2: torch.nn has no Conv2",
        ),
        (
            {"layers": [{"_target_": "example.Loss"}]},
            "model.layers.0: wanted Module, example.Loss builds something",
        ),
        ({"n_critic": {"_target_": "os.getcwd"}}, "model.n_critic: wanted int, os.getcwd builds something else"),
        ({"widths": {"_target_": "example.Loss", "_partial_": True}}, "model.widths: wanted "),
        (
            {"norm": {"_target_": "os.getcwd"}},
            "model.norm: wanted Literal['batch', 'none'], os.getcwd builds something else",
        ),
        ({"clip": float("nan")}, "model.clip=nan: wanted a number"),
        ({"_args_": [1]}, "model._args_.0 is one too many: it takes 0 positional arguments"),
        ({"_recursive_": False}, "model._recursive_ is unknown to example.Model"),
    ],
)
def test_signature_names_each_mistake_with_its_path(changes: dict[str, Any], line: str) -> None:
    found = nodes({"model": model(**changes)})
    assert [text for text in found if text.startswith(line)], found
    assert len(found) == 1, found


@pytest.mark.parametrize(
    "changes",
    [
        {"norm": "none", "widths": [3, 4], "folder": "x", "clip": 1, "n_critic": 5},
        {"stages": 1, "channels": [1, 9]},
        {"clip": None, "layers": None, "cascade": {"LL": ["HL", "LH"]}},
        {"layers": [{"_target_": "torch.nn.Identity"}]},
        {"network": {"_target_": "example.anything", "whatever": 1}},
    ],
)
def test_signature_accepts_what_fits(changes: dict[str, Any]) -> None:
    assert nodes({"model": model(**changes)}) == []


def test_signature_asks_for_what_is_required_unless_it_is_given_or_partial() -> None:
    linear = {"_target_": "torch.nn.Linear", "in_features": 3}
    assert nodes(linear) == ["out_features is missing: torch.nn.Linear needs it, set out_features=<int>"]
    assert nodes(linear | {"_partial_": True}) == []
    assert nodes({"_target_": "torch.nn.Linear", "_args_": [3, 4]}) == []
    assert nodes({"other": model()}) == [
        "other.transform is missing: example.Model needs it, set other.transform=<Transform>",
        "other.loss is missing: example.Model needs it, set other.loss=<Loss>",
    ]


def test_widths_of_every_network_are_at_least_one() -> None:
    of_networks = [
        (f"freqgan.networks.{name}", setting)
        for name in networks.__all__
        if isinstance(getattr(networks, name), type)
        for setting in parameters(getattr(networks, name))
        if setting.endswith("channels") and setting != "context_channels"
    ]
    assert len(of_networks) > 40
    for target, setting in of_networks:
        assert any(
            line.startswith(f"{setting}=-1: wanted at least 1") for line in nodes({"_target_": target, setting: -1})
        )


@pytest.mark.parametrize(
    ("target", "setting", "value", "limit"),
    [
        ("networks.TextGenerator", "upsamplings", -1, "at least 0"),
        ("networks.TextGenerator", "residuals", -1, "at least 0"),
        ("networks.MultiScaleDiscriminator", "layers", 0, "at least 1"),
        ("networks.CoarseToFine", "enhancers", [2, -1], "at least 0"),
        ("networks.UNet", "halvings", 0, "at least 1"),
        ("networks.UNet", "dropout", 1.0, "less than 1"),
        ("networks.ResNetGenerator", "blocks", -1, "at least 0"),
        ("networks.SmallSegmenter", "halvings", 1, "at least 2"),
        ("losses.FocalFrequencyLoss", "alpha", -1.0, "at least 0"),
        ("losses.PerceptualLoss", "layers", {"conv1": -0.5}, "at least 0"),
        ("text.LSTMEncoder", "max_words", 0, "at least 1"),
        ("text.PretrainedEncoder", "max_words", 0, "at least 1"),
        ("systems.StagedTextGAN", "captions", 0, "at least 1"),
        ("systems.SuperResolution", "examples", 0, "at least 1"),
        ("systems.UnpairedTranslation", "pool", -1, "at least 0"),
        ("systems.LabelToImage", "max_instances", 0, "at least 1"),
        ("systems.FrequencyGAN", "passes", 0, "at least 1"),
        ("systems.FrequencyGAN", "companding", -1.0, "at least 0"),
        ("systems.FrequencyGAN", "n_critic", 0, "at least 1"),
        ("systems.FrequencyGAN", "every", {"r1": 0}, "at least 1"),
        ("systems.FrequencyGAN", "weight_clip", 0.0, "greater than 0"),
        ("systems.FrequencyGAN", "ema_halflife", -1.0, "at least 0"),
        ("systems.FrequencyGAN", "phases", [{"optim": {"decay_from": 1.0}}], "less than 1"),
        ("systems.Blend", "initial", 1.5, "at most 1"),
        ("systems.SGD", "decay_from", -0.1, "at least 0"),
        ("systems.SGD", "generator", {"lr": -1.0}, "at least 0"),
        ("systems.Adam", "betas", [0.5, 1.0], "less than 1"),
        ("data.DataModule", "worker_timeout", 0, "at least 1"),
        ("data.DataModule", "crops_per_image", 0, "at least 1"),
        ("data.DataModule", "val_fraction", 1.0, "less than 1"),
        ("data.AlignedCrops", "scale", 0, "at least 1"),
        ("data.DomainCrops", "zoom", 0.5, "at least 1"),
        ("data.DomainCrops", "jitter", 1.0, "less than 1"),
        ("data.Scenes", "gap", 1.5, "at most 1"),
        ("data.EarthTiles", "stride", 0, "at least 1"),
        ("data.ImageFolder", "max_pixels", 0, "at least 1"),
        ("data.degradations.Sized", "scale", 0, "at least 1"),
        ("data.degradations.Sometimes", "probability", 1.5, "at most 1"),
        ("metrics.RestorationProtocol", "crop", -1, "at least 0"),
        ("metrics.TranslationProtocol", "num_images", 1, "at least 2"),
        ("metrics.GenerationProtocol", "kid_subset_size", 1, "at least 2"),
        ("metrics.TextToImageProtocol", "negatives", 0, "at least 1"),
        ("callbacks.Plateau", "patience", 0, "at least 1"),
        ("callbacks.Equilibrium", "tolerance", 0.5, "less than 0.5"),
        ("callbacks.Equilibrium", "images", 9, "at least 10"),
        ("callbacks.CollapseMonitor", "count", 1, "at least 2"),
        ("hardware.Hardware", "devices", 0, "at least 1"),
        ("hardware.Hardware", "timeout_minutes", 0.0, "greater than 0"),
        ("sweeps.Local", "slots", 0, "at least 1"),
        ("sweeps.Optuna", "n_trials", 0, "at least 1"),
    ],
)
def test_numbers_are_held_against_their_limits(target: str, setting: str, value: Any, limit: str) -> None:
    lines = [line for line in nodes({"_target_": f"freqgan.{target}", setting: value}) if line.startswith(setting)]
    assert len(lines) == 1
    assert f": wanted {limit}" in lines[0]


def test_signature_closes_typed_dictionaries() -> None:
    node = {"_target_": "example.Optim", "generator": {"lrr": 1.0, "betas": [0, "x"]}}
    assert nodes({"optim": node}) == [
        "optim.generator.betas.1=x: wanted a number",
        "optim.generator.lrr is unknown: did you mean optim.generator.lr?",
    ]


def test_signature_closes_typed_dictionaries_in_lists() -> None:
    phases = [{"until": 0.5, "load": {"rn": "x"}}, {"til": 1, "optim": {"lrr": 1.0}, "frozen": "generator"}]
    assert nodes({"phases": {"_target_": "example.Staged", "phases": phases}}) == [
        "phases.phases.0.load.rn is unknown: did you mean phases.phases.0.load.run?",
        "phases.phases.1.frozen=generator: wanted a list",
        "phases.phases.1.optim.lrr is unknown: did you mean phases.phases.1.optim.lr?",
        "phases.phases.1.til is unknown: did you mean phases.phases.1.until?",
    ]


def test_signature_follows_settings_to_the_base_class() -> None:
    folder = {"_target_": "example.Folder", "root": "x", "depth": 2, "split": "val"}
    assert nodes(folder) == []
    assert nodes(folder | {"splt": "val", "split": "vall"}) == [
        "split=vall: wanted one of train, val, did you mean val? (default train)",
        "splt is unknown to example.Folder: did you mean split?",
    ]
    assert nodes({"_target_": "example.Folder"}) == ["root is missing: example.Folder needs it, set root=<str>"]


def test_signature_of_a_module_without_constructor_is_empty() -> None:
    assert nodes({"_target_": "example.Plain", "x": 1}) == [
        "x is unknown to example.Plain: there is nothing to choose from"
    ]


def test_signature_collects_all_mistakes_of_all_nodes() -> None:
    found = nodes(
        {
            "model": model(norm="x", widths=1, loss={"_target_": "example.Los"}),
            "optim": {"_target_": "example.Optim", "lr": "", "lrr": 1},
        }
    )
    assert [line.split("=")[0].split(" ")[0] for line in found] == [
        "model.norm",
        "model.widths",
        "model.loss._target_",
        "optim.lr",
        "optim.lrr",
    ]


# Root and rules


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"seed": -1}, "seed=-1: wanted at least 0"),
        ({"seed": 1.5}, "seed=1.5: wanted a whole number"),
        ({"sed": 1}, "sed is unknown: did you mean seed?"),
        ({"lr": 1}, "lr is unknown: did you mean optim.lr?"),
        (
            {"budget": {"images": 1, "minutes": None, "batch_size": 3}},
            "budget.batch_size is unknown: did you mean data.",
        ),
        ({"name": "../x"}, "name=../x: wanted letters, digits, '-', '_' and '.' only: it names a folder"),
        ({"name": ".."}, "name=..: wanted at most 100 characters, the first one a letter or a digit"),
        ({"name": 3}, "name=3: wanted text: quote it twice, '\"3\"'"),
        ({"tags": "x"}, "tags=x: wanted a list"),
        ({"budget": {"imges": 1, "minutes": 0.0}}, "budget.imges is unknown: did you mean budget.images?"),
        ({"budget": {"imges": 1, "minutes": 0.0}}, "budget.minutes=0.0: wanted greater than 0"),
        ({"budget": {"imges": 1, "minutes": 0.0}}, "budget.images is missing: set budget.images=<value>"),
        (
            {"budget": {"images": 1e6, "minutes": None}},
            "budget.images=1000000.0: wanted a whole number: write 1000000",
        ),
        (
            {"evaluation": {"every_images": None, "at_start": "smal"}},
            "evaluation.at_start=smal: wanted one of full,",
        ),
        (
            {"samples": {"every_images": None, "count": 4096}},
            "samples.count=4096: wanted at most 1024",
        ),
        ({"model": "frequency_gan"}, "model=frequency_gan: wanted a mapping of keys to values"),
    ],
)
def test_root_names_each_mistake_with_its_path(changes: dict[str, Any], line: str) -> None:
    found = [path + text for path, text in root_problems(root(**changes), Train)]
    assert [text for text in found if text.startswith(line)], found


def test_root_accepts_a_whole_config() -> None:
    assert list(root_problems(root(), Train)) == []


def test_check_collects_unset_unresolved_unknown_and_mistyped_values_in_one_error() -> None:
    cfg = OmegaConf.create(root(seed="${nowhere.seed}", optim={"_target_": "example.Optim", "lr": "", "lrr": 1}))
    cfg.data.root = "???"
    cfg.extra = 1
    with pytest.raises(UserError) as caught:
        config.check(cfg)
    assert [line.split("=")[0].split(" ")[0] for line in caught.value.lines] == [
        "data.root",
        "extra",
        "optim.lr",
        "optim.lrr",
        "seed",
    ]
    assert "data.root has to be set: data.root=<value>" in caught.value.lines


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"model": {"_target_": "example.Loss"}}, "model: wanted Model, example.Loss builds something else"),
        ({"model": {"_target_": "builtins.dict"}}, "model: wanted Model, builtins.dict builds something else"),
        ({"model": {"norm": "none"}}, "model={'norm': 'none'}: wanted a mapping with _target_: choose an option of"),
        ({"stop": {"patience": 2}}, "stop={'patience': 2}: wanted a mapping with _target_: choose an option of"),
    ],
)
def test_check_asks_every_group_for_its_kind(changes: dict[str, Any], line: str) -> None:
    with pytest.raises(UserError) as caught:
        config.check(root(**changes))
    assert any(found.startswith(line) for found in caught.value.lines), caught.value.lines


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"budget": {"images": None, "minutes": None}}, "budget.images and budget.minutes are both null"),
        (
            {"budget": {"images": 15, "minutes": None}},
            "budget.images=15 is less than the one batch of data.batch_size=16",
        ),
        ({"resume_override": ["optim.lr"]}, "resume_override needs a run to resume"),
        (
            {"transform": {"_target_": "example.Transform", "levels": 6}},
            "transform.levels=6 does not divide 32",
        ),
        ({"loss": {"_target_": "example.Loss", "smoothing": 2.0}}, "loss.smoothing=2.0 is more than 1"),
        (
            {
                "data": {
                    "_target_": "example.anything",
                    "augment": {"_target_": "freqgan.data.AlignedCrops", "image_size": 30, "scale": 4},
                }
            },
            "data.image_size=30 is not divisible by data.scale=4: set data.image_size=28",
        ),
    ],
)
def test_check_holds_the_rules_between_fields(changes: dict[str, Any], line: str) -> None:
    with pytest.raises(UserError) as caught:
        config.check(root(**changes))
    assert [text for text in caught.value.lines if text.startswith(line)] == list(caught.value.lines)


@pytest.mark.parametrize(
    ("generator", "fix"),
    [({"scales": [1, 2, 4]}, "model.generator.scales=[1,2]"), ({"scale": 4}, "model.generator.scale=2")],
)
def test_data_and_model_are_of_one_scale(generator: dict[str, Any], fix: str) -> None:
    def problems(scale: int | None, **model: Any) -> list[str]:
        return [*rules.scales_agree({"model": model, "data": {"augment": {"scale": scale} if scale else None}})]

    wrong = "data.scale=2, and the model enlarges by 4: set data.scale=4 or "
    assert problems(2, generator=generator) == [wrong + fix]
    assert problems(4, generator=generator) == problems(None, generator=generator) == problems(1) == []
    (of_one_size,) = problems(1, generator={"scales": [1, 2]})
    assert of_one_size.endswith("set data.scale=2 or model.generator.scales=[1]")


@pytest.mark.parametrize("resume", [None, "auto"])
def test_runs_that_a_phase_loads_are_there_when_a_run_begins(tmp_path: Path, resume: str | None) -> None:
    phases = [{"load": {"run": str(tmp_path)}}, {"load": None}, {"load": {"run": "nowhere"}}]
    problems = list(rules.phases_load_what_is_there({"model": {"phases": phases}, "resume": resume}))
    lack = "model.phases.2.load.run=nowhere is not there: name a run directory or a checkpoint file"
    assert problems == ([lack] if resume is None else [])


def test_check_builds_the_model_on_the_meta_device_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    built = []
    monkeypatch.setattr(Model, "__setattr__", lambda self, name, value: built.append((name, value)))
    config.check(root())
    [network] = [value for name, value in built if name == "net"]
    assert {parameter.device.type for parameter in network.parameters()} == {"meta"}


def test_check_takes_the_schema_of_another_verb() -> None:
    paths = {"output_dir": "outputs", "cache_dir": "cache"}
    config.check({"paths": paths, "name": None, "n": "all"}, Runs)
    with pytest.raises(UserError, match=r"nme is unknown: did you mean name\?"):
        config.check({"paths": paths, "name": None, "n": 30, "nme": 1}, Runs)


def test_resolve_gives_plain_data_with_references_filled_in() -> None:
    cfg = OmegaConf.create({"a": {"b": [1, "${c}"]}, "c": 2.5, "n": None})
    plain = config.resolve(cfg)
    assert plain == {"a": {"b": [1, 2.5]}, "c": 2.5, "n": None}
    assert type(plain["a"]) is dict
    assert type(plain["a"]["b"]) is list


def test_resolve_names_every_value_without_one() -> None:
    with pytest.raises(UserError) as caught:
        config.resolve(OmegaConf.create({"a": "???", "b": [{"c": "${nothing}"}]}))
    assert [line.split(" ")[0] for line in caught.value.lines] == ["a", "b.0.c"]


# Stored configs

HOSTILE = [
    {"_target_": "torch.load", "f": "x", "weights_only": False},
    {"_target_": "joblib.load", "filename": "x"},
    {"_target_": "builtins.open", "file": "x", "mode": "w"},
    {"_target_": "shutil.copyfile", "src": "a", "dst": "b"},
    {"_target_": "os.system", "command": "x"},
    {"_target_": "os.mkdir", "path": "x"},
    {"_target_": "pathlib.Path.touch", "_args_": ["x"]},
    {"_target_": "numpy.load", "file": "x", "allow_pickle": True},
    {"_target_": "logging.os.system", "command": "x"},
    {"_target_": "freqgan.config.targets.importlib.import_module", "name": "x"},
    {"_target_": "freqgan.config.build", "node": {}},
    {"_target_": "functools.partial", "_args_": [{"_target_": "os.system", "_partial_": True}]},
    {"_target_": "freqgan.losses.BCE", "real_label": {"_target_": "torch.hub.load"}},
    {"_target_": "freqgan.losses.BCE", "_args_": [[{"_target_": "torch.hub.load"}]]},
    {"_target_": "torch.nn.Identity"},
    {"_target_": ["os.system"]},
    {"_target_": {"_target_": "os.system"}},
    {"_target_": "${oc.env:SECRET}"},
    {"lr": "${oc.env:SECRET}"},
    {"lr": ["x ${hydra:runtime.cwd}"]},
    {"${oc.env:SECRET}": 1},
    {"lr": b"bytes"},
    {"lr": Path("x")},
    {"lr": {1, 2}},
    {(1, 2): 3},
    {"defaults": [{"/metrics@_global_.hydra.job_logging": "stored"}]},
    {"_global_": {"hydra": {}}},
]


@pytest.mark.parametrize("node", HOSTILE, ids=str)
@pytest.mark.parametrize("place", ["{}", "deep"])
@pytest.mark.fault("foreign", "hostile stored config")
def test_stored_config_cannot_choose_what_runs(node: Any, place: str) -> None:
    stored = {"model": node} if place == "{}" else {"a": [{"b": {"c": [node]}}]}
    config.check_stored({"loss": {"_target_": "freqgan.losses.BCE"}})  # a good name may import what it needs
    before = set(sys.modules)
    with pytest.raises(UserError) as caught:
        config.check_stored(stored)
    imported = {name for name in set(sys.modules) - before if not name.startswith("freqgan.")}
    assert imported == set(), "something was imported for a refused name"
    path = "model" if place == "{}" else "a.0.b.c.0"
    assert all(line.startswith(path) for line in caught.value.lines)


def test_stored_config_of_shipped_classes_is_accepted() -> None:
    assert "freqgan.losses.BCE" in shipped_targets()
    config.check_stored({"loss": {"_target_": "freqgan.losses.BCE", "real_label": 0.9}, "tags": ["a"], "none": None})


def test_stored_config_may_build_what_the_user_allows_by_its_own_name() -> None:
    node = {"model": {"_target_": "torch.nn.Identity"}}
    with pytest.raises(
        UserError, match=r"model._target_=torch.nn.Identity is not in the shipped conf: set 'allow_targets="
    ):
        config.check_stored(node)
    config.check_stored(node, allow_targets=["torch.nn.Identity"])
    alias = {"model": {"_target_": "logging.os.system"}}
    with pytest.raises(UserError, match="another name for something in posix"):
        config.check_stored(alias, allow_targets=["logging.os.system"])


@pytest.mark.fault("foreign", "hostile stored config")
def test_stored_config_is_bounded() -> None:
    bomb: Any = "x"
    for _ in range(12):
        bomb = [bomb] * 8
    with pytest.raises(UserError, match="at most 100000 values"):
        config.check_stored({"a": bomb})


def test_load_run_reads_a_checked_config(tmp_path: Path) -> None:
    stored = {"loss": {"_target_": "freqgan.losses.BCE"}, "seed": 3, "lr": 1e-5}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(stored))
    assert config.load_run(tmp_path) == stored


def test_settings_of_an_older_run_are_where_they_belong_today(tmp_path: Path) -> None:
    pair = {"_target_": "freqgan.text.EncoderPair", "projected": False}
    model = {"_target_": "freqgan.systems.ImageTextEncoder", "gamma1": 4.0, "gamma3": 20.0, "examples": 3}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"model": model | {"encoders": pair}}))
    kept = {"_target_": model["_target_"], "examples": 3}
    assert config.load_run(tmp_path)["model"] == kept | {"encoders": pair | {"gamma1": 4.0, "gamma3": 20.0}}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: !!python/object/apply:os.system [x]", "cannot be read"),
        ("a: [1", "cannot be read"),
        ("- 1", "wanted a mapping"),
        ("a: ${oc.env:HOME}", "holds values, no references"),
        ("a: " + "x" * (1 << 20), "larger than"),
    ],
)
@pytest.mark.fault("foreign", "hostile stored config")
def test_load_run_refuses_other_files(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(UserError, match=reason) as caught:
        config.load_run(tmp_path)
    assert len(caught.value.lines) == 1


def test_load_run_names_the_nearest_run(tmp_path: Path) -> None:
    for name in ("gan/2026-01-01_10-00-00", "gan/2026-02-02_20-00-00", "other/2026-01-01_10-00-00"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "config.yaml").touch()
    for wrong in ("gan/2026-02-02", "gann/2026-02-02_20-00-00"):
        with pytest.raises(UserError, match=r"is no directory: did you mean run=.*/gan/2026-02-02_20-00-00"):
            config.load_run(tmp_path / wrong)
    with pytest.raises(UserError, match=r"has no config.yaml: did you mean run=.*/gan/"):
        config.load_run(tmp_path / "gan")


@pytest.mark.parametrize(
    ("target", "argument", "inner", "wanted"),
    [
        ("freqgan.systems.StagedTextGAN", "generator", "freqgan.networks.TextGenerator", True),
        ("freqgan.systems.PairedTranslation", "discriminator", "freqgan.networks.PatchDiscriminator", True),
        ("torchvision.transforms.v2.RandomApply", "transforms", "torchvision.transforms.v2.GaussianNoise", False),
    ],
)
def test_what_is_called_is_told_from_what_makes_it(target: str, argument: str, inner: str, wanted: bool) -> None:
    node = {"_target_": inner}
    found = node_problems({"_target_": target, argument: [node] if argument == "transforms" else node})
    assert any("calls" in problem.text and "itself" in problem.text for problem in found) is wanted
