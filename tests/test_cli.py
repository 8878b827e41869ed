import os
import re
import resource
import shlex
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from freqgan import cli
from freqgan.config import overrides
from freqgan.config.sweeping import SweepCommand
from freqgan.errors import DivergedError, FreqganError, InterruptedRunError, StorageError, UserError
from freqgan.vocabulary import Vocabulary, shipped_conf

PYTHON_PATH = str(Path(__file__).parent.parent)


@pytest.fixture(autouse=True)
def _empty_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def verb(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Any], None]], None]:
    """Puts a function in the place of the verb `runs`."""

    def replace(main: Callable[[Any], None]) -> None:
        module = ModuleType("example_verb")
        module.main = main  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "example_verb", module)
        monkeypatch.setitem(cli.VERBS, "runs", cli.Verb("example_verb", "", ()))

    return replace


def command(*arguments: str, flags: tuple[str, ...] = (), **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *flags, "-m", "freqgan.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": PYTHON_PATH},
        **options,
    )


# Help


def test_overview_has_all_verbs_and_groups(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == cli.main([]) == 0
    text = capsys.readouterr().out
    for verb in cli.VERBS.values():
        assert verb.summary in " ".join(text.split())  # long summaries wrap
        assert verb.examples[0] in text
    assert {"model", "transform", "data", "experiment"} <= set(text.split())


@pytest.mark.parametrize("name", cli.VERBS)
def test_help_of_a_verb_has_every_option_of_its_groups(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([name, "--help"]) == 0
    text = capsys.readouterr().out
    words = Vocabulary((shipped_conf(),))
    for group in words.defaults(name).keys() - {"hydra"}:
        for option, summary in words.options(group).items():
            assert re.search(rf"^  [* ]{re.escape(option)} ", text, re.MULTILINE)
            assert summary.split()[0] in text
    assert "Settings\n  " in text
    assert all(example in text for example in cli.VERBS[name].examples)


def test_help_marks_the_default_and_lists_the_users_own_options(capsys: pytest.CaptureFixture[str]) -> None:
    Path("conf/experiment/mine").mkdir(parents=True)
    Path("conf/experiment/mine/first.yaml").write_text("# @package _global_\n# My question\nseed: 2\n")
    assert cli.main(["train", "-h"]) == 0
    text = capsys.readouterr().out
    assert re.search(r"^   mine/first +My question$", text, re.MULTILINE)
    assert re.search(r"^  \*adam ", text, re.MULTILINE)


@pytest.mark.parametrize("example", [example for verb in cli.VERBS.values() for example in verb.examples])
def test_examples_can_be_pasted_into_bash_and_zsh(example: str) -> None:
    unquoted = re.sub(r"'[^']*'", "", example)
    assert not set(unquoted) & set('[]{}()*?~<>$!#;&|^"\\`')
    program, verb, *rest = shlex.split(example)
    assert program == "freqgan"
    assert verb in cli.VERBS
    if "-m" in rest:
        assert len(SweepCommand.read(overrides.read(verb, rest, sweeps="asked")).combinations()) > 1
    elif verb in ("train", "check"):
        assert cli.main([verb, "--cfg", "job", *rest]) == 0


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["doctor", "--help"], ["trian"]], ids=" ".join)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    imported = command(*arguments, flags=("-X", "importtime")).stderr
    assert "freqgan.vocabulary" in imported
    for name in ("torch", "hydra", "omegaconf", "pydantic", "numpy", "pytorch_lightning", "rich"):
        assert not re.search(rf"\| +{name}$", imported, re.MULTILINE)


def test_help_takes_less_than_half_a_second_of_cpu() -> None:
    def cpu() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert command("train", "--help").returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert statistics.median(cpu() for _ in range(3)) <= 0.5


def test_composing_does_not_import_torch() -> None:
    done = command("train", "--cfg", "job", flags=("-X", "importtime"))
    assert done.returncode == 0, done.stderr[-2000:]
    assert yaml.safe_load(done.stdout)["seed"] == 1
    assert not re.search(r"\| +torch$", done.stderr, re.MULTILINE)


# Exit statuses


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UserError("first line", "second line"), 2),
        (DivergedError("loss is nan"), 65),
        (StorageError("disk is full"), 74),
        (FreqganError("a failure"), 1),
        (InterruptedRunError(2, "saved"), 130),
        (InterruptedRunError(15, "saved"), 143),
        (KeyboardInterrupt(), 130),
    ],
    ids=repr,
)
def test_known_errors_are_lines_and_a_status(
    error: BaseException, status: int, verb: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    def main(cfg: Any) -> None:
        raise error

    verb(main)
    try:
        got: Any = cli.main(["runs"])
    except SystemExit as end:
        got = end.code
    assert got == status
    captured = capsys.readouterr()
    expected = [f"freqgan: {line}" for line in (str(error) or "interrupted").splitlines()]
    assert captured.err.splitlines() == expected
    assert captured.out == ""


def test_an_unexpected_error_has_a_traceback_and_status_1(verb: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def main(cfg: Any) -> None:
        raise ValueError("ours")

    verb(main)
    assert cli.main(["runs"]) == 1
    text = capsys.readouterr().err
    assert "Traceback" in text
    assert text.splitlines()[-1] == "freqgan: unexpected ValueError: ours"


@pytest.mark.parametrize(("code", "status"), [(None, 1), (0, 1), (3, 3)])
def test_what_leaves_by_sys_exit_is_not_done(code: int | None, status: int, verb: Any) -> None:
    verb(lambda cfg: sys.exit(code))
    assert cli.main(["runs"]) == status


def test_the_arguments_that_lightning_adds_for_its_processes_are_taken(verb: Any) -> None:
    ran = []
    verb(lambda cfg: ran.append(cfg.name))
    added = ['hydra.run.dir="."', "hydra.job.name=train_ddp_process_1", "hydra.output_subdir=null"]
    assert cli.main(["runs", "name=a", *added]) == 0
    assert ran == ["a"]


def test_a_reader_that_leaves_is_no_traceback() -> None:
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "freqgan.cli", "train", "--help"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": PYTHON_PATH},
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 1


def test_the_process_ends_with_the_status() -> None:
    done = command("trian")
    assert (done.returncode, done.stdout, done.stderr) == (
        2,
        "",
        "freqgan: unknown verb trian: did you mean train?\n",
    )


def test_a_verb_sees_its_config_the_true_arguments_and_sleeping_threads(
    verb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, Any] = {}

    def main(cfg: Any) -> None:
        seen.update(name=cfg.name, argv=list(sys.argv), policy=os.environ["OMP_WAIT_POLICY"], root="hydra" in cfg)

    verb(main)
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    monkeypatch.setattr(sys, "argv", ["/bin/freqgan", "runs", "name=a"])
    assert cli.main() == 0
    assert seen == {
        "name": "a",
        "argv": ["/bin/freqgan", "runs", "name=a"],
        "policy": "PASSIVE",
        "root": False,
    }
    assert sys.argv == ["/bin/freqgan", "runs", "name=a"]
    assert list(Path().iterdir()) == []


# Several jobs


def test_only_train_and_plan_take_several_values(verb: Any, capsys: pytest.CaptureFixture[str]) -> None:
    ran: list[str] = []
    verb(lambda cfg: ran.append(cfg.name))
    for flag in ("-m", "--multirun"):
        assert cli.main(["runs", flag, "name=a,b"]) == 2
        assert capsys.readouterr().err == (
            "freqgan: runs takes one value for each key: only train and plan take several\n"
        )
    assert ran == []
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(("arguments", "module"), [(["train", "-m", "seed=1,2"], "sweep"), (["plan"], "plan")], ids=str)
def test_a_sweep_is_handed_to_its_module(
    arguments: list[str], module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def main(command: Any) -> int:
        assert len(command.combinations()) == (2 if module == "sweep" else 1)
        return 1

    stand_in = ModuleType(f"freqgan.{module}")
    stand_in.main = main  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, f"freqgan.{module}", stand_in)
    assert cli.main(arguments) == 1
    assert capsys.readouterr().err == ""


# Hydra's own flags, and the user's own conf/


def composed(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    status = cli.main([*arguments, "--cfg", "job"])
    captured = capsys.readouterr()
    assert status == 0, captured.err
    config: dict[str, Any] = yaml.safe_load(captured.out)
    return config


def test_cfg_prints_one_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "--cfg", "job", "--package", "budget"]) == 0
    assert yaml.safe_load(capsys.readouterr().out).keys() == {"images", "minutes"}


def test_info_prints_the_defaults() -> None:
    done = command("train", "--info", "defaults")
    assert done.returncode == 0
    assert "model/frequency_gan" in done.stdout


def test_flags_may_stand_among_overrides(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "seed=2", "--cfg", "job", "name=x"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["name"] == "x"


def test_check_composes_as_train_does(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("loss=hinge", "seed=3", "debug=default")
    assert composed(capsys, "check", *arguments) == composed(capsys, "train", *arguments)


def test_layers_that_do_not_fit_the_data_end_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", "experiment=pix2pix/scenes", "model.generator.in_channels=1"]) == 2
    error = capsys.readouterr().err
    assert "3 × 64 × 64 (images × channels × height × width) does not pass through the model" in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("arguments", "lack"),
    [
        ("model=cyclegan data=scenes", "Scenes has one domain, and the model translates"),
        ("model=encoder_decoder data=image_folder data.root=x", "ImageFolder has one domain, and the model translates"),
        ("model=pix2pix data=unpaired_folders data.root=x data.root_b=y", "UnpairedFolders has no pairs"),
        ("model=dualgan data=unpaired_folders data.root=x data.root_b=y", ""),
        ("model=pix2pix data=paired_folders", ""),
    ],
)
def test_check_looks_whether_data_have_what_the_model_draws(
    arguments: str, lack: str, capsys: pytest.CaptureFixture[str]
) -> None:
    narrow = ("model.generator.channels=4", "model.discriminator.channels=4")
    assert cli.main(["check", *arguments.split(), *narrow]) == (2 if lack else 0)
    error = capsys.readouterr().err
    assert (f"data.source={lack}" in error) == bool(lack)


def test_check_refuses_settings_that_the_data_cannot_be_built_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", "data=scenes", "data.source.kinds=[blob]"]) == 2
    assert "data.source.kinds: blob is not some of circle," in capsys.readouterr().err


@pytest.mark.parametrize(("width", "tells"), [(8, False), (2**14, True)])
def test_check_tells_of_memory_that_the_machine_lacks(
    width: int, tells: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    wide = (f"model.generator.channels={width}", f"model.generator.max_channels={width}")
    assert cli.main(["check", "model=encoder_decoder", "data=paired_folders", *wide]) == 0
    assert ("more than the" in capsys.readouterr().out) == tells


def test_keys_left_to_their_default_in_python_can_be_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert composed(capsys, "train", "optim.eps=0.001")["optim"]["eps"] == 0.001
    assert composed(capsys, "train", "+optim.eps=0.001", "+loss=hinge")["loss"]["_target_"] == "freqgan.losses.Hinge"
    assert "eps" not in composed(capsys, "train")["optim"]


def test_a_group_can_be_composed_at_another_place(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("model@model.blend.generator=frequency_gan", "transform@model.blend.generator.transform=dct")
    other = composed(capsys, "train", *arguments, "model.blend.generator.latent_dim=7")["model"]["blend"]["generator"]
    assert other["_partial_"]
    assert (other["latent_dim"], other["transform"]["_target_"]) == (7, "freqgan.transforms.DCT")
    assert composed(capsys, "train", f"+{arguments[0]}")["model"]["blend"]["generator"]["passes"] == 1
    features = composed(capsys, "train", "model/features=efficientnet_lite0")["model"]["features"]
    assert features["network"]["_target_"] == "freqgan.features.EfficientNetLite0"


def test_experiment_and_later_debug_win_over_the_primary_config(capsys: pytest.CaptureFixture[str]) -> None:
    Path("conf/experiment").mkdir(parents=True)
    Path("conf/experiment/mine.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /loss: hinge\nseed: 7\nname: mine\n"
    )
    Path("conf/local").mkdir()
    Path("conf/local/default.yaml").write_text("# @package _global_\npaths: {output_dir: elsewhere}\n")
    config = composed(capsys, "train", "experiment=mine", "debug=default", "seed=9")
    assert config["loss"]["_target_"] == "freqgan.losses.Hinge"
    assert (config["seed"], config["name"], config["paths"]["output_dir"]) == (9, "debug", "elsewhere")


def test_config_dir_comes_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "more" / "loss").mkdir(parents=True)
    (tmp_path / "more" / "loss" / "mine.yaml").write_text("_target_: mine.Loss\n")
    config = composed(capsys, "train", "--config-dir", "more", "loss=mine")
    assert config["loss"] == {"_target_": "mine.Loss"}


# Verbs that read a run


@pytest.fixture
def stored_run(capsys: pytest.CaptureFixture[str]) -> Path:
    """A run directory with the config that training would have stored."""
    assert cli.main(["train", "data=scenes", "--cfg", "job", "--resolve"]) == 0
    run = Path("outputs/a/2026-01-01_00-00-00")
    run.mkdir(parents=True)
    (run / "config.yaml").write_text(capsys.readouterr().out)
    return run


def test_evaluate_takes_data_and_metrics_from_the_run(stored_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stored = yaml.safe_load((stored_run / "config.yaml").read_text())
    config = composed(capsys, "evaluate", f"run={stored_run}", "--resolve")
    assert config["metrics"] == stored["metrics"]
    assert config["data"] == stored["data"]
    changed = composed(capsys, "evaluate", f"run={stored_run}", "data.root=elsewhere", "split=all")
    assert changed["data"]["root"] == "elsewhere"
    other = composed(capsys, "evaluate", f"run={stored_run}", "data=image_folder", "data.root=elsewhere")
    assert other["data"]["source"]["_target_"] == "freqgan.data.ImageFolder"


def test_evaluate_takes_a_folder_in_place_of_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    Path("pictures").mkdir()
    config = composed(capsys, "evaluate", "images=pictures", "data=scenes")
    assert config["data"]["source"]["_target_"] == "freqgan.data.Scenes"
    assert config["metrics"] == composed(capsys, "train")["metrics"]


@pytest.mark.fault("foreign", "hostile stored config")
def test_evaluate_refuses_a_run_that_would_run_something_else(
    stored_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored = yaml.safe_load((stored_run / "config.yaml").read_text())
    stored["data"]["source"] = {"_target_": "os.system", "command": "touch harmed"}
    (stored_run / "config.yaml").write_text(yaml.safe_dump(stored))
    assert cli.main(["evaluate", f"run={stored_run}"]) == 2
    assert capsys.readouterr().err == (
        "freqgan: data.source._target_=os.system is not in the shipped conf: "
        "set 'allow_targets=[os.system]' if you trust it\n"
    )
    assert not Path("harmed").exists()


@pytest.mark.fault("foreign", "hostile stored config")
def test_evaluate_does_not_let_a_run_set_up_hydra(stored_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Hydra hands its `job_logging` to `logging.config.dictConfig`, which calls whatever `()` names."""
    stored = yaml.safe_load((stored_run / "config.yaml").read_text())
    handler = {"()": "os.mkdir", "path": "harmed"}
    stored["metrics"] = {"version": 1, "handlers": {"a": handler}, "root": {"handlers": ["a"]}}
    stored["data"]["defaults"] = [{"/metrics@_global_.hydra.job_logging": "stored"}]
    (stored_run / "config.yaml").write_text(yaml.safe_dump(stored))
    assert cli.main(["evaluate", f"run={stored_run}"]) == 2
    assert capsys.readouterr().err == "freqgan: data.defaults: defaults cannot be a key of a stored config\n"
    assert not Path("harmed").exists()


# Mistakes

NO_RUN = "is no directory: `freqgan runs` lists those there are"
MISTAKES = [
    ("trian", "unknown verb trian: did you mean train?"),
    ("train seed", "seed: wanted key=value"),
    ("train scenes", "scenes: wanted key=value, did you mean data=scenes?"),
    ("train --multrun", "unknown flag --multrun: did you mean --multirun?"),
    ("train --cfg jb", "argument --cfg/-c: invalid choice: 'jb' (choose from 'job', 'hydra', 'all')"),
    ("train --experimental-rerun x", "--experimental-rerun unpickles its file, which can run anything: use"),
    ("train --config-dir nowhere", "Additional config directory "),
    ("train model=frequncy_gan", "model=frequncy_gan: there is no conf/model/frequncy_gan.yaml, did you mean freq"),
    (
        "train model@model.blend.generator=x",
        "model=x: there is no conf/model/x.yaml, there is branch_sr, cyclegan, ",
    ),
    ("train loss=", "loss=: there is no conf/loss/<option>.yaml, there is bce, hinge, "),
    ("train loss=null", "loss=null: to leave the group out, write '~loss'"),
    ("train modle=frequency_gan", "modle is unknown: did you mean model?"),
    ("train model/generators=x", "model/generators: train has no such group, did you mean model/generator?"),
    ("train model/generator=edsr", "there is no model/generator to override, only in model=branch_sr"),
    ("train experiment=openmoji", "experiment=openmoji: there is no conf/experiment/openmoji.yaml, did you mean fr"),
    ("train experiment=a/b/c", "experiment=a/b/c: there is no conf/experiment/a/b/c.yaml, there is branch_sr/"),
    ("train hydra.run.dri=x", "there is no hydra.run.dri: `freqgan train --cfg hydra` prints"),
    (
        "train seed=1,2",
        "seed=1,2: several values need --multirun; a list needs brackets, 'seed=[1,2]', text 'seed=\"1,2\"'",
    ),
    ("sample captions=a,b", "captions=a,b: several values are for train and plan; a list needs brackets, "),
    ("train tags=[a", "tags=[a: cannot be read; is the value text, quote it twice: 'tags=\"[a\"'"),
    ("train optim.lrr=1", "optim.lrr is unknown to freqgan.systems.Adam: did you mean optim.lr?"),
    ("train optim.lr=", "optim.lr=(nothing): wanted a number (default 0.0002)"),
    ("train optim.generator.lrr=1", "optim.generator.lrr is unknown: did you mean optim.generator.lr?"),
    ("train optim.schedule=linear", "optim.schedule=linear: wanted one of constant, linear_decay, cosine, did you"),
    ("train loss._target_=freqgan.losses.Hing", "loss._target_=freqgan.losses.Hing: freqgan.losses has no Hing, "),
    ("train lr=1", "lr is unknown: did you mean optim.lr?"),
    ("train budget.imges=1000", "budget.imges is unknown: did you mean budget.images?"),
    ("train budget.images=1e6", "budget.images=1000000.0: wanted a whole number: write 1000000"),
    (
        "train model=pix2pix data=scenes_labels metrics=generation",
        "metrics=generation does not judge what PairedTranslation makes: set metr",
    ),
    ("train budget.images=null", "budget.images and budget.minutes are both null, training would never end: set"),
    ("train budget.images=5", "budget.images=5 is less than the one batch of data.batch_size=64: set budget.images="),
    ("train name=../up", "name=../up: wanted letters, digits, '-', '_' and '.' only: it names a folder"),
    ("train paths.output_dir=/dev/null/runs", "paths.output_dir=/dev/null/runs: /dev/null cannot be written to, set"),
    (
        "train data.image_size=33",
        "data.image_size=33 gives bands that a DCGAN cannot halve to 4 pixels or more: the nearest sizes are 28 and 32",
    ),
    ("train transform.levels=9", "transform.levels=9 needs image_size of at least 257, got 32: set data.image_size="),
    ("train transform.wavelet=harr", "transform.wavelet=harr "),
    ("runs model=frequency_gan", "model: runs has no such group, there is paths, hydra"),
    ("compare", "compare needs runs: freqgan compare <run directories, folders above them, sweeps or patterns>"),
    ("compare nowhere", "there is no nowhere: `freqgan runs` lists runs"),
    ("compare 'nowhere/*'", "nowhere/* matches nothing: `freqgan runs` lists runs"),
    ("compare a/b", "there is no a/b: `freqgan runs` lists runs; a path on W&B needs source=wandb"),
    ("compare a source=wandb", "a is no path on W&B: wanted entity/project, entity/project/<run id> or entity/proj"),
    ("compare a smaples=3", "smaples is unknown: did you mean samples?"),
    ("compare a incomparable=keep", "incomparable=keep: wanted one of refuse, mark"),
    ("sample run=nowhere", f"run=nowhere {NO_RUN}"),
    ("sample", "run has to be set: run=<value>"),
    ("sample run=x wieghts=raw", "wieghts is unknown: did you mean weights?"),
    ("upscale input=a output=b", "run has to be set: run=<value>"),
    ("upscale run=a input=nowhere output=b", "input=nowhere is not there, wanted a folder of images: "),
    ("upscale run=a input=b output=c format=jpg", "format=jpg: wanted one of png, keep"),
    ("translate run=a input=b output=c direction=up", "direction=up: wanted one of ab, ba"),
    ("translate run=a input=b output=c directoin=ab", "directoin is unknown: did you mean direction?"),
    ("evaluate", "evaluate needs run=<run directory>, or images=<folder> data=<option>; `freqgan runs` lists runs"),
    ("evaluate run=nowhere", f"run=nowhere {NO_RUN}"),
    ("evaluate run=a images=b", "run and images are both set: one of them is judged, leave the other out"),
    ("evaluate images=nowhere", "images=nowhere is no folder: name one that holds images"),
    ("evaluate images=/tmp", "images needs data=<option>, the real images to judge by"),
]


@pytest.mark.parametrize(("line", "start"), MISTAKES)
@pytest.mark.fault("config", "mistake on the command line")
def test_a_mistake_is_one_line_with_the_remedy(line: str, start: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(shlex.split(line)) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(f"freqgan: {start}"), captured.err
    assert captured.err.count("\n") == 1, captured.err
    assert captured.out == ""
    assert list(Path().iterdir()) == []


def test_mistakes_are_collected(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "model=x", "loss=hing", "scenes", "--multrun"]) == 2
    assert capsys.readouterr().err.count("\n") == 4
    assert cli.main(["train", "optim.lr=", "budget.imges=1", "modle=x", "data.batch_sise=3"]) == 2
    assert capsys.readouterr().err.count("\n") == 4


FILES = [
    ("seed: [1", "conf/experiment/mine.yaml, line "),
    ("seed: 1\n  name: x", "conf/experiment/mine.yaml, line 3: mapping values are not allowed"),
    ("defaults:\n  - override /loss: hing", "there is no conf/loss/hing.yaml, did you mean hinge?"),
    (
        "defaults:\n  - override /los: hinge",
        "conf/experiment/mine.yaml: there is no los to override, did you mean loss?",
    ),
    ("optim: {lrr: 1}", "optim.lrr is unknown to freqgan.systems.Adam: did you mean optim.lr?"),
    ("optim: {lr: }", "optim.lr=null: wanted a number"),
    ("optim:\n  lr: ${data.lr}", "optim.lr refers to nothing: Interpolation key 'data.lr' not found"),
    ("optim: {lr: '${oops'}", "a reference ${…} in a YAML file cannot be read: "),
    ("budget: 5", "budget=5: wanted a mapping of keys to values"),
]


@pytest.mark.parametrize(("text", "line"), FILES)
@pytest.mark.fault("config", "mistake in a file of the user's")
def test_a_mistake_in_the_users_own_file_is_one_line(text: str, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("conf/experiment").mkdir(parents=True)
    Path("conf/experiment/mine.yaml").write_text(f"# @package _global_\n{text}\n")
    assert cli.main(["train", "experiment=mine"]) == 2
    error = capsys.readouterr().err
    assert line in error
    assert error.count("\n") == 1, error
