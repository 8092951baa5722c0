"""Who answers the client: the choice, the user's account, and everything that can go wrong."""

import time

import ee
import pytest

from lulc_lib import paths
from lulc_lib.data.catalogue import SITES
from lulc_lib.earth_engine import assets, backend, maps
from lulc_lib.earth_engine.backend import Patience, open_backend
from lulc_lib.errors import InputError
from tests.earth_engine.google_server import (
    ALGORITHMS,
    COMPUTE,
    DISCOVERY,
    PROJECT,
    SECRET,
    TOKEN,
    earth_engine_server,
    refusal,
    sign_in,
)
from tests.http_server import Fault, free_port

QUICK = Patience(timeout=0.5, retries=2)


@pytest.fixture
def server(monkeypatch, tmp_path):
    monkeypatch.setattr("googleapiclient.http.random.random", lambda: 0.002)
    with earth_engine_server(monkeypatch, tmp_path) as running:
        yield running


@pytest.fixture
def signed_in(server, tmp_path):
    sign_in(tmp_path)
    return server


@pytest.fixture
def local(server, monkeypatch):
    """A stand-in for the local Earth Engine; records how it was started and whether it stopped."""
    calls = []

    class Server:
        address, exports = server.url, paths.project_root() / "exports"

        def stop(self):
            calls.append("stopped")

    def start_local(root, site=None):
        calls.append((root, site))
        return Server()

    monkeypatch.setattr(assets, "start_local", start_local)
    server.bodies["/v1/projects/offline/algorithms"] = server.bodies[ALGORITHMS]
    return calls


def google(server, tmp_path, patience=QUICK):
    return open_backend(tmp_path, "google", url=server.url, patience=patience)


def test_google_with_the_users_own_credentials_and_project(signed_in, tmp_path, capfd):
    with google(signed_in, tmp_path) as engine:
        assert engine.name == "google" and engine.compute(ee.Number(1)) == 1
        told = f"{engine} {engine.note}"
    path, headers = signed_in.log[-1]
    assert path == COMPUTE and headers["Authorization"] == "Bearer short-lived"
    assert headers["X-Goog-User-Project"] == PROJECT
    out, err = capfd.readouterr()
    assert SECRET not in told + out + err and "short-lived" not in told + out + err
    assert not ee.data.is_initialized()


def test_project_named_in_the_environment(signed_in, tmp_path, monkeypatch):
    monkeypatch.setenv("EE_PROJECT", "another-project")
    other = ALGORITHMS.replace(PROJECT, "another-project")
    signed_in.bodies[other] = signed_in.bodies[ALGORITHMS]
    google(signed_in, tmp_path)
    assert signed_in.asked(other) == 1


def test_auto_takes_google_when_the_credentials_work(signed_in, local, tmp_path):
    engine = open_backend(tmp_path, "auto", url=signed_in.url, patience=QUICK)
    assert engine.name == "google" and not local and "Google" in engine.note


def test_auto_without_credentials_asks_nobody_and_says_so(server, local, tmp_path):
    with open_backend(tmp_path, "auto", site="strzegom", url=server.url) as engine:
        assert engine.name == "local" and "no credentials" in engine.note
        assert engine.note.endswith(" Exports come to exports.")
    assert local == [(tmp_path, "strzegom"), "stopped"]
    assert server.asked(TOKEN) == 0


@pytest.mark.parametrize("path, fault", [
    (TOKEN, refusal(400, "invalid_grant")), (ALGORITHMS, refusal(403, "not registered"))])
def test_auto_falls_to_local_and_says_why(signed_in, local, tmp_path, path, fault):
    signed_in.faults[path] = [fault] * 3
    engine = open_backend(tmp_path, "auto", url=signed_in.url, patience=QUICK)
    assert engine.name == "local"
    assert ("credentials" if path == TOKEN else "403: not registered") in engine.note


def test_choice_from_the_environment(server, local, tmp_path, monkeypatch):
    monkeypatch.setenv("EE_BACKEND", "local")
    assert open_backend(tmp_path).name == "local"
    monkeypatch.setenv("EE_BACKEND", "gogle")
    with pytest.raises(InputError, match=r"back end is 'gogle'; it must be one of auto, go"):
        open_backend(tmp_path)


def test_a_local_server_that_cannot_be_used_is_stopped(server, local, tmp_path):
    server.faults[DISCOVERY] = [Fault(500)] * 20
    with pytest.raises(InputError, match="local Earth Engine"):
        open_backend(tmp_path, "local", patience=Patience(0.5, 1))
    assert local[-1] == "stopped" and not ee.data.is_initialized()


def test_local_ignores_a_proxy(server, local, tmp_path, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    assert open_backend(tmp_path, "local", patience=QUICK).name == "local"


def test_google_without_credentials(server, tmp_path, monkeypatch):
    monkeypatch.setattr("google.auth.default", _no_credentials)
    with pytest.raises(InputError, match=r"no credentials; sign in with `earthengine authentic"):
        google(server, tmp_path)


def _no_credentials(*_args, **_more):
    raise backend.google.auth.exceptions.DefaultCredentialsError("none")


def test_google_without_a_project(server, tmp_path):
    sign_in(tmp_path, project="")
    clients_own = ee.oauth.CLIENT_ID.partition("-")[0]  # what the client then tries
    server.faults[ALGORITHMS.replace(PROJECT, clients_own)] = [
        refusal(403, f"Caller does not have required permission to use project {clients_own}.")]
    with pytest.raises(InputError, match="no Cloud project is known; name it in EE_PROJECT"):
        google(server, tmp_path)


def test_nobody_at_the_address(signed_in, tmp_path):
    with pytest.raises(InputError, match="Google Earth Engine: cannot be reached"):
        open_backend(tmp_path, "google", url=f"http://127.0.0.1:{free_port()}", patience=QUICK)


@pytest.mark.parametrize("status, message, says", [
    (401, "Request had invalid authentication credentials", "sign in again with `earthengine"),
    (403, "Caller does not have required permission", "register the Cloud project"),
    (404, "Asset not found", "no such asset"),
    (400, "User memory limit exceeded.", "computation is too large"),
    (400, "Computation timed out.", "computation is too large"),
    (400, "Image.select: no band B99", "refuses the computation: Image.select: no band B99"),
])
def test_refusals_are_explained_and_not_repeated(signed_in, tmp_path, status, message, says):
    engine = google(signed_in, tmp_path)
    signed_in.faults[COMPUTE] = [refusal(status, message)] * 9
    with pytest.raises(InputError, match=says) as caught:
        engine.compute(ee.Number(1))
    assert message in str(caught.value) and "\n" not in str(caught.value)
    assert signed_in.asked(COMPUTE) == (3 if status == 401 else 1)  # 401: with fresh tokens


@pytest.mark.parametrize("status, says", [
    (429, "the quota is used up"), (500, "out of order, after all tries"), (503, "out of order")])
def test_overload_is_waited_out_and_in_the_end_explained(signed_in, tmp_path, status, says):
    engine = google(signed_in, tmp_path)
    signed_in.faults[COMPUTE] = [refusal(status, "busy")] * 2
    assert engine.compute(ee.Number(1)) == 1
    assert signed_in.asked(COMPUTE) == 3
    signed_in.faults[COMPUTE] = [refusal(status, "busy")] * 9
    with pytest.raises(InputError, match=says):
        engine.compute(ee.Number(2))
    assert signed_in.asked(COMPUTE) == 6


@pytest.mark.parametrize("status, says", [(403, "register the Cloud project"), (429, "quota")])
def test_pixels_and_layers_are_explained_too(signed_in, tmp_path, status, says):
    engine = google(signed_in, tmp_path)
    site, image = SITES["strzegom"], ee.Image(1)
    for path in ("image:computePixels", "maps"):
        signed_in.faults[f"/v1/projects/{PROJECT}/{path}"] = [refusal(status, "no")] * 9
    with pytest.raises(InputError, match=says):
        maps.pixels(engine, image, site)
    with pytest.raises(InputError, match=says):
        maps.interactive_map(engine, {"Layer": (image, {})}, site)


def test_a_slow_answer_is_given_up_and_asked_for_again(signed_in, tmp_path):
    engine = google(signed_in, tmp_path, Patience(0.2, 1))
    signed_in.faults[COMPUTE] = [Fault(stall=0.6)]
    assert engine.compute(ee.Number(1)) == 1
    signed_in.faults[COMPUTE] = [Fault(stall=0.6)] * 3
    start = time.perf_counter()
    with pytest.raises(InputError, match=r"cannot be reached \(no answer within 0.2 s\)"):
        engine.compute(ee.Number(1))
    assert time.perf_counter() - start < 2


def test_a_slow_greeting_is_given_up(signed_in, tmp_path):
    signed_in.faults[ALGORITHMS] = [Fault(stall=0.6)] * 3
    with pytest.raises(InputError, match="cannot be reached"):
        google(signed_in, tmp_path, Patience(0.2, 1))


def test_an_answer_that_breaks_off_is_asked_for_again(signed_in, tmp_path):
    engine = google(signed_in, tmp_path)
    signed_in.faults[COMPUTE] = [Fault(break_after=4)] * 2
    assert engine.compute(ee.Number(1)) == 1
    signed_in.faults[COMPUTE] = [Fault(break_after=4)] * 9
    with pytest.raises(InputError, match="cannot be reached"):
        engine.compute(ee.Number(1))


@pytest.mark.parametrize("body", [b"", b"{", b"<html>busy</html>", b"\xff\xfe", b"[]"])
def test_an_answer_that_is_no_answer_is_asked_for_again(signed_in, tmp_path, body):
    engine = google(signed_in, tmp_path)
    signed_in.faults[COMPUTE] = [Fault(body=body)] * 2
    assert engine.compute(ee.Number(1)) == 1
    signed_in.faults[COMPUTE] = [Fault(body=body)] * 9
    with pytest.raises(InputError, match="the answer is damaged"):
        engine.compute(ee.Number(1))


def test_an_answer_without_a_result(signed_in, tmp_path):
    engine = google(signed_in, tmp_path)
    signed_in.faults[COMPUTE] = [Fault(body=b"{}")]
    with pytest.raises(InputError, match=r"the answer is damaged \('result'\)"):
        engine.compute(ee.Number(1))


@pytest.mark.parametrize("body", [b"{}", b"<html>", b""])
def test_a_server_that_is_no_earth_engine(signed_in, tmp_path, body):
    signed_in.faults[DISCOVERY] = [Fault(body=body)] * 9
    with pytest.raises(InputError, match="Google Earth Engine: "):
        google(signed_in, tmp_path)
    assert not ee.data.is_initialized()
