"""A verb as a Hydra application, and Hydra's complaints as one line each."""

import importlib
import os
import re
import sys
from collections.abc import Callable, Sequence

import hydra
import yaml
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.errors import HydraException, MissingConfigException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import GrammarParseError, OmegaConfBaseException

from freqgan.config import check, overrides
from freqgan.config.schema import ROOTS
from freqgan.errors import FreqganError, InterruptedRunError, UserError
from freqgan.suggest import hint
from freqgan.terminal import log_to, stderr_handler
from freqgan.vocabulary import Vocabulary, shipped_conf, users_conf

Report = Callable[[Exception], int]


class UsersConf(SearchPathPlugin):
    """Appends the `conf/` folder of the working directory to the search path."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Behind the shipped folder, whose files win."""
        folder = users_conf()
        if folder is not None:
            search_path.append("working directory", f"file://{folder}")


def run(verb: str, module: str, arguments: Sequence[str], *, report: Report) -> int:
    """Composes a verb's config and calls its `main(cfg)`, once or, with `--multirun`, for every job.

    Args:
        verb: names the primary config and the schema of its root.
        module: of the verb; imported once its config has been checked.
        arguments: Hydra's flags and overrides.
        report: writes an error down and returns its exit status.

    Returns:
        The exit status; of several jobs 0 if all are well, 2 if all failures are the user's mistakes, else 1.

    Raises:
        UserError: the command line or a YAML file cannot be composed.
    """
    program = list(sys.argv)
    statuses: list[int] = []

    def job(cfg: DictConfig) -> None:
        sys.argv = program
        if HydraConfig.get().mode == RunMode.MULTIRUN:
            chosen = " ".join(override.lstrip("+") for override in HydraConfig.get().overrides.task)
            sys.stderr.write(f"freqgan: job {HydraConfig.get().job.num}: {chosen}\n")
        statuses.append(_job(verb, module, cfg, report))

    os.environ["HYDRA_FULL_ERROR"] = "1"
    Plugins.instance().register(UsersConf)
    try:
        # Hydra reads sys.argv; the verb sees the true one, from which Lightning starts its other processes.
        sys.argv = [program[0], *overrides.read(verb, arguments)]
        hydra.main(version_base="1.3", config_path=str(shipped_conf()), config_name=verb)(job)()
    except (HydraException, OmegaConfBaseException, yaml.YAMLError, OSError, ValueError) as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise UserError(in_one_line(error, verb)) from error
    finally:
        sys.argv = program
    return _overall(statuses)


def _overall(statuses: Sequence[int]) -> int:
    """One exit status for all jobs; those that failed are named."""
    if len(statuses) <= 1:
        return statuses[0] if statuses else 0
    failed = [job for job, status in enumerate(statuses) if status]
    if failed:
        sys.stderr.write(f"freqgan: {len(failed)} of {len(statuses)} jobs failed: {', '.join(map(str, failed))}\n")
    return 0 if not failed else 2 if all(statuses[job] == 2 for job in failed) else 1


def _job(verb: str, module: str, cfg: DictConfig, report: Report) -> int:
    """Checks and runs one job. Only a signal ends those that follow as well."""
    try:
        check(cfg, ROOTS[verb])
        with log_to(stderr_handler()):
            importlib.import_module(module).main(cfg)
    except InterruptedRunError as error:
        raise SystemExit(report(error)) from error
    except SystemExit as error:
        # Lightning ends so on a signal, and with status 0: what did not return is not done.
        return error.code if isinstance(error.code, int) and error.code else report(FreqganError(f"{verb} gave up"))
    except Exception as error:
        return report(error)
    return 0


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
        near = hint(absent[1], Vocabulary.here().defaults(verb))
        return f"{source}there is no {absent[1]} to override, {near}"
    if isinstance(error.__cause__, OmegaConfBaseException | yaml.YAMLError):
        return in_one_line(error.__cause__, verb)
    return re.sub(r" (full_key|object_type|reference_type)[:=].*", "", text) or type(error).__name__
