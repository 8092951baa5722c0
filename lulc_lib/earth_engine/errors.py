"""What goes wrong between the client and Earth Engine, said in one line.

The client itself tries again, with growing waits, after 429, 5xx, lost connections and time-outs
(``googleapiclient.http``); nothing here repeats that. It leaves a request without a time limit,
takes half an answer for a whole one, tells what failed only by the server's text, and lets several
exceptions through that are none of its own: that is mended here.
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
"""Parts of the messages by which Earth Engine says that a computation is too large."""


class Transport:
    """Sends the client's requests, each with a time limit.

    Parameters
    ----------
    timeout : float, seconds
        To wait for a connection, and then for each part of an answer.
    proxies : bool
        Go through the proxy of the environment; off for a loopback address.
    """

    def __init__(self, timeout: float, proxies: bool) -> None:
        self._timeout = timeout
        self._session = requests.Session()
        self._session.trust_env = proxies

    def request(self, uri: str, method: str = "GET", body: str | bytes | None = None,
                headers: Mapping[str, str] | None = None, **_: object
                ) -> tuple[httplib2.Response, bytes]:
        """Send one request in the way the client expects it; other arguments do nothing.

        Raises
        ------
        ConnectionError, TimeoutError
            The two that the client takes as a reason to try again; also for an answer that should
            be JSON and is not.
        """
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
    """Turn what the client raises inside the block into one line.

    Parameters
    ----------
    name : str
        What answers, for the message: "Google Earth Engine".

    Raises
    ------
    InputError
        In place of any failure of the client, its transport or its credentials.
    """
    try:
        yield
    except ee.EEException as error:
        raise InputError(_line(name, error)) from error
    except google.auth.exceptions.RefreshError as error:
        raise InputError(f"{name}: {RULES[401]}") from error
    except google.auth.exceptions.GoogleAuthError as error:
        raise InputError(f"{name}: the credentials cannot be used ({type(error).__name__})") \
            from error
    except googleapiclient.errors.UnknownApiNameOrVersion as error:
        raise InputError(f"{name}: does not describe itself at this address") from error
    except googleapiclient.errors.HttpError as error:
        raise InputError(_with_rule(name, error.resp.status, error.reason)) from error
    except (ConnectionError, TimeoutError) as error:
        raise InputError(f"{name}: cannot be reached ({error}), after all tries") from error
    except (KeyError, googleapiclient.errors.InvalidJsonError) as error:
        raise InputError(f"{name}: the answer is damaged ({error})") from error


def status_of(error: BaseException) -> int | None:
    """Return the HTTP status behind an error of the client; None if no answer came."""
    while error is not None:
        if isinstance(error, googleapiclient.errors.HttpError):
            return int(error.resp.status)
        error = error.__cause__ or error.__context__
    return None


def _line(name: str, error: ee.EEException) -> str:
    text, status = str(error), status_of(error)
    if "no project found" in text:
        return f"{name}: no Cloud project is known; name it in EE_PROJECT, or once and for all " \
               "with `earthengine set_project`"
    if status is not None:
        return _with_rule(name, status, text)
    if "authenticate" in text.lower():
        return f"{name}: there are no credentials; sign in with `earthengine authenticate`"
    return f"{name}: {_one_line(text)}"


def _with_rule(name: str, status: int, text: str) -> str:
    said = _one_line(text)
    if status in RULES:
        return f"{name}: {RULES[status]} (it answers {status}: {said})"
    if status >= 500:
        return f"{name}: is out of order, after all tries (it answers {status}: {said})"
    if any(limit in said.lower() for limit in LIMITS):
        return f"{name}: the computation is too large; take fewer points or less land ({said})"
    return f"{name}: refuses the computation: {said}"


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
