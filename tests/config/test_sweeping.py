from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml
from omegaconf import DictConfig

from freqgan import cli
from freqgan.config import application, overrides, sweeping
from freqgan.config.sweeping import SweepCommand, assignment
from freqgan.errors import UserError

COMPOSED: dict[tuple[str, ...], DictConfig] = {}


def compose_once(verb: str, arguments: Sequence[str], *, folder: str | None = None) -> DictConfig:
    """Remembers what comes of the shipped `conf/` alone: composing takes a tenth of a second."""
    if folder is not None or Path("conf").exists():
        return application.compose(verb, arguments, folder=folder)
    key = (verb, *arguments)
    if key not in COMPOSED:
        COMPOSED[key] = application.compose(verb, arguments)
    return COMPOSED[key]


@pytest.fixture(autouse=True)
def _empty_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sweeping, "compose", compose_once)


def read(*arguments: str) -> SweepCommand:
    return SweepCommand.read(overrides.read("train", arguments, sweeps="asked"))


def jobs(*arguments: str) -> list[str]:
    """Every job as its user would write it."""
    return [" ".join(text.lstrip("+") for text in job) for job in read("-m", *arguments).combinations()]


def sweep_file(folder: str = "conf", /, **values: object) -> None:
    path = Path(folder) / "sweep" / "mine.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("# Mine\n" + yaml.safe_dump({"defaults": ["default"]} | values))


def lines(*arguments: str) -> tuple[str, ...]:
    with pytest.raises(UserError) as caught:
        read(*arguments).combinations()
    return caught.value.lines


# The grammar


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["seed=1,2"], ["seed=1", "seed=2"]),
        (["loss=bce,hinge", "seed=1,2"], [f"loss={loss} seed={seed}" for loss in ("bce", "hinge") for seed in (1, 2)]),
        (["seed=range(1,4)"], ["seed=1", "seed=2", "seed=3"]),
        (["seed=range(0,5,2)"], ["seed=0", "seed=2", "seed=4"]),
        (["optim.lr=choice(0.1,1e-4)"], ["optim.lr=0.1", "optim.lr=0.0001"]),
        (["seed=sort(3,1,2)"], ["seed=1", "seed=2", "seed=3"]),
        (["logger=glob(t*)"], ["logger=tensorboard"]),
        (["logger=glob(*,exclude=w*)"], ["logger=none", "logger=tensorboard"]),
        (["group='a, b',c"], ["group='a, b'", "group=c"]),
        (["tags=[a],[b,c]"], ["tags=[a]", "tags=[b,c]"]),
        (["optim.generator={lr:1e-4},{lr:2e-4}"], ["optim.generator={lr:0.0001}", "optim.generator={lr:0.0002}"]),
        (["model.clip=null,1"], ["model.clip=null", "model.clip=1"]),
        (["seed=5"], [""]),
        (["seed=1,2", "seed=3,4"], ["seed=3", "seed=4"]),
        (["+optim.eps=1e-8,1e-7"], ["optim.eps=1e-08", "optim.eps=1e-07"]),
    ],
    ids=str,
)
def test_hydras_grammar_is_expanded(arguments: list[str], expected: list[str]) -> None:
    assert jobs(*arguments) == expected


def test_jobs_compose_as_they_do_alone() -> None:
    command = read("-m", "name=x", "loss=bce,hinge", "optim.generator={lr:0.1},{lr:0.2}", "tags=['a, b'],[c]")
    combinations = command.combinations()
    assert len(combinations) == 8
    first, last = (command.compose(job) for job in (combinations[0], combinations[-1]))
    assert (first["loss"]["_target_"], last["loss"]["_target_"]) == ("freqgan.losses.BCE", "freqgan.losses.Hinge")
    assert (first["optim"]["generator"]["lr"], last["optim"]["generator"]["lr"]) == (0.1, 0.2)
    assert (first["tags"], last["tags"]) == (["a, b"], ["c"])
    assert first["name"] == last["name"] == "x"


def test_a_jobs_own_command_is_one_that_train_reads() -> None:
    command = read("-m", "loss=bce", "group='a, b',c", "--config-dir", ".")
    own = command.job(command.combinations()[0], Path("out puts") / "it", "group=x")
    assert own[:2] == ("train", "loss=bce")
    request = overrides.read("train", own[1:], sweeps="asked")
    assert not request.several
    given = {override.key_or_group: override.value() for override in request.overrides}
    assert given == {"loss": "bce", "group": "x", "paths.run_dir": "out puts/it", "resume": "auto"}
    assert request.config_dir == "."


@pytest.mark.parametrize(
    "value",
    ["a", "a, b", "null", "True", "1", "1e-3", "it's", "[a]", "", "a=b", 3, 0.1, None, True, ["x", {"k": "y z"}]],
)
def test_an_assignment_is_read_back_as_it_was(value: object) -> None:
    (override,) = overrides.read("train", [assignment("tags", value)], sweeps="asked").overrides
    assert override.value() == value


# The file


def test_a_sweep_file_names_parameters_in_every_way() -> None:
    parameters = {
        "seed": "range(1,3)",
        "loss": ["bce", "hinge"],
        "optim": {"lr": [1e-3, 1e-4], "generator.lr": 0.1},
        "model.clip": [None, 1],
        "tags": [["a"], ["b", "c"]],
        "budget.images": 64,
    }
    sweep_file(parameters=parameters)
    command = read("sweep=mine")
    assert [o.key_or_group for o in command.swept] == ["loss", "model.clip", "optim.lr", "seed", "tags"]
    assert len(command.combinations()) == 32
    assert set(command.fixed) == {"++budget.images=64", "++optim.generator.lr=0.1"}
    config = command.compose(command.combinations()[-1])
    assert (config["seed"], config["model"]["clip"], config["optim"]["lr"], config["tags"]) == (2, 1, 1e-4, ["b", "c"])


def test_the_command_line_wins_over_the_file() -> None:
    sweep_file(parameters={"seed": "1,2", "loss": ["bce", "hinge"]}, retry="all", name="it")
    command = read("sweep=mine", "seed=7", "loss=lsgan,bce", "sweep.retry=failed", "sweep.minutes=2")
    assert [job[0] for job in command.combinations()] == ["loss=lsgan", "loss=bce"]
    assert command.fixed == ("++seed=7",)
    assert (command.settings["retry"], command.settings["minutes"], command.settings["name"]) == ("failed", 2, "it")


def test_a_file_may_lie_in_a_folder_of_its_own_and_choose_engine_and_search(tmp_path: Path) -> None:
    sweep_file("elsewhere", defaults=["default", {"override search": "optuna"}], parameters={"seed": "1,2"})
    Path("elsewhere/loss").mkdir()
    Path("elsewhere/loss/mine.yaml").write_text("_target_: freqgan.losses.BCE\n")
    command = read("sweep=mine", "--config-dir", "elsewhere", "sweep/engine=ray", "loss=glob(m*)")
    assert command.settings["search"]["_target_"] == "freqgan.sweeps.Optuna"
    assert command.settings["engine"]["_target_"] == "freqgan.sweeps.Ray"
    assert command.combinations() == [("++seed=1", "loss=mine"), ("++seed=2", "loss=mine")]
    assert command.compose(command.combinations()[0])["loss"] == {"_target_": "freqgan.losses.BCE"}


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"parameters": {"los": "bce,hinge"}}, None),  # each job says it
        ({"parameters": {"loss": "bce,hing"}}, "loss=hing: there is no conf/loss/hing.yaml, did you mean hinge?"),
        ({"parameters": {"seed": []}}, "sweep.parameters.seed=[]: wanted at least one value"),
        ({"parameters": {"optim": {"lr": []}}}, "sweep.parameters.optim.lr=[]: wanted at least one value"),
        ({"parameters": {"resume": "auto"}}, "resume is each job's own matter: a sweep resumes by itself"),
        ({"parameters": {"seed": "1,2("}}, "seed=1,2(: cannot be read; is the value text, quote it twice: 'seed=\""),
        ({"retri": "all"}, "sweep.retri is unknown: did you mean sweep.retry?"),
        ({"retry": "al"}, "sweep.retry=al: wanted one of failed, all, did you mean all?"),
        ({"minutes": 0}, "sweep.minutes=0: wanted greater than 0"),
        ({"name": "../up"}, "sweep.name=../up: wanted letters, digits, '-', '_' and '.' only: it names a folder"),
        ({"engine": {"slot": 2}}, "sweep.engine.slot is unknown to freqgan.sweeps.Local: did you mean"),
        ({"engine": {"start": "frok"}}, "sweep.engine.start=frok: wanted one of fork, fresh, did you mean fork?"),
        ({"search": {"also": ["a"]}}, "sweep.search.also.0=a: wanted a list"),
        ({"defaults": []}, "sweep=mine: conf/sweep/mine.yaml has to begin with 'defaults: [default]'"),
        ({"defaults": ["defalt"]}, "conf/sweep/mine.yaml: there is no conf/sweep/defalt.yaml"),
    ],
    ids=str,
)
def test_a_mistake_in_a_file_is_one_line(values: dict[str, object], line: str | None) -> None:
    sweep_file(**values)
    if line is None:
        assert len(read("sweep=mine").combinations()) == 2
    else:
        (found,) = lines("sweep=mine")
        assert found.startswith(line)


# Mistakes on the command line

MISTAKES = [
    ("-m optim.lr=interval(1,2) seed=1,2", "optim.lr=interval(1,2): an interval has no values to list: write range"),
    ("-m seed=range(3,1)", "seed=range(3,1): it stands for no value at all"),
    ("-m experiment=glob(nothing*)", "experiment=glob(nothing*): it stands for no value at all"),
    ("-m seed=1,2 resume=auto", "resume is each job's own matter: a sweep resumes by itself"),
    ("-m seed=1,2 paths.run_dir=x", "paths.run_dir is each job's own matter: a sweep resumes by itself"),
    ("-m seed=1,2 sweep.retri=all", "sweep.retri is unknown: did you mean sweep.retry?"),
    ("-m seed=1,2 sweep/engine=slrum", "sweep/engine=slrum: there is no conf/sweep/engine/slrum.yaml, did you mean sl"),
    ("-m loss=bce,hing", "loss=hing: there is no conf/loss/hing.yaml, did you mean hinge?"),
    ("sweep=nothing", "sweep=nothing: there is no conf/sweep/nothing.yaml, "),
    ("seed=1,2", "seed=1,2: several values need --multirun; a list needs brackets, 'seed=[1,2]', text 'seed=\"1,2\"'"),
    ("sweep.retry=all", "sweep.retry=all: it is about several jobs, as `freqgan train -m` runs them"),
    ("sweep/engine=ray", "sweep/engine=ray: it is about several jobs, as `freqgan train -m` runs them"),
    ("-m hydra.mode=RUN seed=1,2", "hydra.mode=RUN: use -m, which starts a process for each job"),
]


@pytest.mark.parametrize(("line", "start"), MISTAKES)
def test_a_mistake_is_one_line(line: str, start: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", *line.split()]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(f"freqgan: {start}"), captured.err
    assert captured.err.count("\n") == 1
    assert not list(Path().rglob("*.jsonl"))


def test_a_folder_that_cannot_be_written_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    Path("taken").touch()
    assert cli.main(["train", "-m", "seed=1,2", "paths.output_dir=taken"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("freqgan: paths.output_dir=taken: ")
    assert error.count("\n") == 1


def test_torchrun_does_not_start_sweeps(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert cli.main(["train", "-m", "seed=1,2"]) == 2
    assert capsys.readouterr().err == (
        "freqgan: a sweep starts its own processes: start it without torchrun, with hardware=cpu_ddp for its jobs\n"
    )
    assert list(Path().iterdir()) == []


# The folder


def folder(*arguments: str) -> Path:
    return read("-m", *arguments).folder


def test_the_folder_is_named_after_what_is_swept() -> None:
    swept = ("seed=1,2", "loss=bce", "budget.images=64")
    base = folder(*swept)
    assert base.parent == Path("outputs/frequency_gan")
    places = ("paths.output_dir=x", "tags=[a]", "hardware=cpu", "hardware.threads=1", "logger=none")
    elsewhere = folder(*reversed(swept), *places, "group=g", "job_type=j", "sweep.retry=all", "sweep.engine.slots=3")
    assert elsewhere == Path("x/frequency_gan") / base.name
    others = (
        *("seed=1,3", "optim.lr=1", "sweep/search=optuna"),
        *("sweep.search.also=[['loss=hinge']]", "sweep.search.variants=[['loss=hinge']]"),
    )
    assert len({folder(*swept, text) for text in others} | {base}) == 6
    assert folder("seed=1,2", "sweep.name=mine") == Path("outputs/frequency_gan/mine")


def test_a_sweep_without_several_values_is_one_job() -> None:
    assert read("sweep=default").combinations() == [()]
