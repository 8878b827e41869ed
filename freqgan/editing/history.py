"""What was before an edit, and what was taken back."""

from dataclasses import dataclass
from typing import final

from freqgan.editing.canvas import Canvas

MOST = 64  # steps that can be taken back; older ones are forgotten


@final
@dataclass(frozen=True)
class History:
    """A canvas with those before it; steps make a new history.

    Args:
        canvas: the present one.
        before: what it came from, the oldest first.
        after: what was taken back, the last first.
    """

    canvas: Canvas
    before: tuple[Canvas, ...] = ()
    after: tuple[Canvas, ...] = ()

    def added(self, canvas: Canvas) -> "History":
        """With another present; what was taken back is forgotten."""
        return History(canvas, (*self.before, self.canvas)[-MOST:])

    def undone(self) -> "History":
        """A step back; itself if there is none."""
        if not self.before:
            return self
        return History(self.before[-1], self.before[:-1], (*self.after, self.canvas))

    def redone(self) -> "History":
        """A step forth again; itself if none was taken back."""
        if not self.after:
            return self
        return History(self.after[-1], (*self.before, self.canvas), self.after[:-1])
