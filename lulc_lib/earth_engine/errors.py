"""What goes wrong between the client and Earth Engine, said in one line.

The client by itself tries again, with growing waits, after 429, 5xx, lost connections, time-outs.
But it leaves a request without a time limit, takes half an answer for a whole one, tells what
failed only by the server's text, and lets exceptions through that are none of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import ee
import google.auth.exceptions
import googleapiclient.errors
import httplib2
import requests

from lulc_lib.errors import InputError

RULES: dict[int, str] = {
    401: "Google does not accept the credentials; sign in again with `earthengine authenticate`",
    403: "the account may not use this; register the Cloud project for Earth Engine, enable its "
         "API, and name the project in EE_PROJECT",
    404: "there is no such asset or project",
    429: "the quota is used up; wait, or ask for less at a time",
}
"""What an HTTP status of Earth Engine means for the user."""

LIMITS = ("memory limit", "timed out", "too many")
"""Words by which Earth Engine says that a computation is too large."""


class Transport:
    """Sends the client's requests, each with a time limit in seconds, also by a proxy."""

    def __init__(self, timeout: float, proxies: bool) -> None:
        self._timeout = timeout
        self._session = requests.Session()
        self._session.trust_env = proxies

    def request(self, uri: str, method: str = "GET", body: str | bytes | None = None,
                headers: Mapping[str, str] | None = None, **_: object
                ) -> tuple[httplib2.Response, bytes]:
        """Send a request; raise ConnectionError or TimeoutError, after which the client retries."""
        try:
            answer = self._session.request(
                method, uri, data=body, headers=headers, timeout=self._timeout)
        except requests.exceptions.Timeout as error:
            raise TimeoutError(f"no answer within {self._timeout:g} s") from error
        except requests.exceptions.RequestException as error:
            raise ConnectionError(_cause(error)) from error
        if answer.ok and "alt=json" in uri and not _is_object(answer.content):
            raise ConnectionError("the answer is damaged: it should be a JSON object")
        return httplib2.Response(dict(answer.headers) | {"status": answer.status_code}), \
            answer.content

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


@contextmanager
def explained(name: str) -> Iterator[None]:
    """Turn what the client raises inside the block into an InputError of one line.

    ``name`` is what answers, for the message: "Google Earth Engine".
    """
    try:
        yield
    except (ee.EEException, google.auth.exceptions.GoogleAuthError, googleapiclient.errors.Error,
            ConnectionError, TimeoutError, KeyError) as error:
        raise InputError(f"{name}: {_reason(error)}") from error


def status_of(error: BaseException) -> int | None:
    """Return the HTTP status behind an error of the client; None if no answer came."""
    while error is not None:
        if isinstance(error, googleapiclient.errors.HttpError):
            return int(error.resp.status)
        error = error.__cause__ or error.__context__
    return None


def _reason(error: Exception) -> str:
    """Say in one line what went wrong and what to do."""
    text, status = _one_line(getattr(error, "reason", None) or str(error)), status_of(error)
    if isinstance(error, google.auth.exceptions.RefreshError):
        return RULES[401]
    if isinstance(error, google.auth.exceptions.GoogleAuthError):
        return f"the credentials cannot be used ({type(error).__name__})"
    if isinstance(error, googleapiclient.errors.UnknownApiNameOrVersion):
        return "does not describe itself at this address"
    if isinstance(error, ConnectionError | TimeoutError):
        return f"cannot be reached ({error}), after all tries"
    if isinstance(error, KeyError | googleapiclient.errors.InvalidJsonError):
        return f"the answer is damaged ({error})"
    if "no project found" in text:
        return "no Cloud project is known; name it in EE_PROJECT, or once and for all with " \
               "`earthengine set_project`"
    if status in RULES:
        return f"{RULES[status]} (it answers {status}: {text})"
    if status is not None and status >= 500:
        return f"is out of order, after all tries (it answers {status}: {text})"
    if status is not None and any(limit in text.lower() for limit in LIMITS):
        return f"the computation is too large; take fewer points or less land ({text})"
    if status is None and "authenticate" in text.lower():
        return "there are no credentials; sign in with `earthengine authenticate`"
    return text if status is None else f"refuses the computation: {text}"


def _is_object(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body), dict)
    except ValueError:
        return False


def _one_line(text: str) -> str:
    return " ".join(str(text).split())[:300]


def _cause(error: BaseException) -> str:
    """Return the innermost reason, without the addresses and object names around it."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__
    return _one_line(str(error) or type(error).__name__)
