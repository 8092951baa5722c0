"""Who answers the Earth Engine client: Google with the user's account, or our local server.

Everything after :func:`open_backend` is the same code for both. Credentials are found and used by
the client: nothing here reads, stores or prints them.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import ee
import google.auth.credentials
from google.auth._cloud_sdk import get_application_default_credentials_path
from google.auth.environment_vars import CREDENTIALS

from lulc_lib import paths
from lulc_lib.earth_engine.errors import Transport, explained
from lulc_lib.errors import InputError, check_choice

CHOICES = ("auto", "google", "local")
GOOGLE, LOCAL = "Google Earth Engine", "local Earth Engine"


class Patience(NamedTuple):
    """Seconds to wait for each part of an answer, and tries after 429, 5xx or a lost connection.

    Earth Engine itself ends an interactive computation after five minutes.
    """

    timeout: float = 330.0
    retries: int = 5


@dataclass
class Backend(AbstractContextManager["Backend"]):
    """What answers the client until :meth:`close`, the process's end, or when nobody holds it.

    Attributes
    ----------
    name, title : str
        ``google`` or ``local``, and the same in words.
    address : str
        Where it answers.
    note : str
        What was chosen and why, in words.
    """

    name: str
    title: str
    address: str
    note: str
    server: Any = None

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def compute(self, what: ee.ComputedObject) -> Any:
        """Return the value of an Earth Engine object, in one request."""
        with explained(self.title):
            return what.getInfo()

    def close(self) -> None:
        """Let go of the client, and stop the local server."""
        ee.Reset()
        if self.server is not None:
            self.server.stop()
            self.server = None


def open_backend(root: Path, choice: str | None = None, site: str | None = None,
                 url: str | None = None, patience: Patience | None = None) -> Backend:
    """Make the client ready for one of the back ends.

    Parameters
    ----------
    root : Path
        Folder of the data source, which the local Earth Engine serves.
    choice : str
        ``google``: the user's account. ``local``: the local Earth Engine; no request leaves this
        machine. ``auto``: Google if the client finds credentials that work, else local. None:
        what ``$EE_BACKEND`` says, else ``auto``.
    site : str
        The only site that the local Earth Engine shall serve; None: all.
    url : str
        Another address than Google's.
    patience : Patience
        Time-outs and retries.

    Raises
    ------
    InputError
        Unknown choice; for ``google``: no credentials, project or permission, or out of reach.
    """
    choice = os.environ.get("EE_BACKEND") or "auto" if choice is None else choice
    check_choice("Earth Engine back end", choice, CHOICES)
    patience = patience or Patience()
    if choice == "google":
        return _google(ee.data.get_persistent_credentials, url, patience)
    reason = "it was asked for"
    if choice == "auto":
        try:
            return _google(_credentials_at_hand, url, patience)
        except InputError as error:
            reason = str(error)
    return _local(root, site, patience, f"The {LOCAL} answers: {reason}.")


def _google(find: Callable[[], Any], url: str | None, patience: Patience) -> Backend:
    """Sign the client in at Google; ``find`` gives the credentials."""
    with explained(GOOGLE):
        credentials, project = find(), os.environ.get("EE_PROJECT") or None
        _initialise(credentials, project, url, Transport(patience.timeout, proxies=True), patience)
        address = ee.data.DEFAULT_CLOUD_API_BASE_URL if url is None else url
        return Backend("google", GOOGLE, address, f"{GOOGLE} answers, with your account.")


def _local(root: Path, site: str | None, patience: Patience, note: str) -> Backend:
    from lulc_lib.earth_engine import assets

    server = assets.start_local(root, site)
    try:
        with explained(LOCAL):
            _initialise(google.auth.credentials.AnonymousCredentials(), "offline", server.address,
                        Transport(patience.timeout, proxies=False), patience, alone=True)
    except BaseException:
        server.stop()
        raise
    note += f" Exports come to {paths.shown(server.exports)}."
    backend = Backend("local", LOCAL, server.address, note, server)
    weakref.finalize(backend, server.stop)
    return backend


def _initialise(credentials: Any, project: str | None, url: str | None, transport: Transport,
                patience: Patience, alone: bool = False) -> None:
    """Point the client at an address; ``alone``: it does not fetch Google's list of old assets."""
    ee.Reset()
    ee.data.setMaxRetries(patience.retries)
    if alone:
        ee.deprecation.deprecated_assets = {"": None}
    try:
        ee.Initialize(credentials, url=url, project=project, http_transport=transport)
    except BaseException:
        ee.Reset()
        raise


def _credentials_at_hand() -> Any:
    """Return the client's credentials if a file holds some; else it would ask the network."""
    kept = (ee.oauth.get_credentials_path(), os.environ.get(CREDENTIALS),
            get_application_default_credentials_path())
    if not any(path and Path(path).is_file() for path in kept):
        raise ee.EEException("no credentials: not authenticated")
    return ee.data.get_persistent_credentials()
