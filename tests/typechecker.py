"""Annotations, shapes among them, are executed in tests: an int may stand for a float, as type checkers have it."""

from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))
