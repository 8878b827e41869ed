"""Names to objects: `_target_` nodes are looked up and built here and nowhere else.

A node is a mapping with `_target_`, the dotted name of a class or function. Its other keys are keyword
arguments, nodes among them built first. `_args_` are positional arguments; `_partial_: true` leaves the call
to the receiver. Unlike with `hydra.utils.instantiate`, arguments arrive as plain values, parts are passed by
identity, and the exceptions of a constructor come out as they are.
"""

import importlib
import inspect
from collections.abc import Mapping
from functools import partial
from types import ModuleType
from typing import Any, Unpack, get_args, get_origin, get_type_hints

from freqgan.suggest import hint

TARGET, PARTIAL, ARGUMENTS = "_target_", "_partial_", "_args_"
PARTS = ("transform", "loss", "optim")  # groups that a model takes as built objects
# What a group has to build: its options are classes of this kind, or functions.
KINDS = {
    "model": "freqgan.systems.System",
    "data": "pytorch_lightning.LightningDataModule",
    "hardware": "freqgan.hardware.Hardware",
}


class TargetError(Exception):
    """A dotted name leads to nothing that can be called; the message has the nearest name."""


def is_node(value: object) -> bool:
    """Whether a value is a mapping with `_target_`."""
    return isinstance(value, Mapping) and TARGET in value


def as_node(value: dict[str, Any]) -> dict[str, Any]:
    """The value; raises a ValueError, in the words of the schema, unless it is a node."""
    if not is_node(value):
        raise ValueError(f"a mapping with {TARGET}: choose an option of the group, or name a class")
    return value


def locate(name: str) -> Any:
    """The class or function of a dotted name.

    Raises:
        TargetError: there is none.
    """
    head, *rest = str(name).split(".")
    found, path = _module(None, head, head), head
    for part in rest:
        parent, path = found, f"{path}.{part}"
        found = getattr(parent, part) if hasattr(parent, part) else _module(parent, part, path)
    if not callable(found):
        raise TargetError("wanted a class or a function")
    return found


def _module(parent: Any, name: str, path: str) -> ModuleType:
    """Imports the module of a path, `name` in `parent`."""
    if parent is not None and not isinstance(parent, ModuleType):
        raise TargetError(f"{path.rpartition('.')[0]} has no {name}")
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError as error:
        if error.name != path:
            raise TargetError(f"the package {error.name} is not installed") from error
        if parent is None:
            raise TargetError("there is no such package") from error
        public = [word for word in dir(parent) if not word.startswith("_")]
        near = hint(name, public, prefix=f"{parent.__name__}.")
        raise TargetError(f"{parent.__name__} has no {name}, {near}") from error
    except ValueError as error:
        raise TargetError("wanted a dotted name, as in torch.nn.Identity") from error


def parameters(target: Any) -> dict[str, inspect.Parameter]:
    """Parameters of a callable with resolved annotations.

    `**rules: Unpack[Rules]` gives one for each rule, and the `**settings` of a class those of the base class in the
    same package that it hands them to.

    Raises:
        ValueError: a builtin that does not tell its signature.
    """
    signature = inspect.signature(target)
    try:
        hints = get_type_hints(target.__init__ if isinstance(target, type) else target, include_extras=True)  # type: ignore[misc]
    except (NameError, TypeError):
        hints = {}  # they name what cannot be found at run time
    found: dict[str, inspect.Parameter] = {}
    for name, parameter in signature.parameters.items():
        annotation = hints.get(name, Any)
        if get_origin(annotation) is Unpack:
            found |= _rules(get_args(annotation)[0])
        elif parameter.kind in (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL):
            handed = _handed_on(target)
            found |= {name: parameter.replace(annotation=annotation)} if handed is None else handed | found
        else:
            found[name] = parameter.replace(annotation=annotation)
    return found


def _rules(rules: Any) -> dict[str, inspect.Parameter]:
    """A keyword-only parameter for each key of a TypedDict."""
    return {
        name: inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if name in rules.__required_keys__ else None,
            annotation=kind,
        )
        for name, kind in get_type_hints(rules, include_extras=True).items()
    }


def _handed_on(target: Any) -> dict[str, inspect.Parameter] | None:
    """What `*args` and `**kwargs` of a class can be; None where they can be anything."""
    if not isinstance(target, type):
        return None
    owner, *bases = [kind for kind in target.__mro__ if "__init__" in vars(kind)]
    if owner.__module__ == "torch.nn.modules.module":
        return {}  # an nn.Module without a constructor of its own takes nothing
    same = owner.__module__.partition(".")[0] == bases[0].__module__.partition(".")[0] if bases else False
    return parameters(bases[0]) if same else None


def build(node: Any, **parts: Any) -> Any:
    """The object that a node describes; nodes in lists and mappings are built, all else stays as it is.

    Args:
        node: plain data of a checked config.
        **parts: further keyword arguments of the outermost target, which win over those in the node.

    >>> build({"_target_": "fractions.Fraction", "_args_": [6, 8]})
    Fraction(3, 4)
    """
    if isinstance(node, list):
        return [build(item) for item in node]
    if not isinstance(node, Mapping):
        return node
    values = {name: build(value) for name, value in node.items() if name not in (TARGET, PARTIAL)}
    if not is_node(node):
        return values
    call = partial(locate(node[TARGET]), *values.pop(ARGUMENTS, []), **(values | parts))
    return call if node.get(PARTIAL) else call()


def build_data(config: Mapping[str, Any]) -> Any:
    """The DataModule of `config["data"]`, which draws what the system of `config["model"]` trains on.

    Args:
        config: root of a checked training config.
    """
    return build(config["data"], draws=locate(config["model"][TARGET]).DRAWS)


def build_model(config: Mapping[str, Any], **parts: Any) -> Any:
    """The system of `config["model"]`, given those of its parts that its constructor names.

    Args:
        config: root of a checked training config, or of a stored one.
        **parts: objects in place of those that `transform`, `loss` and `optim` describe, and further ones.
    """
    node = config["model"]
    known = parameters(locate(node[TARGET]))
    parts = {name: build(config.get(name)) for name in PARTS if name in known and name not in parts} | parts
    return build(node, **{name: part for name, part in parts.items() if name in known})
