"""The ceilings and bans that keep the package readable; what ruff and import-linter hold is not repeated here."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from freqgan.cli import VERBS

ROOT = Path(__file__).parents[1]
PACKAGE, TESTS = ROOT / "freqgan", ROOT / "tests"
MODULES = sorted(PACKAGE.rglob("*.py"))
TREES = {path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text()) for path in MODULES}
FOLDERS = (".ci", "conf", "experiments", "freqgan", "tests")
FILES = (".gitignore", ".pre-commit-config.yaml", "Makefile", "README.md", "constraints.txt", "pyproject.toml")

# What only these files may do, and why.
DOWNLOADS = {"features/released.py": "the published weights, checked against the hash in their name"}


def ceiling(path: Path) -> int:
    """Lines that a file may have."""
    if path.parent == PACKAGE / "systems":
        return 300 if path.stem == "base" else 180
    verbs = {verb.module for verb in VERBS.values()}
    return 120 if path.parent == PACKAGE and f"freqgan.{path.stem}" in verbs else 300


def functions(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every function with the lines of its body, the docstring left out."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            yield node.name, (node.body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def imports(tree: ast.AST) -> set[str]:
    """Top-level names of everything imported, wherever it is."""
    nodes = list(ast.walk(tree))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    return {name.split(".")[0] for name in names}


def calls(tree: ast.AST) -> Iterator[tuple[str, dict[str | None, str], int]]:
    """Every call: the name as it is written, the keyword arguments as they are written, and the line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            yield ast.unparse(node.func), keywords, node.lineno


def test_files_are_short() -> None:
    lines = {path: len(path.read_text().splitlines()) for path in MODULES}
    assert [f"{path.relative_to(ROOT)}: {n}" for path, n in lines.items() if n > ceiling(path)] == []


def test_functions_are_short() -> None:
    long = [f"{file}: {name} has {n} lines" for file, tree in TREES.items() for name, n in functions(tree) if n > 40]
    assert long == []


def test_module_names_say_what_is_inside() -> None:
    empty = {"util", "utils", "common", "misc", "helper", "helpers"}
    assert [path for path in MODULES if empty & set(path.relative_to(PACKAGE).with_suffix("").parts)] == []


def test_no_file_that_is_read_can_run_code() -> None:
    banned = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
    found = [f"{file} imports {name}" for file, tree in TREES.items() for name in banned & imports(tree)]
    for file, tree in TREES.items():
        for name, given, line in calls(tree):
            safe = {
                "torch.load": given.get("weights_only") == "True",
                "np.load": given.get("allow_pickle", "False") == "False",
                **dict.fromkeys(("yaml.load", "yaml.full_load", "yaml.unsafe_load", "eval", "exec"), False),
            }
            if not safe.get(name, True):
                found.append(f"{file}:{line}: {name}")
    assert found == []


def test_downloads_are_few_and_checked() -> None:
    found = [
        (file, given.get("check_hash"), given.get("weights_only"))
        for file, tree in TREES.items()
        for name, given, _ in calls(tree)
        if name.split(".")[-1] in ("load_state_dict_from_url", "download_url_to_file", "urlopen", "urlretrieve")
    ]
    assert found == [(file, "True", "True") for file in DOWNLOADS]


def test_words_go_to_the_log_or_the_console() -> None:
    assert [f"{file}:{line}" for file, tree in TREES.items() for name, _, line in calls(tree) if name == "print"] == []


def test_the_tests_mirror_the_package() -> None:
    packages = {path.parent.relative_to(PACKAGE) for path in MODULES if path.name == "__init__.py"} - {Path()}
    folders = {path.parent.relative_to(TESTS) for path in TESTS.rglob("test_*.py")} - {Path()}
    in_one_file = {package for package in packages if (TESTS / package.parent / f"test_{package.name}.py").exists()}
    assert packages - in_one_file - folders == set()
    assert folders - packages == set()


def test_no_file_knows_a_machine() -> None:
    # A path below a folder that differs between machines; names in angle brackets and URLs are none.
    roots = "home|Users|root|work|mnt|media|scratch|data|tmp|opt|srv|private"
    path_of_a_machine = re.compile(rf"(?<![\w.>}})~/-])/(?:{roots})/\w|\b[A-Z]:\\\w")
    files = [*(ROOT / name for name in FILES), *(path for name in FOLDERS for path in (ROOT / name).rglob("*"))]
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in files
        if path.is_file() and path.suffix not in (".pyc", ".png")
        for number, line in enumerate(path.read_text(errors="ignore").splitlines(), 1)
        if path_of_a_machine.search(line)
    ]
    assert found == []


def test_links_lead_somewhere() -> None:
    pages = [ROOT / "README.md", *(path for name in FOLDERS for path in (ROOT / name).rglob("*.md"))]
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())]
    assert len(links) > 20
    assert [f"{page.relative_to(ROOT)}: {link}" for page, link in links if not (page.parent / link).exists()] == []


def test_headings_that_are_linked_exist() -> None:
    pages = [ROOT / "README.md", *(path for name in FOLDERS for path in (ROOT / name).rglob("*.md"))]
    found = []
    for page in pages:
        for link, heading in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text()):
            headings = re.findall(r"(?m)^#+ (.+)$", (page.parent / link if link else page).read_text())
            if heading not in [re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for text in headings]:
                found.append(f"{page.relative_to(ROOT)}: {link}#{heading}")
    assert found == []
