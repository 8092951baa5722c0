"""JSON from a service that may stall, break off, send a web page, or fail inside HTTP 200."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

import requests
import urllib3

from lulc_lib import __version__
from lulc_lib.data.transfer import HostUnreachableError, Policy, retry_after, trouble
from lulc_lib.errors import InputError

USER_AGENT = f"lulc_lib/{__version__} (study of open pits on Sentinel-2)"
ADVICE = "try again later, or put the layer's file into the folder yourself"

PATIENCE = Policy(read_timeout=90.0, retries=5, backoff=2.0)
"""Registers are slow: how long one answer may take to go on, and how often to ask."""

TOTAL_TIMEOUT = 600.0
"""Seconds for all requests of one layer."""

Json = dict[str, Any]


class PassingError(Exception):
    """A failure worth another try; ``wait`` is what the server asked for, in seconds."""

    def __init__(self, why: str, wait: float | None = None) -> None:
        super().__init__(why)
        self.wait = wait


class Asker:
    """Asks one service for JSON: with retries and back-off, and within a total time.

    Parameters
    ----------
    what : what is asked for, for messages.
    session : the connections.
    policy : time-outs and retries of one request.
    total_timeout : seconds for all requests together.
    """

    def __init__(self, what: str, session: requests.Session, policy: Policy = PATIENCE,
                 total_timeout: float = TOTAL_TIMEOUT) -> None:
        self.what, self.session, self.policy = what, session, policy
        self.total_timeout = total_timeout
        self._end = time.monotonic() + total_timeout

    def failure(self, why: str, url: str) -> InputError:
        """The error that says what could not be had, why, where from, and what to do."""
        return InputError(f"{self.what}: {why} ({url}); {ADVICE}")

    def json(self, url: str, params: Mapping[str, object] | None = None,
             form: Mapping[str, str] | None = None,
             check: Callable[[Json], None] = lambda _: None) -> Json:
        """The JSON object at an address.

        Parameters
        ----------
        url : the address.
        params : query parameters.
        form : fields to POST; None: GET.
        check : looks at the answer, and raises PassingError to have it asked for again.

        Raises
        ------
        HostUnreachableError
            The server cannot be reached, so asking it for anything else is pointless.
        InputError
            No usable answer within the policy's tries and the total time.
        """
        for attempt in range(self.policy.retries + 1):
            try:
                answer = self._parse(self._body(url, params, form))
                check(answer)
                return answer
            except PassingError as error:
                left = self._end - time.monotonic()
                wait = self.policy.wait(attempt, error.wait)
                if attempt == self.policy.retries or wait >= left:
                    tries = f"{attempt + 1} {'try' if attempt == 0 else 'tries'}"
                    within = (f" in the {self.total_timeout:g} s that a layer has"
                              if wait >= left else "")
                    raise self.failure(f"gave up after {tries}{within}: {error}", url) from error
                time.sleep(wait)
        raise AssertionError("unreachable")

    def _body(self, url: str, params: Mapping[str, object] | None,
              form: Mapping[str, str] | None) -> bytes:
        """The bytes of one answer, read as they come so that a trickle cannot outlast the end."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise PassingError("the time is over")
        timeout = (min(self.policy.connect_timeout, left), min(self.policy.read_timeout, left))
        try:
            with self.session.request(
                "GET" if form is None else "POST", url, params=params, data=form, stream=True,
                timeout=timeout, headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
            ) as response:
                self._check_status(response, url)
                parts = []
                while part := response.raw.read1(self.policy.chunk, decode_content=True):
                    parts.append(part)
                    if time.monotonic() > self._end:
                        raise PassingError("the answer comes too slowly")
                return b"".join(parts)
        except urllib3.exceptions.ReadTimeoutError as error:
            raise PassingError("the server does not answer in time") from error
        except urllib3.exceptions.HTTPError as error:
            raise PassingError("the connection broke in the middle of an answer") from error
        except requests.exceptions.RequestException as error:
            why, host_is_down = trouble(error)
            if host_is_down is None:
                raise PassingError(why) from error
            kind = HostUnreachableError if host_is_down else InputError
            raise kind(str(self.failure(why, url))) from error

    def _check_status(self, response: requests.Response, url: str) -> None:
        status = response.status_code
        if status == 429 or status >= 500:
            raise PassingError(f"the server answers {status}", retry_after(response))
        if status != 200:
            raise self.failure(f"the server answers {status}", url)

    @staticmethod
    def _parse(body: bytes) -> Json:
        """The body as a JSON object."""
        if body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
            title = re.search(rb"<title[^>]*>(.*?)</title>", body, re.IGNORECASE | re.DOTALL)
            said = " ".join(title.group(1).decode("utf-8", "replace").split()) if title else ""
            raise PassingError("the server answers with a web page, not with JSON"
                               + (f": {said[:120]!r}" if said else ""))
        try:
            answer = json.loads(body)
        except ValueError as error:
            raise PassingError(f"the answer is not whole JSON ({len(body)} bytes)") from error
        if not isinstance(answer, dict):
            raise PassingError("the answer is not a JSON object")
        return answer
