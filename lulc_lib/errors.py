"""The one exception that says: what you gave cannot be used, and this is the rule."""


class InputError(ValueError):
    """Bad input: the message names the value and the rule it breaks.

    The ``lulc`` command prints it as one line on stderr and exits with code 2.
    """
