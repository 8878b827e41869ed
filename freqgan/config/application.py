"""A verb as a Hydra application, and Hydra's complaints as one line each."""

import importlib
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import hydra
import yaml
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.plugins import Plugins
from hydra.errors import HydraException, MissingConfigException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import GrammarParseError, OmegaConfBaseException

from freqgan.config import check, overrides
from freqgan.config.schema import ROOTS
from freqgan.errors import FreqganError, UserError
from freqgan.suggest import hint
from freqgan.terminal import log_to, stderr_handler
from freqgan.vocabulary import Vocabulary, shipped_conf, users_conf

Report = Callable[[Exception], int]
CANNOT_BE_COMPOSED = (HydraException, OmegaConfBaseException, yaml.YAMLError, OSError, ValueError)


class UsersConf(SearchPathPlugin):
    """Appends the `conf/` folder of the working directory to the search path."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Behind the shipped folder, whose files win."""
        folder = users_conf()
        if folder is not None:
            search_path.append("working directory", f"file://{folder}")


def run(
    verb: str,
    module: str,
    arguments: Sequence[str],
    *,
    report: Report,
    positional: str = "",
    sweep: str | None = None,
) -> int:
    """Composes a verb's config and calls its `main(cfg)`, or the `main(command)` of a sweep.

    Args:
        verb: names the primary config and the schema of its root.
        module: of the verb; imported once its config has been checked.
        arguments: Hydra's flags and overrides.
        positional: the list that arguments without `=` go to; none are taken if empty.
        report: writes an error down and returns its exit status.
        sweep: module that runs several jobs; None for a verb that takes one value for each key.

    Returns:
        The exit status.

    Raises:
        UserError: the command line or a YAML file cannot be composed.
    """
    program, statuses = list(sys.argv), [0]

    def job(cfg: DictConfig) -> None:
        sys.argv = program
        statuses.append(_job(verb, module, cfg, report))

    os.environ["HYDRA_FULL_ERROR"] = "1"
    Plugins.instance().register(UsersConf)
    taken: overrides.Sweeps = "never" if sweep is None else "always" if sweep == module else "asked"
    request = overrides.read(verb, arguments, sweeps=taken, positional=positional)
    if sweep is not None and request.several:
        return _sweep(sweep, request)
    try:
        # Hydra reads sys.argv; the verb sees the true one, from which Lightning starts its other processes.
        sys.argv = [program[0], *request.hydra, *request.flags]
        hydra.main(version_base="1.3", config_path=str(shipped_conf()), config_name=verb)(job)()
    except CANNOT_BE_COMPOSED as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise UserError(in_one_line(_named(error, verb, request.hydra), verb)) from error
    finally:
        sys.argv = program
    return statuses[-1]


def _job(verb: str, module: str, cfg: DictConfig, report: Report) -> int:
    """Checks a config and runs its verb."""
    try:
        check(cfg, ROOTS[verb])
        for group in [name for name in ROOTS[verb].model_fields if name not in cfg]:  # as after '~logger'
            OmegaConf.update(cfg, group, None, force_add=True)
        with log_to(stderr_handler()):
            importlib.import_module(module).main(cfg)
    except SystemExit as error:
        # Lightning ends so on a signal, and with status 0: what did not return is not done.
        return error.code if isinstance(error.code, int) and error.code else report(FreqganError(f"{verb} gave up"))
    except Exception as error:
        return report(error)
    return 0


def _sweep(module: str, request: overrides.Request) -> int:
    """Hands a command line with several jobs to the module that runs them."""
    from freqgan.config.sweeping import SweepCommand

    command = SweepCommand.read(request)
    with log_to(stderr_handler()):
        status: int = importlib.import_module(module).main(command)
    return status


def compose(verb: str, arguments: Sequence[str], *, folder: str | None = None) -> DictConfig:
    """The config of a verb, composed without running it.

    Args:
        verb: names the primary config.
        arguments: overrides, as `Request.hydra` has them.
        folder: of `--config-dir`.

    Raises:
        UserError: it cannot be composed.
    """
    Plugins.instance().register(UsersConf)
    searched = [f"hydra.searchpath=[file://{Path(folder).absolute()}]"] if folder else []
    try:
        with hydra.initialize_config_dir(str(shipped_conf()), version_base="1.3"):
            return hydra.compose(verb, [*arguments, *searched])
    except CANNOT_BE_COMPOSED as error:
        raise UserError(in_one_line(_named(error, verb, arguments), verb)) from error


def _named(error: BaseException, verb: str, arguments: Sequence[str]) -> BaseException:
    """An error of Hydra's that does not say which override it means, as one that does."""
    if type(error) is not ValueError:
        return error
    for count in range(1, len(arguments) + 1):
        try:
            with hydra.initialize_config_dir(str(shipped_conf()), version_base="1.3"):
                hydra.compose(verb, [*arguments[:count]])
        except ValueError:
            return ValueError(f"{arguments[count - 1].lstrip('+')}: {error}")
        except CANNOT_BE_COMPOSED:
            break
    return error


def in_one_line(error: BaseException, verb: str) -> str:
    """What Hydra, OmegaConf or the YAML parser could not compose, with the nearest name if there is one."""
    text = " ".join(str(error).split())
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        mark = error.problem_mark
        return f"{mark.name}, line {mark.line + 1}: {error.problem or error.context}"
    if isinstance(error, GrammarParseError):
        return f"a reference ${{…}} in a YAML file cannot be read: {text}"
    found = re.match(r"In '(.+?)': ", text)
    source = f"conf/{found[1]}.yaml: " if found and found[1] != verb else ""
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        name = error.missing_cfg_file.rpartition("/")[2]
        return f"{source}there is no conf/{error.missing_cfg_file}.yaml, {hint(name, error.options or [])}"
    if absent := re.search(r"Could not override '([^']+)'", text):
        if absent[1].startswith("hydra"):
            return f"there is no {absent[1]}: `freqgan {verb} --cfg hydra` prints Hydra's own settings"
        words = Vocabulary.here()
        owners = words.choosing(absent[1])
        near = f"only in {', '.join(owners)}" if owners else hint(absent[1], words.defaults(verb))
        return f"{source}there is no {absent[1]} to override, {near}"
    merged = re.match(r"Error merging override \+*(.+)", text)
    if merged and "Cannot merge DictConfig with" in str(error.__cause__):
        return f"{merged[1]}: wanted a mapping of keys to values"
    if isinstance(error.__cause__, OmegaConfBaseException | yaml.YAMLError):
        return (f"{merged[1]}: " if merged else "") + in_one_line(error.__cause__, verb)
    return re.sub(r" (full_key|object_type|reference_type)[:=].*", "", text) or type(error).__name__
