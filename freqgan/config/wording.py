"""Pydantic's findings as got, wanted and fix, each with its config path."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, get_args, get_origin, is_typeddict

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from freqgan.suggest import hint, nearest

Place = tuple[int | str, ...]


class Problem(NamedTuple):
    """One mistake: its config path, and what follows the path in its line."""

    path: str
    text: str


WANTED = {
    "bool_type": "true or false",
    "callable_type": "an object, given by _target_",
    "dict_type": "a mapping of keys to values",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_type": "a whole number",
    "is_instance_of": "an object, given by _target_",
    "iterable_type": "a list",
    "list_type": "a list",
    "mapping_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "needs_python_object": "an object, given by _target_",
    "none_required": "null",
    "path_type": "a path",
    "set_type": "a list",
    "string_type": "text",
    "tuple_type": "a list",
}
LIMITS = {
    "greater_than": "greater than",
    "greater_than_equal": "at least",
    "less_than": "less than",
    "less_than_equal": "at most",
}


def problems(
    errors: Iterable[ErrorDetails], value: Any, path: str, annotation: Any, elsewhere: Sequence[str] = ()
) -> Iterator[Problem]:
    """One problem for each place in `value` where something is wrong.

    Args:
        errors: of validating `value` against `annotation`, with locations relative to `value`.
        value: plain data.
        path: config path of `value`; empty for the root.
        annotation: knows the nearest key where one is unknown.
        elsewhere: paths to name where none of those keys is near.
    """
    places: dict[Place, list[ErrorDetails]] = {}
    for error in errors:
        places.setdefault(_place(error, value), []).append(error)
    for place, found in places.items():
        # A union reports each of its members: the one that got deepest into the value is what was meant.
        if not any(len(other) > len(place) and other[: len(place)] == place for other in places):
            names = keys(annotation, place[:-1])
            yield _problem(found, _at(value, place), join(path, *place), names, elsewhere)


def join(path: str, *more: Any) -> str:
    """A config path with further keys: `optim` and `lr` give `optim.lr`."""
    return ".".join(str(part) for part in (path, *more) if part != "")


def paths(value: Any, path: str = "") -> Iterator[str]:
    """The config path of every key inside a value.

    >>> list(paths({"optim": {"lr": 1, "betas": [0, 1]}}))
    ['optim', 'optim.lr', 'optim.betas']
    """
    for key, item in value.items() if isinstance(value, Mapping) else ():
        yield join(path, key)
        yield from paths(item, join(path, key))


def show(value: Any) -> str:
    """A value as it is typed on the command line, shortened where it is long.

    >>> show(None), show(True), show([1, 2]), show("")
    ('null', 'true', '[1, 2]', '(nothing)')
    """
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    text = str(value) or "(nothing)"
    return text if len(text) <= 60 else text[:57] + "..."


def keys(annotation: Any, place: Place = ()) -> list[str]:
    """The keys of the model or TypedDict at a place inside an annotation, of all members of a union."""
    members = (annotation, *get_args(annotation))
    if place and isinstance(place[0], int):
        items = [item for member in members if get_origin(member) is list for item in get_args(member)]
        return [name for item in items for name in keys(item, place[1:])]
    fields = [_fields(member) for member in members]
    if not place:
        return list(dict.fromkeys(name for names in fields for name in names))
    return [name for names in fields if place[0] in names for name in keys(names[str(place[0])], place[1:])]


def _fields(kind: Any) -> Mapping[str, Any]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return {name: field.annotation for name, field in kind.model_fields.items()}
    return kind.__annotations__ if is_typeddict(kind) else {}


def _problem(errors: list[ErrorDetails], got: Any, path: str, names: list[str], elsewhere: Sequence[str]) -> Problem:
    parent, _, key = path.rpartition(".")
    if errors[0]["type"] == "extra_forbidden":
        far = None if nearest(key, names) else nearest(key, elsewhere)
        near = f"did you mean {far}?" if far else hint(key, names, prefix=f"{parent}." if parent else "")
        return Problem(path, f" is unknown: {near}")
    if errors[0]["type"] == "missing":
        return Problem(path, f" is missing: set {path}=<value>")
    wanted = " or ".join(dict.fromkeys(_wanted(error, got) for error in errors))
    return Problem(path, f"={show(got)}: wanted {wanted}")


def _wanted(error: ErrorDetails, got: Any) -> str:
    kind = error["type"]
    if kind == "literal_error":
        choices = error["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        close = nearest(show(got), choices)
        return f"one of {', '.join(choices)}" + (f", did you mean {close}?" if close else "")
    if kind in ("int_type", "int_from_float") and isinstance(got, float) and got.is_integer():
        return f"a whole number: write {int(got)}"
    if kind in LIMITS:
        return f"{LIMITS[kind]} {next(iter(error['ctx'].values())):g}"
    if kind == "string_type" and isinstance(got, int | float):
        return f"text: quote it twice, '\"{show(got)}\"'"
    return WANTED.get(kind, error["msg"].removeprefix("Input should be ").removeprefix("Value error, "))


def _place(error: ErrorDetails, value: Any) -> Place:
    """The error's location without the tags of union members, which name no key of `value`."""
    place: list[int | str] = []
    *inner, last = error["loc"] or ("",)
    for key in inner if error["type"] == "missing" else error["loc"]:
        if (isinstance(value, Mapping) and key in value) or (isinstance(value, list) and isinstance(key, int)):
            value = value[key]  # type: ignore[index]
            place.append(key)
    return (*place, last) if error["type"] == "missing" else tuple(place)


def _at(value: Any, place: Place) -> Any:
    """What stands at a place; None where nothing does, as behind the end of a list that is too short."""
    for key in place:
        if isinstance(value, list):
            value = value[key] if isinstance(key, int) and key < len(value) else None
        else:
            value = value.get(key)
    return value
