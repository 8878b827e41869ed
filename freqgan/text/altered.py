"""Captions with one word replaced: wrong ones that are near the right one, where those of other images are far from it.

Reference: Yuksekgonul et al., "When and why vision-language models behave like bags-of-words", 2023, whose wrong
captions are a caption's own words in another order. Departure: a word gives way to another one that stands between the
same two neighbours somewhere in the data, which needs no tagger and keeps the grammar of the data. By chance, or where
the two words mean the same, it may be true of its image all the same; nothing here can tell.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import final

from freqgan.text.vocabulary import words_of

_EDGE = ""  # stands before the first word and behind the last one


@final
class Alterations:
    """What each word of a caption may be replaced by.

    Args:
        captions: whose words and their neighbours are learned.

    >>> Alterations(["a red ring", "a blue ring"]).alter("A red ring.", 0.5)
    'a blue ring'
    """

    def __init__(self, captions: Iterable[str]) -> None:
        found: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        for words in {tuple(words_of(caption)) for caption in captions}:
            for before, word, behind in zip((_EDGE, *words), words, (*words[1:], _EDGE), strict=False):
                found[before, behind].add(word)
        self._between = {place: sorted(words) for place, words in found.items() if len(words) > 1}

    def alter(self, caption: str, choice: float) -> str | None:
        """The caption in lower case with one of its words replaced; None if no word can be.

        Args:
            caption: any.
            choice: in [0, 1), of the place and of the other word; places are chosen alike.
        """
        words = words_of(caption)
        around = zip((_EDGE, *words), (*words[1:], _EDGE), strict=False)
        places = [
            (place, others)
            for place, neighbours in enumerate(around)
            if (others := [word for word in self._between.get(neighbours, ()) if word != words[place]])
        ]
        if not places:
            return None
        place, others = places[int(part := choice * len(places))]
        words[place] = others[int(part % 1 * len(others))]
        return " ".join(words)
