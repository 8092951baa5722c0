"""The one exception that says: what you gave cannot be used, and this is the rule."""

from collections.abc import Iterable


class InputError(ValueError):
    """Bad input: the message names the value and the rule it breaks.

    The ``lulc`` command prints it as one line on stderr and exits with code 2.
    """


def check_choice(what: str, value: object, choices: Iterable[object]) -> None:
    """Refuse a value that is none of the choices; the message lists them.

    >>> check_choice("colour", "red", ("blue", "green"))
    Traceback (most recent call last):
    lulc_lib.errors.InputError: colour is 'red'; it must be one of blue, green
    """
    choices = list(choices)
    if value not in choices:
        raise InputError(f"{what} is {value!r}; it must be one of {', '.join(map(str, choices))}")
