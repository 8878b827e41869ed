"""Label and instance maps of the Earth, drawn out of a water mask, heights and the outlines of countries.

All maps are equirectangular: longitude -180 to 180 from left to right, latitude 90 to -90 from top to bottom.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from freqgan.errors import UserError
from freqgan.ops.components import FIRST_THING

Ring = Sequence[tuple[float, float]]
"""Longitude and latitude of the corners of a polygon, in degrees."""


def height_classes(water: Image.Image, heights: Image.Image, steps: Sequence[float]) -> np.ndarray:
    """Classes of a map: 0 is water, n + 1 is land that is as high as n of the steps.

    Args:
        water: bright where there is water, mode L.
        heights: of the land, mode L, of any size; measured between its pixels.
        steps: in its grey levels, in order.

    Returns:
        uint8 (h, w) of the water mask's size.
    """
    measured = np.asarray(heights.convert("F").resize(water.size, Image.Resampling.BILINEAR))
    classes = 1 + np.searchsorted(np.asarray(steps, np.float32), measured, side="right")
    return np.where(np.asarray(water) >= 128, 0, classes).astype(np.uint8)


def country_instances(land: np.ndarray, file: Path) -> np.ndarray:
    """Countries as instances of a map.

    Args:
        land: bool (h, w).
        file: a GeoJSON collection of polygons.

    Returns:
        uint16 (h, w): 0 is water, 1 land in no country, and countries are 1000, 1001, … in the order of the file.

    Raises:
        UserError: the file cannot be read, or holds something else.
    """
    instances = land.astype(np.uint16)
    height, width = land.shape
    try:
        features = json.loads(file.read_text(encoding="utf-8"))["features"]
        for number, feature in enumerate(features):
            for rings in _polygons(feature["geometry"]):
                pixels = [[_pixel(*corner[:2], width, height) for corner in ring] for ring in rings]
                _fill(instances, pixels, FIRST_THING + number)
    except (OSError, ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise UserError(f"{file} cannot be read as GeoJSON polygons of countries: {reason}") from error
    return np.where(land, instances, 0).astype(np.uint16)


def _polygons(geometry: dict[str, Any]) -> Sequence[Sequence[Ring]]:
    """Each with its outline first, and then its holes."""
    if geometry["type"] not in ("Polygon", "MultiPolygon"):
        raise ValueError(f"a geometry is a {geometry['type']}")
    coordinates: Any = geometry["coordinates"]
    return [coordinates] if geometry["type"] == "Polygon" else coordinates


def _pixel(longitude: float, latitude: float, width: int, height: int) -> tuple[float, float]:
    # The middle of pixel 0 is half a pixel from the border, and drawing counts from the middles.
    return (longitude + 180) / 360 * width - 0.5, (90 - latitude) / 180 * height - 0.5


def _fill(instances: np.ndarray, rings: Sequence[Sequence[tuple[float, float]]], value: int) -> None:
    """Draws a polygon over a map, and leaves what is in its holes as it was."""
    corners = np.array(rings[0])
    left, top = np.floor(corners.min(0)).astype(int).clip(0)
    right, bottom = np.ceil(corners.max(0)).astype(int).clip(-1) + 1
    mask = Image.new("1", (max(right - left, 1), max(bottom - top, 1)))
    draw = ImageDraw.Draw(mask)
    for ring, inside in zip(rings, [1] + [0] * (len(rings) - 1), strict=True):
        draw.polygon([(x - left, y - top) for x, y in ring], fill=inside)
    part = instances[top:bottom, left:right]
    part[np.asarray(mask)[: part.shape[0], : part.shape[1]]] = value
