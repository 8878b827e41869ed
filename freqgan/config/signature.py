"""Every `_target_` node against the signature of what it names: the constructor is the schema.

Values are held against annotations as strictly as JSON allows: no text for a number, no fraction for a whole
one. Nothing is built.
"""

import inspect
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from functools import lru_cache, reduce
from math import isnan
from operator import or_
from types import UnionType
from typing import Annotated, Any, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

import typing_extensions
from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, to_json

from freqgan.config.targets import ARGUMENTS, KINDS, PARTIAL, TARGET, TargetError, is_node, locate, parameters
from freqgan.config.wording import Problem, join, keys, problems, show
from freqgan.suggest import hint

STRICT = ConfigDict(strict=True, extra="forbid", arbitrary_types_allowed=True)
EMPTY = inspect.Parameter.empty
PLAIN = (bool, int, float, str)
KEYWORDS, POSITIONALS = inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL


def node_problems(
    value: Any, path: str = "", *, given: Mapping[str, Collection[str]] | None = None
) -> Iterator[Problem]:
    """One problem for each argument that is unknown, missing or mistyped, in all nodes inside `value`.

    Args:
        value: plain data.
        path: config path of `value`; empty for the root.
        given: config path of a node to the arguments that it gets when it is built.
    """
    given = given or {}
    if is_node(value):
        yield from _one_node(value, path, given.get(path, ()))
    if isinstance(value, float) and isnan(value):
        yield Problem(path, "=nan: wanted a number; text is quoted twice, '\"nan\"'")
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from node_problems(item, join(path, key), given=given)


def kind_problems(config: Mapping[str, Any]) -> Iterator[Problem]:
    """One problem for each group of a root config that builds something of another kind than what is needed there."""
    for group, kind in KINDS.items():
        if is_node(config.get(group)):
            yield from _built(config[group], group, locate(kind))


def _one_node(node: Mapping[str, Any], path: str, given: Collection[str]) -> Iterator[Problem]:
    name = node[TARGET]
    try:
        known = parameters(locate(name))
    except TargetError as error:
        yield Problem(join(path, TARGET), f"={show(name)}: {error}")
        return
    except ValueError:
        return  # a builtin that does not tell its signature
    filled = yield from _positionals(node.get(ARGUMENTS, []), known, path)
    rest = next((p for p in known.values() if p.kind == KEYWORDS), None)
    named = {n: p for n, p in known.items() if p.kind not in (KEYWORDS, POSITIONALS) and n not in filled}
    for key in [key for key in node if key not in (TARGET, PARTIAL, ARGUMENTS)]:
        parameter = named.get(key, rest)
        if parameter is None:
            free = hint(key, [n for n in named if n not in given], prefix=join(path, " ")[:-1])
            yield Problem(join(path, key), f" is unknown to {name}: {free}")
        else:
            yield from _value(node[key], join(path, key), parameter)
    for key, parameter in named.items():
        if parameter.default is EMPTY and key not in node and key not in given and not node.get(PARTIAL):
            fix = f"set {join(path, key)}=<{_spell(parameter.annotation)}>"
            yield Problem(join(path, key), f" is missing: {name} needs it, {fix}")


def _positionals(
    values: Sequence[Any], known: Mapping[str, inspect.Parameter], path: str
) -> Generator[Problem, None, list[str]]:
    """Checks `_args_`; returns the names of the parameters that they fill."""
    slots = [p for p in known.values() if p.kind not in (KEYWORDS, inspect.Parameter.KEYWORD_ONLY)]
    filled: list[str] = []
    for i, value in enumerate(values):
        slot = slots[min(i, len(slots) - 1)] if slots else None
        if slot is None or (i >= len(slots) and slot.kind != POSITIONALS):
            yield Problem(join(path, ARGUMENTS, i), f" is one too many: it takes {len(slots)} positional arguments")
        else:
            filled.append(slot.name)
            yield from _value(value, join(path, ARGUMENTS, i), slot)
    return filled


def _value(value: Any, path: str, parameter: inspect.Parameter) -> Iterator[Problem]:
    """A value against its annotation; nodes in it count as what they build."""
    annotation = parameter.annotation
    if is_node(value):
        yield from _built(value, path, annotation)
    elif isinstance(value, list | dict) and _holds_node(value):
        # The nodes inside are visited by themselves; only their classes matter here.
        inner = [get_args(kind)[-1] for kind in (annotation, *get_args(annotation)) if get_args(kind)]
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            if is_node(item) and inner:
                yield from _built(item, join(path, key), inner[-1])
    elif found := _mismatches(value, annotation):
        usual = "" if parameter.default in (EMPTY, None) else f" (default {show(parameter.default)})"
        for problem in problems(found, value, path, annotation):
            yield Problem(problem.path, problem.text + (usual if problem.path == path else ""))


def _mismatches(value: Any, annotation: Any) -> list[ErrorDetails]:
    adapter = _adapter(annotation)
    if adapter is None:
        return []
    try:
        adapter.validate_json(to_json([value], inf_nan_mode="constants"))
    except ValidationError as error:
        return [ErrorDetails(**(detail | {"loc": detail["loc"][1:]})) for detail in error.errors()]
    return []


def _built(node: Mapping[str, Any], path: str, annotation: Any) -> Iterator[Problem]:
    """Whether a node builds an instance of one of the annotation's classes, where both can be told."""
    annotation = _bare(annotation)
    choices = get_args(annotation) if get_origin(annotation) is not Callable else ()
    members = tuple(_bare(m) for m in (choices or (annotation,)) if m is not type(None))
    try:
        target = locate(node[TARGET])
    except TargetError:
        return  # reported where the node itself is visited
    unlike = bool(members) and all(m in PLAIN or isinstance(m, PLAIN) for m in members)  # values, or those of a Literal
    if not unlike and not node.get(PARTIAL) and isinstance(target, type) and Any not in members:
        unlike = all(map(_is_plain_class, members)) and not issubclass(target, members)
    if unlike:
        yield Problem(path, f": wanted {_spell(annotation)}, {node[TARGET]} builds something else")
    elif not node.get(PARTIAL) and isinstance(target, type) and all(_makes(m, target) for m in members):
        yield Problem(path, f": what needs it calls {node[TARGET]} itself, set {join(path, PARTIAL)}=true")


def _makes(kind: Any, target: type) -> bool:
    """Whether something is wanted that builds a target, rather than a target that can be called."""
    anything = get_args(kind)[-1:] in ((), (Any,))
    return get_origin(kind) is Callable and not (anything and any("__call__" in vars(base) for base in target.__mro__))


def _is_plain_class(kind: Any) -> bool:
    return isinstance(kind, type) and get_origin(kind) is None and not getattr(kind, "_is_protocol", False)


def _holds_node(value: Any) -> bool:
    items = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return is_node(value) or any(_holds_node(item) for item in items)


@lru_cache(maxsize=4096)
def _adapter(annotation: Any) -> TypeAdapter[Any] | None:
    """A validator of one-element lists of the annotation; None where pydantic cannot tell.

    The list carries the strict settings to the inside of TypedDicts, which refuse them at the top.
    """
    listed: Any = tuple[_readable(annotation)]  # type: ignore[misc]
    try:
        return TypeAdapter(listed, config=STRICT)
    except PydanticUserError:
        return None


def _readable(annotation: Any) -> Any:
    """The annotation with TypedDicts of typing_extensions, all that pydantic reads before Python 3.12."""
    if is_typeddict(annotation):
        make: Any = typing_extensions.TypedDict
        fields = {name: _readable(kind) for name, kind in get_type_hints(annotation, include_extras=True).items()}
        optional = annotation.__optional_keys__
        return make(annotation.__name__, {n: NotRequired[k] if n in optional else k for n, k in fields.items()})
    if get_origin(annotation) in (Union, UnionType):
        return reduce(or_, map(_readable, get_args(annotation)))
    if get_origin(annotation) in (list, dict):
        return get_origin(annotation)[tuple(map(_readable, get_args(annotation)))]
    return annotation


def _bare(annotation: Any) -> Any:
    """An annotation without its limits."""
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _spell(annotation: Any) -> str:
    """An annotation as a short name."""
    annotation = _bare(annotation)
    if isinstance(annotation, type) and not get_args(annotation):
        return annotation.__name__
    return ", ".join(keys(annotation)) or str(annotation).replace("typing.", "").removesuffix(" | None")
