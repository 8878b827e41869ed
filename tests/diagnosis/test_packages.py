import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement

from freqgan.diagnosis import packages, requirements
from freqgan.diagnosis.row import Row

METADATA = """Metadata-Version: 2.4
Name: freqgan
Version: 9.9
Requires-Python: >=3.11
Requires-Dist: torch<3,>=2.9
Requires-Dist: numpy>=2
Requires-Dist: colorama>=1; sys_platform == "win32"
Provides-Extra: data
Requires-Dist: emoji>=2; extra == "data"
Provides-Extra: all
Requires-Dist: freqgan[data]; extra == "all"
Requires-Dist: nowhere>=1; extra == "all"
"""
Have = Callable[..., None]


@pytest.fixture
def have(monkeypatch: pytest.MonkeyPatch) -> Have:
    """Installs packages by name and version, with what this program asks for; nothing else is there."""

    def replace(versions: dict[str, str], *wanted: str, extras: tuple[str, ...] = ()) -> None:
        for module in (packages, requirements):
            monkeypatch.setattr(module, "installed", versions.get)
        lists = {"": wanted, **{extra: (extra,) for extra in extras}}
        monkeypatch.setattr(packages, "extras", lambda: list(extras))
        monkeypatch.setattr(packages, "requirements", lambda extra="": [Requirement(one) for one in lists[extra]])

    return replace


# What is asked for


def test_ranges_come_from_the_installed_packages_own_metadata(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "freqgan-9.9.dist-info").mkdir()
    (tmp_path / "freqgan-9.9.dist-info" / "METADATA").write_text(METADATA)
    monkeypatch.syspath_prepend(tmp_path)
    assert [str(one) for one in requirements.requirements()] == ["torch<3,>=2.9", "numpy>=2"]
    assert [one.name for one in requirements.requirements("data")] == ["emoji"]
    assert [one.name for one in requirements.requirements("all")] == ["freqgan", "nowhere"]
    assert requirements.extras() == ["data", "all"]
    assert requirements.python_range() == ">=3.11"
    assert packages.installed("freqgan") == "9.9"
    (row,) = packages.this_program()
    assert (row.status, row.fact.split()[0]) == ("ok", "9.9")


def test_a_checkout_that_is_not_installed_has_the_ranges_of_its_pyproject(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "installed", lambda name: None)
    monkeypatch.setattr(packages, "installed", lambda name: None)
    names = {one.name for one in requirements.requirements()}
    assert {"torch", "hydra-core", "packaging"} <= names
    assert set(packages.PROBES) <= names
    assert {"data", "optuna", "slurm", "ray", "dev"} <= set(requirements.extras())
    assert [one.name for one in requirements.requirements("optuna")] == ["optuna"]
    assert requirements.python_range() == ">=3.11"
    (row,) = packages.this_program()
    assert (row.status, row.remedy.split("'")[0]) == ("note", "pip install -e ")


# Whether it is there


def test_python(monkeypatch: pytest.MonkeyPatch) -> None:
    (row,) = packages.python()
    assert row.status == "ok"
    monkeypatch.setattr(packages, "python_range", lambda: ">=4")
    (row,) = packages.python()
    assert (row.status, row.remedy) == ("broken", "make a virtual environment with Python >=4")


def test_a_missing_package(have: Have) -> None:
    have({}, "torch>=2.9")
    assert list(packages.package("torch")) == [Row("torch", "broken", "is not installed", "pip install 'torch>=2.9'")]


@pytest.mark.parametrize(
    ("version", "status"), [("2.6.5", "broken"), ("2.6.6", "ok"), ("2.7.0rc1", "ok"), ("3.0", "broken")]
)
def test_a_version_outside_its_range(version: str, status: str, have: Have) -> None:
    have({"pytorch-lightning": version}, "pytorch-lightning>=2.6.6,<3")
    (row,) = packages.package("pytorch-lightning")
    assert row.status == status
    if status == "broken":
        assert row.fact == f"{version} is not >=2.6.6,<3"
        assert row.remedy == "pip install 'pytorch-lightning>=2.6.6,<3'"
    else:
        assert row.fact == f"{version} (>=2.6.6,<3)"


def test_every_required_package_works_here() -> None:
    for name in packages.PROBES:
        (row,) = packages.package(name)
        assert row.status == "ok", row


def test_a_torchvision_that_does_not_import_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision.ops", None)
    (row,) = packages.package("torchvision")
    assert row.status == "broken"
    assert "does not work: ModuleNotFoundError: import of torchvision.ops halted" in row.fact
    assert row.remedy == "pip install --force-reinstall torch torchvision"


def test_a_torchvision_whose_operators_do_not_run_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def nms(*arguments: object) -> None:
        raise RuntimeError("operator torchvision::nms does not exist")

    library = ModuleType("torchvision.ops")
    library.nms = nms  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torchvision.ops", library)
    (row,) = packages.package("torchvision")
    assert (row.status, "operator torchvision::nms does not exist" in row.fact) == ("broken", True)


def test_pytorch_wavelets_is_not_required(monkeypatch: pytest.MonkeyPatch) -> None:
    from freqgan.transforms.pytorch_wavelets_backend import library

    library.cache_clear()
    for name in [name for name in sys.modules if name.split(".")[0] == "pytorch_wavelets"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pytorch_wavelets", None)
    (row,) = packages.package("pytorch-wavelets")
    assert row.status == "note"
    assert row.remedy.startswith("set transform.backend=native")


def test_other_packages_are_one_row_until_one_lacks(have: Have) -> None:
    have({"scipy": "1.20", "rich": "14.0"}, "torch>=2", "scipy>=1.14", "rich>=13.9")
    (row,) = packages.other_packages()
    assert (row.name, row.status, row.fact.split()[0]) == ("others", "ok", "2")
    have({"scipy": "1.20", "rich": "13.0"}, "scipy>=1.14", "rich>=13.9", "fsspec>=2024.6")
    rows = list(packages.other_packages())
    assert [(row.name, row.status, row.remedy) for row in rows] == [
        ("rich", "broken", "pip install 'rich>=13.9'"),
        ("fsspec", "broken", "pip install 'fsspec>=2024.6'"),
    ]


def test_packages_that_do_not_suit_each_other(have: Have, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {
        "torchvision": ["torch==2.9.0", 'scipy; extra == "scipy"'],
        "torch": ["sympy>=1.13", 'tbb; sys_platform == "win32"'],
        "sympy": ["mpmath<1.4,>=1.1"],
    }
    monkeypatch.setattr(packages.metadata, "requires", asked.get)
    have({"torchvision": "0.24", "torch": "2.9.0", "sympy": "1.14", "mpmath": "1.3"}, "torchvision", "torch")
    assert [row.status for row in packages.agreement()] == ["ok"]
    have({"torchvision": "0.24", "torch": "2.14", "sympy": "1.14"}, "torchvision", "torch")
    rows = {row.name: (row.status, row.fact, row.remedy) for row in packages.agreement()}
    assert rows == {
        "torchvision": (
            "note",
            "torchvision 0.24 wants torch==2.9.0, found 2.14",
            "pip install --upgrade torchvision 'torch==2.9.0'",
        ),
        "sympy": (
            "note",
            "sympy 1.14 wants mpmath>=1.1,<1.4, found nothing",
            "pip install --upgrade sympy 'mpmath>=1.1,<1.4'",
        ),
    }


@pytest.mark.parametrize(
    ("version", "status"), [(None, "ok"), ("2.6.1", "note"), ("2.6.2", "broken"), ("2.6.3", "broken")]
)
def test_the_package_of_nearly_the_same_name(version: str | None, status: str, have: Have) -> None:
    have({"lightning": version} if version else {})
    (row,) = packages.lightning()
    assert row.status == status
    assert row.remedy.startswith("pip uninstall lightning") == (version is not None)


def test_extras_are_complete_or_have_a_command(have: Have) -> None:
    have({"optuna": "5.0"}, extras=("optuna", "ray"))
    assert list(packages.optional_parts()) == [
        Row("extra optuna", "ok", "complete: optuna 5.0"),
        Row("extra ray", "note", "ray is not installed", "pip install 'freqgan[ray]'"),
    ]
