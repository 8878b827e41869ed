"""What can be chosen, read from the file system: the groups of `conf/`, their options, the primary configs.

A group is a folder, an option a YAML file in it, and the comment on its first line says what it is.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

PACKAGE = Path(__file__).parent
SWEEPING = ("train", "plan")  # verbs whose keys may have several values


def shipped_conf() -> Path:
    """The `conf/` folder of the wheel, or of the checkout."""
    inside = PACKAGE / "conf"
    return inside if inside.is_dir() else PACKAGE.parent / "conf"


def users_conf() -> Path | None:
    """The `conf/` folder of the working directory, if it is not the shipped one."""
    folder = Path("conf").absolute()
    return folder if folder.is_dir() and folder.resolve() != shipped_conf().resolve() else None


def summary(file: Path) -> str:
    """The comment on the first line of a YAML file, past Hydra's `@package` line; empty if there is none."""
    with file.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if not line.startswith("#"):
                break
            if "@package" not in line:
                return line.strip("# \n")
    return ""


def _chosen(file: Path) -> dict[str, Any]:
    """Group to option in a file's defaults list, which stands before its first empty line."""
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8").partition("\n\n")[0])
    except (yaml.YAMLError, UnicodeDecodeError):
        return {}  # told where the file is composed
    entries = content.get("defaults") or [] if isinstance(content, dict) else []
    return {name: option for entry in entries if isinstance(entry, dict) for name, option in entry.items()}


@dataclass(frozen=True)
class Vocabulary:
    """The words of some conf folders; where two define the same option, the first one counts.

    Args:
        folders: conf folders in the order of Hydra's search path.
    """

    folders: tuple[Path, ...]

    @classmethod
    def here(cls, *extra: Path) -> "Vocabulary":
        """Of `extra` folders, the shipped one and the working directory's, in this order."""
        own = users_conf()
        return cls((*extra, shipped_conf(), *([own] if own else [])))

    def is_group(self, name: str) -> bool:
        """Whether a folder of this name holds options."""
        return any((folder / name).is_dir() for folder in self.folders)

    def options(self, group: str) -> dict[str, str]:
        """Name and summary of every option; those in subfolders are named with slashes."""
        found: dict[str, str] = {}
        inner = self.inner_groups(group)
        for folder in self.folders:
            for file in sorted((folder / group).glob("**/*.yaml")):
                name = file.relative_to(folder / group).with_suffix("").as_posix()
                if name.partition("/")[0] not in inner:
                    found.setdefault(name, summary(file))
        return found

    def inner_groups(self, group: str) -> dict[str, str | None]:
        """Groups within a group, chosen in the defaults lists of its options, with that choice."""
        found: dict[str, str | None] = {}
        for file in (file for folder in self.folders for file in sorted((folder / group).glob("*.yaml"))):
            for name, option in _chosen(file).items():
                if self.is_group(f"{group}/{name}"):
                    found.setdefault(name, option)
        return found

    def choosing(self, group: str) -> list[str]:
        """The options that choose in a group within theirs, as `model=branch_sr` for `model/generator`."""
        outer, _, inner = group.rpartition("/")
        files = [file for folder in self.folders for file in sorted((folder / outer).glob("*.yaml"))] if outer else []
        return [f"{outer}={file.stem}" for file in files if inner in _chosen(file)]

    def defaults(self, verb: str) -> dict[str, str | None]:
        """Group to chosen option in the defaults list of a verb's primary config, nested ones included."""
        chosen: dict[str, str | None] = {}
        for entry in self._list(verb):
            if isinstance(entry, dict):
                for key, option in entry.items():
                    group = key.split("@")[0].split()[-1].lstrip("/")
                    chosen[group] = option
                    chosen |= {f"{group}/{name}": choice for name, choice in self.inner_groups(group).items()}
            elif entry != "_self_":
                chosen |= self.defaults(entry)
        return chosen

    def settings(self, verb: str) -> str:
        """The text of a verb's primary config below its defaults list: its scalars with their comments."""
        text = self._primary(verb).partition("\n\n")[2].strip()
        return text or "\n".join(self.settings(entry) for entry in self._list(verb) if entry != "_self_")

    def _list(self, verb: str) -> list[Any]:
        entries: list[Any] = yaml.safe_load(self._primary(verb)).get("defaults", [])
        return entries

    def _primary(self, verb: str) -> str:
        """The text of a primary config: comment and defaults list, an empty line, scalars."""
        file = next(file for folder in self.folders if (file := folder / f"{verb}.yaml").is_file())
        return file.read_text(encoding="utf-8")
