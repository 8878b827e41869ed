"""Configs: three nets that catch mistakes before anything is built, and the one place that builds.

The nets are the root schema (`schema`), the signature of every `_target_` (`signature`) and the rules between
fields (`rules`). The findings of the first two come together; the rules want a config that has none.
"""

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from freqgan.config.rules import RULES
from freqgan.config.schema import Section, Train, root_problems
from freqgan.config.signature import kind_problems, node_problems
from freqgan.config.stored import check_stored, load_run
from freqgan.config.targets import PARTS, build, build_data, build_model
from freqgan.config.wording import Problem, join
from freqgan.errors import UserError

__all__ = ["PARTS", "build", "build_data", "build_model", "check", "check_stored", "load_run", "resolve"]


def check(config: DictConfig | Mapping[str, Any], root: type[Section] = Train) -> None:
    """Raises all that is wrong with a config; builds only a training config's model, on the meta device.

    Args:
        config: as composed.
        root: schema of the verb's root; the rules between fields are those of `Train`.

    Raises:
        UserError: one line for each mistake, with its config path.
    """
    plain, problems = _resolved(config)
    given = {"model": [name for name in PARTS if plain.get(name) is not None]}
    problems += [*root_problems(plain, root), *kind_problems(plain), *node_problems(plain, given=given)]
    # The first finding at a path stands: what is not set is not mistyped as well.
    lines = [path + text for path, text in {problem.path: problem for problem in reversed(problems)}.values()]
    if not lines and issubclass(root, Train):
        lines = [line for rule in RULES for line in rule(plain)]
    if lines:
        raise UserError(*sorted(lines))


def resolve(config: DictConfig | Mapping[str, Any]) -> dict[str, Any]:
    """A config as plain data, references filled in.

    Raises:
        UserError: a line for each value that has to be set and is not, and each reference that leads nowhere.
    """
    plain, problems = _resolved(config)
    if problems:
        raise UserError(*(path + text for path, text in problems))
    return plain


def _resolved(config: DictConfig | Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    problems: list[Problem] = []
    root = config if isinstance(config, DictConfig) else OmegaConf.create(dict(config))
    plain: dict[str, Any] = _plain(root, "", problems)
    return plain, problems


def _plain(value: Any, path: str, problems: list[Problem]) -> Any:
    """A config value without OmegaConf's types; what has no value is named in `problems`, and None."""
    if isinstance(value, ListConfig):
        return [_plain(_item(value, i, path, problems), join(path, i), problems) for i in range(len(value))]
    if isinstance(value, DictConfig):
        return {str(key): _plain(_item(value, key, path, problems), join(path, key), problems) for key in value}
    return value


def _item(container: DictConfig | ListConfig, key: Any, path: str, problems: list[Problem]) -> Any:
    where = join(path, key)
    try:
        return container[key]
    except MissingMandatoryValue:
        problems.append(Problem(where, f" has to be set: {where}=<value>"))
    except OmegaConfBaseException as error:
        problems.append(Problem(where, f" refers to nothing: {str(error).splitlines()[0]}"))
    return None
