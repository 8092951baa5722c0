"""The two exceptions: what cannot be served, and what was asked and cannot be answered."""

from __future__ import annotations

STATUS = {
    400: "INVALID_ARGUMENT", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED", 411: "INVALID_ARGUMENT", 413: "INVALID_ARGUMENT",
    415: "INVALID_ARGUMENT", 421: "PERMISSION_DENIED",
}
"""Google's word for an HTTP code, as it stands in an error's JSON."""


class InputError(ValueError):
    """A file, folder or setting that cannot be served; one line that names it and the rule."""


class EngineError(Exception):
    """A request that cannot be answered: the client raises it as ``ee.EEException(message)``.

    Parameters
    ----------
    message : str
        One line that names the function or value and the rule.
    code : int
        HTTP status. Never 5xx: the client repeats those for half a minute, and what fails here
        fails again.
    """

    def __init__(self, message: str, code: int = 400) -> None:
        super().__init__(message)
        self.code = code

    def as_json(self) -> dict[str, dict[str, object]]:
        """Return the error in the form of Google's REST interfaces."""
        return {"error": {"code": self.code, "message": str(self),
                          "status": STATUS.get(self.code, "INVALID_ARGUMENT")}}


def missing_asset(identifier: object, held: str) -> EngineError:
    """Make the error for an asset that is not in the local catalogue.

    Parameters
    ----------
    identifier : object
        What was asked for.
    held : str
        What the catalogue holds, in words.
    """
    return EngineError(f"{identifier!r} is not in the local catalogue; it holds {held}.", 404)
