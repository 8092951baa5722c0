"""HTTP: one client with one policy of time-outs, retries and back-off, for every service."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import requests
import urllib3

from lulc_lib import __version__
from lulc_lib.errors import InputError

USER_AGENT = f"lulc_lib/{__version__} (study of open pits on Sentinel-2)"

Json = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Policy:
    """How patient a client is: how long an answer may take, and how often to ask for it.

    Attributes
    ----------
    connect_timeout, read_timeout, head_timeout, total_timeout : float, seconds
        For a connection, each part of an answer, an answer without a body, all one client asks.
    retries : int
        Further tries of a request that fails in a way that may pass.
    backoff, max_wait : float, seconds
        The wait before the first further try, doubled before each one after it, and the longest.
    chunk : int, bytes
        What is read at once.
    """

    connect_timeout: float = 10.0
    read_timeout: float = 30.0
    head_timeout: float = 5.0
    retries: int = 4
    backoff: float = 1.0
    max_wait: float = 30.0
    total_timeout: float = math.inf
    chunk: int = 1 << 16

    def wait(self, attempt: int, asked: float | None) -> float:
        """Return the seconds before the try after ``attempt``, those ``asked`` for if any."""
        wait = self.backoff * 2.0**attempt if asked is None else asked
        return min(max(wait, 0.0), self.max_wait)

    def retry(self) -> urllib3.Retry:
        """Return the same rule for clients that bring their own loop (pystac-client)."""
        return urllib3.Retry(
            self.retries, backoff_factor=self.backoff, backoff_max=self.max_wait,
            status_forcelist=(429, *range(500, 600)), allowed_methods=None,
            retry_after_max=math.ceil(self.max_wait))


class HostUnreachableError(InputError):
    """The server cannot be reached at all: asking it for anything else is pointless."""


class ConnectionLostError(InputError):
    """The server was reached, but none of the tries brought a whole answer."""


class TransientError(Exception):
    """A failure that may pass; ``wait`` is what the server asks for, in seconds.

    ``line`` says that the connection failed, not the server's answer.
    """

    def __init__(self, why: str, wait: float | None = None, line: bool = False) -> None:
        super().__init__(why)
        self.wait, self.line = wait, line


class Client:
    """Asks a server for one thing, under one policy and in plain words.

    Parameters
    ----------
    what, advice : str
        What is asked for, and what the user can do if it cannot be had: begin and end of messages.
    session : requests.Session
        The connections.
    policy : Policy, optional
        Time-outs and retries; the total time begins now.
    """

    def __init__(self, what: str, advice: str, session: requests.Session,
                 policy: Policy | None = None) -> None:
        self.what, self.advice, self.session = what, advice, session
        self.policy = policy or Policy()
        self._end = time.monotonic() + self.policy.total_timeout

    def failure(self, why: str, url: str) -> str:
        """Return the one line that says what could not be had, why, where, and what to do."""
        return f"{self.what}: {why} ({without_secrets(url)}); {self.advice}"

    def repeat(self, url: str, attempt: Callable[[], T]) -> T:
        """Return what ``attempt`` returns, called again after each :class:`TransientError`.

        When the tries or the total time run out: ConnectionLostError over a broken connection,
        InputError over the server's answers.
        """
        for number in range(self.policy.retries + 1):
            try:
                return attempt()
            except TransientError as error:
                wait = self.policy.wait(number, error.wait)
                late = wait >= self._left()
                if late or number == self.policy.retries:
                    kind = ConnectionLostError if error.line else InputError
                    tries = f"{number + 1} {'try' if number == 0 else 'tries'}"
                    limit = f" in the {self.policy.total_timeout:g} s allowed" if late else ""
                    raise kind(self.failure(f"gave up after {tries}{limit}: {error}", url)
                               ) from error
                time.sleep(wait)
        raise AssertionError("unreachable")

    @contextmanager
    def open(self, url: str, method: str = "GET", accept: tuple[int, ...] = (200,),
             **options: Any) -> Iterator[requests.Response]:
        """Ask once; yield the answer with its body still to be read by :meth:`parts`.

        ``accept`` are the status codes that are no failure, ``options`` further arguments of
        :meth:`requests.Session.request`. TransientError: what failed may pass, also inside the
        block; HostUnreachableError; InputError: the server refuses, or the address is wrong.
        """
        connect, read = self.policy.connect_timeout, self.policy.read_timeout
        if method == "HEAD":
            connect = read = self.policy.head_timeout
        left = self._left()
        if left <= 0:
            raise TransientError("the time is over")
        headers = {"User-Agent": USER_AGENT, **options.pop("headers", {})}
        try:
            with self.session.request(
                method, url, headers=headers, stream=True,
                timeout=(min(connect, left), min(read, left)), **options,
            ) as response:
                status = response.status_code
                if status == 429 or status >= 500:
                    raise TransientError(f"the server answers {status}", retry_after(response))
                if status not in accept:
                    raise InputError(self.failure(f"the server answers {status}", url))
                yield response
        except urllib3.exceptions.ReadTimeoutError as error:
            raise TransientError("the server does not answer in time", line=True) from error
        except urllib3.exceptions.HTTPError as error:
            raise TransientError("the connection broke in the middle of an answer", line=True
                                 ) from error
        except requests.exceptions.RequestException as error:
            why, host_is_down = trouble(error)
            if host_is_down is None:
                raise TransientError(why, line=True) from error
            kind = HostUnreachableError if host_is_down else InputError
            raise kind(self.failure(why, url)) from error

    def parts(self, response: requests.Response) -> Iterator[bytes]:
        """Yield the body as it comes; TransientError when the total time is over."""
        while part := response.raw.read1(self.policy.chunk, decode_content=True):
            yield part
            if self._left() < 0:
                raise TransientError("the answer comes too slowly")

    def json(self, url: str, params: Mapping[str, object] | None = None,
             form: Mapping[str, str] | None = None,
             check: Callable[[Json], None] = lambda _: None) -> Json:
        """Return the JSON object at an address with a query.

        Parameters
        ----------
        url, params : str, mapping
            The address and its query.
        form : mapping of str to str, optional
            Fields to POST; without them the request is a GET.
        check : callable
            Looks at the answer, and raises :class:`TransientError` to have it asked for again.
        """
        def attempt() -> Json:
            with self.open(url, "GET" if form is None else "POST", params=params, data=form,
                           headers={"Accept": "application/json"}) as response:
                body = b"".join(self.parts(response))
            answer = _json_object(body)
            check(answer)
            return answer

        return self.repeat(url, attempt)

    def _left(self) -> float:
        """Seconds of the total time that are left."""
        return self._end - time.monotonic()


def without_secrets(url: str) -> str:
    """Return an address as it may be shown: without user, password and query, which holds tokens.

    >>> without_secrets("https://ada:key@host.org/a/b.tif?sig=key")
    'https://host.org/a/b.tif'
    """
    return re.sub(r"(?<=//)[^/\s]*@", "", url.partition("?")[0])


def trouble(error: requests.RequestException) -> tuple[str, bool | None]:
    """Say what went wrong with a request, and how far it reaches.

    The second is True if the server cannot be reached at all, False if only this address is wrong,
    None if a connection that was made has broken, which is worth another try.
    """
    kinds = requests.exceptions
    if isinstance(error, kinds.InvalidURL | kinds.MissingSchema | kinds.InvalidSchema):
        return "this is no http(s) address", True
    if isinstance(error, kinds.TooManyRedirects):
        return "the server redirects without end", False
    if isinstance(error, kinds.SSLError):
        return "the server's certificate is not valid", True
    signs = ("NameResolutionError", "NewConnectionError", "ConnectTimeoutError", "gaierror",
             "Connection refused", "unreachable")
    if isinstance(error, kinds.ConnectTimeout | kinds.ProxyError) or (
        isinstance(error, kinds.ConnectionError) and any(sign in repr(error) for sign in signs)
    ):
        return "the server cannot be reached", True
    if isinstance(error, kinds.Timeout) or "Read timed out" in repr(error):
        return "the server does not answer in time", None
    return "the connection broke", None


def retry_after(response: requests.Response) -> float | None:
    """Return the seconds the server asks to wait (number or HTTP date), None if it does not."""
    value = response.headers.get("Retry-After", "")
    try:
        return float(value)
    except ValueError:
        pass
    try:
        return urllib3.Retry().parse_retry_after(value)
    except (urllib3.exceptions.InvalidHeader, ValueError, OverflowError):
        return None


def _json_object(body: bytes) -> Json:
    """Return the body as a JSON object."""
    if body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        title = re.search(rb"<title[^>]*>(.*?)</title>", body, re.IGNORECASE | re.DOTALL)
        said = " ".join(title.group(1).decode("utf-8", "replace").split()) if title else ""
        raise TransientError("the server answers with a web page, not with JSON"
                             + (f": {said[:120]!r}" if said else ""))
    try:
        answer = json.loads(body)
    except ValueError as error:
        raise TransientError(f"the answer is not whole JSON ({len(body)} bytes)") from error
    if not isinstance(answer, dict):
        raise TransientError("the answer is not a JSON object")
    return answer
