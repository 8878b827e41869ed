"""Run directories from elsewhere, damaged or hostile: one line, no code of theirs, nothing outside the folder."""

import collections.abc
import hashlib
import importlib
import io
import json
import os
import pickle
import resource
import shutil
import sys
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
import torch
import yaml

from freqgan import cli
from freqgan.config.places import PLACES
from freqgan.config.stored import shipped_targets
from freqgan.config.targets import locate, parameters
from freqgan.runs import write_checkpoint
from freqgan.runs.files import SHARED, write_shared
from freqgan.runs.stored import load_system
from tests.forked import NARROW, command, only_run, paths, train

MODEL = ["transform=identity", "budget.images=8", "samples.every_images=1000"]
FURTHER = ["budget.images=16", "resume_override=[budget.images]"]
CPU = ["hardware=cpu", "hardware.threads=1"]
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.chmod", "os.truncate"}
NEVER = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "pty.spawn"}
NEVER |= {"socket.connect", "socket.getaddrinfo", "socket.sendto", "urllib.Request", "ftplib.connect"}

State = dict[str, Any]
Damage = Callable[[State, Path], object]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two steps. What every child would import and read is there before they are forked."""
    for verb in ("sample", "export", "evaluate", "train"):
        importlib.import_module(f"freqgan.{verb}")
    shipped_targets()
    folder = tmp_path_factory.mktemp("good")
    status, output = train(folder, *MODEL)
    assert status == 0, output
    return only_run(folder)


@pytest.fixture
def run(good: Path, tmp_path: Path) -> Path:
    """A copy of the run, in a folder of its own."""
    return Path(shutil.copytree(good, tmp_path / "tiny" / "foreign"))


def watched(folder: Path) -> Callable[[], None]:
    """A child that ends at once where it does what a file from elsewhere could want, or takes a gigabyte more."""

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        place = arguments[0] if arguments else None
        if event == "os.mkdir" and os.path.isdir(place or ""):
            return
        writes = event in CHANGES or (event == "open" and (arguments[2] or 0) & WRITING)
        if writes and isinstance(place, str | os.PathLike):
            where = os.path.realpath(place)
            if not where.startswith((f"{folder}/", "/dev/null", "/dev/shm/")):
                stop(f"{event} {where}")
        elif event in NEVER:
            stop(f"{event} {arguments}")

    def stop(words: str) -> None:
        os.write(2, f"watched: {words}\n".encode())
        sys.stderr.write(f"watched: {words}\n")
        sys.stderr.flush()
        os._exit(99)

    def before() -> None:
        sys.dont_write_bytecode = True
        # Where numbers come from is told by processes of its own.
        vars(importlib.import_module("freqgan.runs.provenance")).update(git=dict, machine=dict)
        size = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (size + 2**30, size + 2**30))
        sys.addaudithook(watch)

    return before


def use(verb: str, run: Path, *arguments: str) -> tuple[int, str]:
    """What a verb says to a run, watched; everything that it may write goes into the folder above."""
    folder = run.parents[1]
    if verb == "load":
        return command([], folder, before=lambda: load(run, folder))
    named = [f"resume={run / 'checkpoints' / 'last.ckpt'}", "data=scenes", "data.source.length=64", *NARROW, *MODEL]
    named += ["data.image_size=16", "data.batch_size=4", "samples.count=4", "logger=none", "metrics=none"]
    of_verb = {"sample": [f"run={run}", "n=2"], "export": [f"run={run}"], "evaluate": [f"run={run}"]}
    given = [*paths(folder), *named, *FURTHER] if verb == "train" else [*of_verb[verb]]
    if verb == "train" and (run / "run.json").is_file():  # what is finished is not read
        record = json.loads((run / "run.json").read_text()) | {"status": "killed"}
        (run / "run.json").write_text(json.dumps(record))
    if verb == "evaluate":
        given += [f"paths.cache_dir={folder / 'cache'}"]
    given += [] if verb == "export" else CPU
    return command([verb, *given, *arguments], folder, before=watched(folder))


def load(run: Path, folder: Path) -> None:
    """What all verbs do with a run, in a child, and no more."""
    watched(folder)()
    try:
        load_system(str(run), checkpoint="last", allow_targets=[])
        status = 0
    except Exception as error:
        status = cli.report(error)
    sys.stdout.flush()
    os._exit(status)


def refused(status: int, output: str, reason: str) -> None:
    """One line with the reason, and the status of a user's mistake, of broken weights or of storage."""
    assert status in (2, 65, 74), output
    lines = [line for line in output.splitlines() if line.startswith("freqgan: ")]
    assert "Traceback" not in output, output
    assert len(lines) == 1, output
    assert reason in lines[0], output


# Checkpoints


class Payload:
    """Makes a folder where it is unpickled."""

    def __init__(self, place: Path) -> None:
        self.place = str(place)

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (self.place,))


def put(**parts: Any) -> Damage:
    return lambda state, path: torch.save(state | parts, path)


def weights(change: Callable[[torch.Tensor], Any]) -> Damage:
    """Every averaged weight becomes something else."""
    return lambda state, path: torch.save(state | {"ema": {n: change(x) for n, x in state["ema"].items()}}, path)


def archive(change: Callable[[zipfile.ZipFile, zipfile.ZipFile], object]) -> Damage:
    """The archive written anew by `change`, without a checksum."""

    def damage(state: State, path: Path) -> None:
        content = io.BytesIO()
        torch.save(state, content)
        with zipfile.ZipFile(content) as old, zipfile.ZipFile(path, "w") as new:
            change(old, new)

    return damage


def directory(offset: int, value: bytes) -> Damage:
    """Every record of the archive's directory says something else, `offset` bytes from its beginning."""

    def damage(state: State, path: Path) -> None:
        torch.save(state, path)
        with zipfile.ZipFile(path) as whole:
            at = whole.start_dir
        content = bytearray(path.read_bytes())
        while (at := content.find(b"PK\1\2", at)) >= 0:
            content[at + offset : at + offset + len(value)] = value
            at += 46
        path.write_bytes(content)

    return damage


def packed(old: zipfile.ZipFile, new: zipfile.ZipFile) -> None:
    for entry in old.infolist():
        new.writestr(entry.filename, old.read(entry) + bytes(2**20), zipfile.ZIP_DEFLATED)


def slipping(old: zipfile.ZipFile, new: zipfile.ZipFile) -> None:
    for entry in old.infolist():
        new.writestr(entry.filename, old.read(entry))
    new.writestr("../../../../escaped", b"x")


def overlapping(state: State, path: Path) -> None:
    """A hundred records of the directory are one place of the file."""
    torch.save(state, path)
    with zipfile.ZipFile(path, "a") as whole:
        largest = max(whole.infolist(), key=lambda entry: entry.file_size)
        for number in range(100):
            copy = zipfile.ZipInfo(f"{largest.filename}{number}")
            copy.CRC, copy.compress_size, copy.file_size = largest.CRC, largest.compress_size, largest.file_size
            copy.header_offset = largest.header_offset
            whole.filelist.append(copy)
        whole._didModify = True  # type: ignore[attr-defined]


def legacy_tar(state: State, path: Path) -> None:
    with tarfile.open(path, "w") as file:
        for name in ("sys_info", "pickle", "storages", "tensors", "../../escaped"):
            content = pickle.dumps(Payload(path.parents[3] / "exploited"))
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))


def scripted(state: State, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), path)  # type: ignore[no-untyped-call]


def cut(share: float) -> Damage:
    def damage(state: State, path: Path) -> None:
        write_checkpoint(path, state)
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])

    return damage


def garbled(state: State, path: Path) -> None:
    write_checkpoint(path, state)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)


def linked(state: State, path: Path) -> None:
    torch.save(state, path.parents[3] / "outside.ckpt")
    path.symlink_to(path.parents[3] / "outside.ckpt")


def shared(change: Callable[[Path], object]) -> Damage:
    """An export as safetensors, changed."""

    def damage(state: State, path: Path) -> None:
        target = path.with_suffix(SHARED)
        write_shared(target, {"state_dict": state["state_dict"], "ema": {}, "clock": state["clock"]})
        change(target)

    return damage


def lying_header(target: Path) -> None:
    content = (2**60).to_bytes(8, "little") + target.read_bytes()[8:]
    target.write_bytes(content)
    facts = json.loads(target.with_suffix(".json").read_text())
    target.with_suffix(".json").write_text(json.dumps(facts | {"sha256": hashlib.sha256(content).hexdigest()}))


def nothing_else(state: State) -> State:
    return {name: state[name] for name in ("state_dict", "ema", "clock")}


OTHER = "holds something other than plain data and tensors"
NONE = "is not a checkpoint of freqgan"
BROKEN = "is not a whole checkpoint"
MISFIT = "does not fit the model"
FINE = ""  # what is wrong with it is read by nobody

CHECKPOINTS: dict[str, tuple[Damage, str]] = {
    "code": (lambda s, p: torch.save(s | {"more": Payload(p.parents[3] / "exploited")}, p), OTHER),
    "code as a weight": (
        lambda s, p: torch.save(s | {"ema": {"ema.module.x": Payload(p.parents[3] / "exploited")}}, p),
        OTHER,
    ),
    "code of Lightning": (
        put(hyper_parameters={"_instantiator": "os.system", "_class_path": "os.mkdir"}, hparams_name="kwargs"),
        FINE,
    ),
    "a script": (scripted, "is damaged at"),
    "a pickle": (lambda s, p: torch.save(s, p, _use_new_zipfile_serialization=False), BROKEN),
    "a tar": (legacy_tar, BROKEN),
    "names that slip": (archive(slipping), OTHER),
    "a bomb": (archive(packed), "is damaged at"),
    "records in one place": (overlapping, "is damaged at"),
    "a size of exabytes": (directory(24, b"\xfe\xff\xff\x7f"), "is damaged at"),
    "an encrypted record": (directory(8, b"\1"), "is damaged at"),
    "a folder for a record": (directory(38, b"\x10"), "is damaged at"),
    "an expanded weight": (weights(lambda x: torch.zeros(1).expand(2**40)), "is not whole"),
    "an expanded optimiser": (put(optimizer_states=[{"state": {0: torch.zeros(1).expand(2**40)}}]), "is not whole"),
    "a sparse weight": (
        weights(lambda x: torch.sparse_coo_tensor(size=(2**40,), check_invariants=True)),
        OTHER,
    ),
    "a weight without memory": (weights(lambda x: x.to("meta")), "is not whole"),
    "an empty archive": (lambda s, p: zipfile.ZipFile(p, "w").close(), OTHER),
    "no bytes": (lambda s, p: p.write_bytes(b""), BROKEN),
    "half of it": (cut(0.5), BROKEN),
    "its last bytes gone": (cut(0.999), BROKEN),
    "a garbled byte": (garbled, BROKEN),
    "no clock": (put(clock={}), NONE),
    "a list for a clock": (put(clock=[]), NONE),
    "a path for a count": (put(clock={"images_seen": "x/../../../../../escaped"}), NONE),
    "no number for a count": (put(clock={"images_seen": float("nan")}), NONE),
    "less than no images": (put(clock={"images_seen": -1}), NONE),
    "a list of weights": (put(state_dict=[1]), NONE),
    "no average": (put(ema=None), NONE),
    "weights without names": (put(ema={0: torch.zeros(1)}), NONE),
    "weights that are none": (put(state_dict={"generator.x": 1}), NONE),
    "other weights": (put(state_dict={"generator.x": torch.zeros(1)}), MISFIT),
    "other sizes": (weights(lambda x: torch.zeros(*x.shape, 2)), MISFIT),
    "weights that are not finite": (weights(lambda x: x * float("nan") if x.is_floating_point() else x), "not finite"),
    "a link out of the run": (linked, "leads out of the run"),
    "a header of exabytes": (shared(lying_header), OTHER),
    "no facts": (shared(lambda target: target.with_suffix(".json").unlink()), "is not whole without"),
    "other bytes": (shared(lambda target: target.write_bytes(target.read_bytes()[:-1] + b"\1")), BROKEN),
}
FAST = [("sample", "code"), ("sample", "a path for a count"), ("export", "an expanded weight"), ("train", "code")]
EXPORTS = ("a header of exabytes", "no facts", "other bytes")  # from which no run goes on
CASES = [
    pytest.param(kind, verb, marks=[pytest.mark.slow] if verb != "load" and (verb, kind) not in FAST else [])
    for verb in ("load", "sample", "export", "train")
    for kind in CHECKPOINTS
    if verb != "train" or kind not in EXPORTS
]


@pytest.mark.fault("foreign", "hostile or damaged checkpoint")
@pytest.mark.parametrize(("kind", "verb"), CASES)
def test_a_checkpoint_from_elsewhere(run: Path, kind: str, verb: str) -> None:
    file = run / "checkpoints" / "last.ckpt"
    state = torch.load(file, weights_only=True)
    for path in file.parent.glob("*.ckpt"):
        path.unlink()
    damage, reason = CHECKPOINTS[kind]
    damage(state, file)
    above = {path: path.stat().st_mtime_ns for path in run.parents[1].iterdir() if path.is_file()}
    status, output = use(verb, run)
    if reason == FINE:
        assert status == 0, output
    elif verb == "train":  # which has words of its own for what it cannot go on from
        refused(status, output, "")
    else:
        refused(status, output, reason)
    left = {path for path in run.parents[1].iterdir() if path.is_file() and not path.name.startswith("output_")}
    assert left == above.keys()
    assert not (run.parents[1] / "exploited").exists()


@pytest.mark.fault("foreign", "hostile or damaged checkpoint")
def test_a_checkpoint_of_a_name_that_no_file_has(run: Path) -> None:
    refused(*use("sample", run, f"checkpoint={'x' * 300}"), "is not in")


# Configs


def at(path: str, value: Any) -> Callable[[State], str]:
    """A config with another value somewhere; `...` leaves the key out."""

    def changed(stored: State) -> str:
        *parents, key = path.split(".")
        node = stored
        for name in parents:
            node = node[name]
        node[key] = value
        if value is ...:
            del node[key]
        return yaml.safe_dump(stored)

    return changed


SHARDS = {"_target_": "freqgan.data.Shards", "_partial_": True}
CONFIGS: dict[str, tuple[str, Callable[[State], str], str]] = {
    "no seed": ("load", at("seed", ...), "seed is missing"),
    "a text for a seed": ("load", at("seed", "x"), "seed=x: wanted a whole number"),
    "no model": ("load", at("model", ...), "model is missing"),
    "a list for a model": ("load", at("model", [1]), "model=[1]: wanted a mapping"),
    "a model without a class": ("load", at("model", {}), "model={}: wanted a mapping with _target_"),
    "a metric for a model": ("load", at("model", {"_target_": "freqgan.metrics.NoEvaluation"}), "wanted one of"),
    "an unknown argument": ("load", at("model.zzz", 1), "model.zzz is unknown"),
    "a mistyped argument": ("load", at("model.latent_dim", "x"), "model.latent_dim=x: wanted a whole number"),
    "a class elsewhere": ("load", at("transform", {"_target_": "freqgan.losses.BCE"}), "does not fit the model"),
    "a larger model": ("load", at("model.generator.channels", 100_000), "does not fit the model"),
    "a smaller model": ("load", at("model.generator.channels", 1), "does not fit the model"),
    "a model of no width": ("load", at("model.generator.channels", -1), "channels=-1: wanted at least 1"),
    "a cycle": ("load", lambda stored: "a: &a [*a]\n", "has aliases"),
    "aliases": ("load", lambda stored: "a: &a [1]\nb: *a\n", "has aliases"),
    "six hundred lists": ("load", lambda stored: "a: " + "[" * 600 + "]" * 600, "is deeper than 64"),
    "a hundred thousand lists": ("load", lambda stored: "[" * 100_000, "is deeper than 64"),
    "a long number": ("load", lambda stored: f"a: {'9' * 5000}", "cannot be read"),
    "no text": ("load", lambda stored: "a: \0", "cannot be read"),
    "a name of a hub": (
        "load",
        at("model.low_generator", {"_target_": "freqgan.text.PretrainedEncoder", "name": "evil/network"}),
        "name=evil/network would be fetched",
    ),
    "an address": ("evaluate", at("data.root", "http://127.0.0.1:9/x"), "data.root=http://127.0.0.1:9/x is an address"),
    "an address in a cache": ("evaluate", at("data.source", SHARDS | {"root": "filecache::s3://x"}), "is an address"),
    "a device": ("evaluate", at("data.val_root", "/dev/zero"), "is neither a file nor a folder"),
    "crops elsewhere": (
        "evaluate",
        at("metrics", {"_target_": "freqgan.metrics.RestorationProtocol", "crops": "/elsewhere/crops"}),
        "metrics.crops=/elsewhere/crops would be written to, and is not in",
    ),
    "an argument without a name": ("load", at("loss", {"_target_": "freqgan.losses.BCE", "_args_": ["x"]}), "_args_"),
    "nobody's home": ("evaluate", at("data.root", "~nobody_of_this_name/x"), "can be no place"),
    "a cache elsewhere": (
        "evaluate",
        at("data.source", SHARDS | {"cache_dir": "/elsewhere/cache"}),
        "would be written to",
    ),
}


@pytest.mark.fault("foreign", "hostile stored config")
@pytest.mark.parametrize("kind", CONFIGS)
def test_a_config_from_elsewhere(run: Path, kind: str) -> None:
    verb, change, reason = CONFIGS[kind]
    (run / "config.yaml").write_text(change(yaml.safe_load((run / "config.yaml").read_text())))
    refused(*use(verb, run), reason)


@pytest.mark.parametrize("place", ["data.root=http://127.0.0.1:9/x", "allow_targets=['http://127.0.0.1:9/x']"])
def test_what_the_command_line_names_may_be_anywhere(run: Path, place: str, capsys: pytest.CaptureFixture[str]) -> None:
    stored = yaml.safe_load((run / "config.yaml").read_text())
    (run / "config.yaml").write_text(at("data.root", "http://127.0.0.1:9/x")(stored))
    assert cli.main(["evaluate", f"run={run}", place, "--cfg", "job"]) == 0
    assert "root: http://127.0.0.1:9/x" in capsys.readouterr().out


def texts(annotation: Any) -> bool:
    """Whether a parameter can be a text that no list of choices bounds."""
    kind, inner = get_origin(annotation), get_args(annotation)
    if kind in (Literal, collections.abc.Callable):
        return False
    return annotation in (str, Path) or any(texts(one) for one in (inner[-1:] if kind is dict else inner))


def test_every_text_that_a_stored_config_can_hold_is_known_to_be_a_place_or_none() -> None:
    unknown = {
        f"{target}.{name}"
        for target in shipped_targets()
        for name, parameter in parameters(locate(target)).items()
        if texts(parameter.annotation) and not {name, f"{target.rpartition('.')[2]}.{name}"} & PLACES.keys()
    }
    assert unknown == set()


# Links


@pytest.mark.fault("foreign", "link out of a run")
@pytest.mark.parametrize(("verb", "name"), [("sample", "samples"), ("export", "export"), ("train", "train.log")])
def test_nothing_is_written_through_a_link(run: Path, verb: str, name: str) -> None:
    outside = run.parents[1] / "outside"
    outside.mkdir()
    for old in (run / name,) if (run / name).exists() else ():
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    (run / name).symlink_to(outside)
    refused(*use(verb, run), "leads out of the run")
    assert list(outside.iterdir()) == []


def test_links_within_a_run_are_its_own(run: Path) -> None:
    (run / "newest").symlink_to(run / "checkpoints" / "last.ckpt")
    (run / "wandb" / "logs").mkdir(parents=True)
    (run / "wandb" / "logs" / "debug-core.log").symlink_to("/var/log/core.log")  # as W&B makes them
    status, output = use("sample", run)
    assert status == 0, output


# Records


DEEP = "[" * 100_000
OTHER_FACTS = {
    **{"status": "killed", "cpu_seconds": "x", "seconds": [], "images_seen": "x", "peak_memory_gib": {}},
    **{"machine": 1, "computing": [1], "rollbacks": 5, "resumed": 3, "wandb_fragments": 4},
}
RECORDS: dict[str, Callable[[Path], object]] = {
    "facts of other kinds": lambda run: (run / "run.json").write_text(
        json.dumps(json.loads((run / "run.json").read_text()) | OTHER_FACTS)
    ),
    "rows of other kinds": lambda run: (run / "metrics.jsonl").write_text(
        f'{DEEP}\n{{"images_seen": "x"}}\n{{"val/fd": 1}}\n{{"images_seen": 8, "val/fd": []}}\n'
    ),
}


@pytest.mark.fault("foreign", "record that is none")
@pytest.mark.parametrize("kind", RECORDS)
def test_a_record_from_elsewhere(run: Path, kind: str) -> None:
    record = json.loads((run / "run.json").read_text()) | {"status": "killed"}
    (run / "run.json").write_text(json.dumps(record))
    RECORDS[kind](run)
    folder = run.parents[1]
    for status, output in (
        command(["runs", f"paths.output_dir={folder}"], folder),
        train(folder, *MODEL, f"resume={run}"),
    ):
        assert status == 0, output


@pytest.mark.fault("foreign", "pipe in a run")
@pytest.mark.parametrize(("verb", "name"), [("sample", "x"), ("train", "checkpoints/images_99.ckpt")])
def test_a_pipe_is_not_waited_for(run: Path, verb: str, name: str) -> None:
    os.mkfifo(run / name)
    refused(*use(verb, run), "is neither a file nor a folder")
