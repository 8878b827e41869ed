"""HTML pages that need nothing else: no network, light and dark; `base.html` is what they have in common."""

import base64
from pathlib import Path

import jinja2


def render(template: Path, **values: object) -> str:
    """A page.

    Args:
        template: extends `base.html`, which wants a `title`.
        **values: of the template; all of them are needed, and text is escaped.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader((template.parent, Path(__file__).parent)),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template.name).render(values)


def data_uri(content: bytes, kind: str) -> str:
    """A file within a page.

    >>> data_uri(b"<svg/>", "image/svg+xml")
    'data:image/svg+xml;base64,PHN2Zy8+'
    """
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
