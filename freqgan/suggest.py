"""The nearest name to a mistyped one."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(word: str, options: Iterable[str]) -> str | None:
    """The option closest to `word` by its whole name or what follows its last dot or slash, if any is close.

    >>> nearest("frequncy_gan", ["pix2pix", "frequency_gan"])
    'frequency_gan'
    >>> nearest("openmojy", ["frequency_gan/openmoji", "frequency_gan/folder"])
    'frequency_gan/openmoji'
    """
    options = list(options)
    names = {option.replace("/", ".").rpartition(".")[2].lower(): option for option in reversed(options)}
    names |= {option.lower(): option for option in options}
    close = get_close_matches(word.lower(), names, n=1, cutoff=0.6)
    return names[close[0]] if close else None


def hint(word: str, options: Iterable[str], *, prefix: str = "") -> str:
    """`did you mean …?` with the nearest option behind `prefix`, or else what there is.

    >>> hint("lrr", ["lr", "betas"], prefix="optim.")
    'did you mean optim.lr?'
    >>> hint("momentum", ["lr", "betas"])
    'there is lr, betas'
    """
    options = list(options)
    found = nearest(word, options)
    if found:
        return f"did you mean {prefix}{found}?"
    return f"there is {', '.join(options)}" if options else "there is nothing to choose from"
