"""Least values of a protocol's settings."""

from freqgan.errors import UserError


def refuse_small(**limits: tuple[int | None, int]) -> None:
    """Raises a UserError with a line for each setting below its least value; None is no setting.

    Args:
        **limits: value and least value of `metrics.<name>`.
    """
    wrong = [
        f"metrics.{name} must be at least {least}, got {value}: set metrics.{name}={least} or more"
        for name, (value, least) in limits.items()
        if value is not None and value < least
    ]
    if wrong:
        raise UserError(*wrong)
