"""What OpenMoji's file names say: captions, and which drawings are variants of one another.

A drawing is named by its code points, `1F469-1F3FD-200D-1F680` for an astronaut, woman, medium skin tone.
"""

import re
import unicodedata

_JOINERS = frozenset({"200D", "FE0F"})
_SKIN_TONES = frozenset({"1F3FB", "1F3FC", "1F3FD", "1F3FE", "1F3FF"})
_SIGNS = frozenset({"2640", "2642", "27A1"})  # woman, man, facing right
_PERSON, _CHILD, _FAMILY = "1F9D1", "1F9D2", "1F46A"
_NEUTRAL = {
    **dict.fromkeys(("1F468", "1F469"), _PERSON),
    **dict.fromkeys(("1F466", "1F467"), _CHILD),
    **dict.fromkeys(("1F474", "1F475"), "1F9D3"),
    **dict.fromkeys(("1F46C", "1F46D"), "1F46B"),
    **dict.fromkeys(("1F934", "1F478"), "1FAC5"),
}
_NEUTRAL_SEQUENCES = {
    (_PERSON, "1F91D", _PERSON): "1F46B",
    (_PERSON, "2764", "1F48B", _PERSON): "1F48F",
    (_PERSON, "2764", _PERSON): "1F491",
    ("1FAF1", "1FAF2"): "1F91D",
}


def base(code: str) -> str:
    """The code points without skin tone, gender and direction: equal for variants of one drawing.

    >>> base("1F469-1F3FD-200D-1F680"), base("1F468-200D-1F680"), base("2640-FE0F")
    ('1F9D1-1F680', '1F9D1-1F680', '2640')
    """
    points = [point for point in code.split("-") if point not in _JOINERS]
    plain = [point for point in points if point not in _SKIN_TONES | _SIGNS] or points
    neutral = tuple(_NEUTRAL.get(point, point) for point in plain)
    if len(neutral) > 1 and set(neutral) <= {_PERSON, _CHILD}:
        return _FAMILY
    return _NEUTRAL_SEQUENCES.get(neutral, "-".join(neutral))


def captions(code: str) -> list[str]:
    """English captions of a drawing, the Unicode name first, then its aliases; never empty.

    >>> captions("1F44D"), captions("1F1EE-1F1F8")
    (['thumbs up', 'thumbsup', '+1'], ['flag of Iceland'])
    """
    import emoji

    entry = emoji.EMOJI_DATA.get("".join(chr(int(point, 16)) for point in code.split("-")))
    if entry is None:
        return [_composed_name(code)]
    names = [name.strip(":").replace("_", " ") for name in (entry["en"], *entry.get("alias", ()))]
    if re.fullmatch(r"1F1[EF][0-9A-F]-1F1[EF][0-9A-F]", code):
        return [f"flag of {names[0]}"]
    return list(dict.fromkeys(names))


def _composed_name(code: str) -> str:
    """A name for drawings that Unicode does not name: regional flags, joined drawings, OpenMoji's own."""
    points = [int(point, 16) for point in code.split("-") if point not in _JOINERS]
    letters = "".join(chr(point - 0xE0000) for point in points if 0xE0020 < point < 0xE007F)
    if letters:
        return f"flag of {letters[:2].upper()}-{letters[2:].upper()}"
    names = [unicodedata.name(chr(point), "").lower() for point in points]
    return " and ".join(name for name in names if name) or "symbol"
