"""Whole numbers that are at least one, as annotations: `freqgan.config` holds settings against them."""

from typing import Annotated

from pydantic import Field

Count = Annotated[int, Field(ge=1)]
