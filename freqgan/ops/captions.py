"""What captions say, for deciding which of them are equal."""

import re

_WORD = re.compile(r"\w+")


def wording(caption: str) -> str:
    """The words in lower case: captions of the same words say the same, whatever their punctuation.

    >>> wording("A red  circle!") == wording("a red circle")
    True
    """
    return " ".join(_WORD.findall(caption.lower()))
