"""What a page may ask of an editor: plain values within bounds, and nothing else."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from freqgan.errors import UserError

MOST_POINTS = 4096
MOST_SEED = 2**31 - 1
_FARTHEST = 1e6

Coordinate = Annotated[float, Field(ge=-_FARTHEST, le=_FARTHEST, allow_inf_nan=False)]
Place = tuple[Coordinate, Coordinate]
Whole = Annotated[int, Field(ge=-int(_FARTHEST), le=int(_FARTHEST))]


class _Request(BaseModel):
    """Keys are closed.

    Args:
        revision: of the canvas that the page shows; None if it shows none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    revision: int | None = None


class Show(_Request):
    """All there is, and what can be done with it; nothing, where the page shows it already."""

    do: Literal["show"]


class Paint(_Request):
    """A stroke."""

    do: Literal["paint"]
    points: Annotated[list[Place], Field(min_length=1, max_length=MOST_POINTS)]
    label: Annotated[int, Field(ge=0, le=255)]
    radius: Annotated[float, Field(ge=0, le=64, allow_inf_nan=False)]


class Move(_Request):
    """An instance elsewhere."""

    do: Literal["move"]
    at: Place
    by: tuple[Whole, Whole]


class Remove(_Request):
    """An instance no more."""

    do: Literal["remove"]
    at: Place


class Look(_Request):
    """The next look of an instance."""

    do: Literal["look"]
    at: Place


class Extend(_Request):
    """More room at a side."""

    do: Literal["extend"]
    side: Literal["left", "right"]


class Seed(_Request):
    """Other looks of all instances whose look nobody chose."""

    do: Literal["seed"]
    seed: Annotated[int, Field(ge=0, le=MOST_SEED)]


class Step(_Request):
    """Back or forth."""

    do: Literal["undo", "redo"]


class Example(_Request):
    """A label map of the run's examples in place of everything."""

    do: Literal["example"]
    number: Annotated[int, Field(ge=0)]


class Blank(_Request):
    """One class in place of everything."""

    do: Literal["blank"]
    label: Annotated[int, Field(ge=0, le=255)]


class Upload(_Request):
    """A label map in place of everything: a PNG file in base64."""

    do: Literal["upload"]
    png: str


class Download(_Request):
    """A file of the picture, the labels or the instances."""

    do: Literal["download"]
    what: Literal["picture", "labels", "instances"]


Change = Paint | Move | Remove | Look | Extend | Seed | Example | Blank | Upload
Request = Show | Download | Change | Step
_REQUESTS: TypeAdapter[Request] = TypeAdapter(Annotated[Request, Field(discriminator="do")])


def request_of(sent: Any) -> Request:
    """What was sent, checked.

    Raises:
        UserError: it is no request.
    """
    try:
        return _REQUESTS.validate_python(sent)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise UserError(f"no such request: {'.'.join(map(str, first['loc']))}: {first['msg']}"[:200]) from error
