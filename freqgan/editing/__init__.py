"""Label maps painted on in a browser, and their pictures at once."""

from freqgan.editing.canvas import Canvas
from freqgan.editing.editor import Editor, Materials
from freqgan.editing.label_files import LabelFiles
from freqgan.editing.rendering import Renderer

__all__ = ["Canvas", "Editor", "LabelFiles", "Materials", "Renderer"]
