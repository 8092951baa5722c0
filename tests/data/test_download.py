"""Downloads: broken connections, bad servers, bad disks; only verified bytes get a name."""

import errno
import logging
import os
import random
import threading
import time
from email.utils import formatdate
from pathlib import Path

import pooch
import pytest

from lulc_lib.data import download
from lulc_lib.data.catalogue import published_files
from lulc_lib.data.download import fetch, fetch_file, file_states, require
from lulc_lib.errors import InputError
from lulc_lib.io import http
from tests.http_server import FAST, Fault, entry, free_port, loopback_server

BODY = random.Random(1).randbytes(20_000)
PATH = "img_train/a.tif"
URL = f"c0ffee/{PATH}"


@pytest.fixture
def server(monkeypatch):
    """A loopback server with faults to order."""
    with loopback_server(monkeypatch) as running:
        yield running


@pytest.fixture(params=[True, False], ids=["sha256", "blob id"])
def item(request, server):
    """One file on the server, with and without a known size and sha256."""
    server.files[URL] = BODY
    return entry(PATH, BODY, known=request.param)


def get(file, root):
    """State and reason of one fetched file."""
    (state,) = fetch([file], root, progress=False, policy=FAST)
    return state.state, state.reason


def state_of(file, root):
    """State of one file, asked for without a download."""
    return file_states([file], root, FAST)[0].state


def test_fetch_writes_the_file_and_leaves_nothing_else(item, server, tmp_path):
    level = pooch.get_logger().level
    assert get(item, tmp_path) == ("present", "")
    assert (tmp_path / PATH).read_bytes() == BODY
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a.tif", "img_train"]
    assert (tmp_path / PATH).stat().st_mode & 0o777 == 0o666 & ~_umask()
    assert get(item, tmp_path) == ("present", "") and len(server.asked(URL)) == 1
    assert pooch.get_logger().level == level and level != logging.WARNING


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_broken_connection_is_resumed(item, server, tmp_path):
    server.faults[URL] = [Fault(break_after=7000), Fault(break_after=5000)]
    assert get(item, tmp_path)[0] == "present"
    ranges = server.asked(URL)
    assert ranges[0] == "" and len(ranges) == 3
    starts = [int(r.removeprefix("bytes=").rstrip("-")) for r in ranges[1:]]
    assert 0 < starts[0] <= 7000 and starts[0] < starts[1] <= 12000
    assert (tmp_path / PATH).read_bytes() == BODY


def test_partial_file_of_an_earlier_run_is_continued(item, server, tmp_path):
    server.faults[URL] = [Fault(break_after=2000) for _ in range(4)]
    state, reason = get(item, tmp_path)
    assert state == "unavailable" and "gave up after 4 tries" in reason and PATH in reason
    assert not (tmp_path / PATH).exists()
    (part,) = (tmp_path / ".partial").glob("*.part")
    kept = part.stat().st_size
    assert kept > 0
    assert get(item, tmp_path)[0] == "present"
    assert server.asked(URL)[-1] == f"bytes={kept}-"


def test_server_without_ranges_sends_all_again(item, server, tmp_path):
    server.ranges = False
    server.faults[URL] = [Fault(break_after=7000)]
    assert get(item, tmp_path)[0] == "present"
    assert (tmp_path / PATH).read_bytes() == BODY


@pytest.mark.parametrize("extra", [b"x", b"tail"])
def test_oversized_partial_file_meets_416_and_is_dropped(item, server, tmp_path, extra):
    _leave_partial(item, tmp_path, BODY + extra)
    assert get(item, tmp_path)[0] == "present"
    assert server.asked(URL) == [f"bytes={len(BODY) + len(extra)}-", ""]


def test_complete_partial_file_needs_no_body(item, server, tmp_path):
    _leave_partial(item, tmp_path, BODY)
    assert get(item, tmp_path)[0] == "present"
    assert "" not in server.asked(URL)


def test_partial_file_of_another_content_is_dropped(item, server, tmp_path):
    _leave_partial(item, tmp_path, b"another file's beginning")
    assert get(item, tmp_path)[0] == "present"
    assert server.asked(URL) == ["bytes=24-", ""]


def _leave_partial(file, root, body):
    part = root / ".partial" / f"{file.checksum.rpartition(':')[2]}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(body)


def test_changed_file_on_the_server_is_refused(item, server, tmp_path):
    server.faults[URL] = [Fault(break_after=7000)]
    server.files[URL] = b"changed" + BODY
    state, reason = get(item, tmp_path)
    assert state == "unavailable" and "damaged" in reason and "LULC_DATA" in reason
    assert not (tmp_path / PATH).exists() and not (tmp_path / ".partial").exists()


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_busy_server_is_asked_again(item, server, tmp_path, status):
    server.faults[URL] = [Fault(status), Fault(status)]
    assert get(item, tmp_path)[0] == "present"
    assert len(server.asked(URL)) == 3


def test_tries_are_bounded(item, server, tmp_path):
    server.faults[URL] = [Fault(503) for _ in range(99)]
    state, reason = get(item, tmp_path)
    assert (state, len(server.asked(URL))) == ("unavailable", FAST.retries + 1)
    assert "503" in reason and "\n" not in reason


@pytest.mark.parametrize("status", [403, 404, 410])
def test_refusal_is_final(item, server, tmp_path, status):
    server.faults[URL] = [Fault(status) for _ in range(9)]
    state, reason = get(item, tmp_path)
    assert state == "unavailable" and str(status) in reason and len(server.asked(URL)) == 1


def test_retry_after_is_honoured_and_capped():
    assert FAST.wait(0, 0.02) == 0.02
    assert FAST.wait(0, 3600) == FAST.max_wait
    assert http.Policy().wait(1, None) == 2.0

    class Answer:
        headers = {"Retry-After": formatdate(time.time() + 20, usegmt=True)}  # noqa: RUF012

    assert 15 < http.retry_after(Answer) <= 20
    Answer.headers = {"Retry-After": "soon"}
    assert http.retry_after(Answer) is None


def test_retry_after_delays_the_next_try(item, server, tmp_path, monkeypatch):
    waits = []
    monkeypatch.setattr(http.time, "sleep", waits.append)
    server.faults[URL] = [Fault(429, {"Retry-After": "0.03"}), Fault(503, {"Retry-After": "9999"})]
    assert get(item, tmp_path)[0] == "present"
    assert [w for w in waits if w in (0.03, FAST.max_wait)] == [0.03, FAST.max_wait]


def test_corrupt_body_is_tried_once_more(item, server, tmp_path):
    server.faults[URL] = [Fault(corrupt=True)]
    assert get(item, tmp_path)[0] == "present" and len(server.asked(URL)) == 2
    (tmp_path / PATH).unlink()
    server.faults[URL] = [Fault(corrupt=True) for _ in range(9)]
    state, reason = get(item, tmp_path)
    assert state == "unavailable" and "damaged" in reason and len(server.asked(URL)) == 4
    assert not (tmp_path / PATH).exists()


def test_stalled_server_ends_the_whole_fetch(server, tmp_path):
    first, second = entry(PATH, BODY), entry("img_train/b.tif", BODY)
    server.files |= {URL: BODY, "c0ffee/img_train/b.tif": BODY}
    server.faults[URL] = [Fault(stall=5) for _ in range(9)]
    begun = time.monotonic()
    states = fetch([first, second], tmp_path, progress=False, policy=FAST)
    assert [s.state for s in states] == ["unavailable", "unavailable"]
    assert "in time" in states[0].reason and "not tried" in states[1].reason
    assert not server.asked("c0ffee/img_train/b.tif") and time.monotonic() - begun < 4


def test_one_absent_file_does_not_stop_the_others(server, tmp_path):
    files = [entry("img_train/gone.tif", BODY), entry(PATH, BODY)]
    server.files[URL] = BODY
    states = fetch(files, tmp_path, progress=False, policy=FAST)
    assert [s.state for s in states] == ["unavailable", "present"]
    with pytest.raises(InputError, match=r"^1 of 2 files .*img_train/gone\.tif.*404") as error:
        require(states)
    assert "\n" not in str(error.value)


def test_refused_connection_is_met_once(item, server, tmp_path, monkeypatch):
    monkeypatch.setenv("LULC_DATA_URL", f"http://127.0.0.1:{free_port()}")
    tries = []
    real = download.ResumingDownloader._try
    monkeypatch.setattr(download.ResumingDownloader, "_try",
                        lambda self, url: (tries.append(url), real(self, url)))
    states = fetch([item, entry("b", b"b"), entry("c", b"c")], tmp_path, False, FAST)
    assert [s.state for s in states] == ["unavailable"] * 3 and len(tries) == 1
    assert all("cannot be reached" in s.reason and s.file.url in s.reason for s in states)


def test_unknown_host_is_met_once(item, tmp_path, monkeypatch):
    def no_name(*_args, **_more):
        import socket

        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", no_name)
    monkeypatch.setenv("LULC_DATA_URL", "http://nowhere.invalid")
    with pytest.raises(http.HostUnreachableError, match=r"nowhere\.invalid.*LULC_DATA"):
        fetch_file(item, tmp_path, FAST)
    assert state_of(item, tmp_path) == "unavailable"


def test_bad_base_address_is_named(item, tmp_path, monkeypatch):
    monkeypatch.setenv("LULC_DATA_URL", "no address")
    assert "LULC_DATA_URL" in get(item, tmp_path)[1]


def test_states(item, server, tmp_path):
    assert state_of(item, tmp_path) == "can be downloaded"
    assert server.log == [("HEAD", URL, "")]
    get(item, tmp_path)
    assert state_of(item, tmp_path) == "present"
    (tmp_path / PATH).write_bytes(BODY[:-1] + b"?")
    assert state_of(item, tmp_path) == "damaged"
    (tmp_path / PATH).write_bytes(BODY[:-1])
    assert state_of(item, tmp_path) == "damaged"
    assert get(item, tmp_path)[0] == "present", "a damaged file is fetched anew"
    gone = entry("img_train/gone.tif", BODY)
    assert state_of(gone, tmp_path) == "unavailable"


def test_damaged_file_stays_until_a_good_one_comes(item, server, tmp_path):
    (tmp_path / "img_train").mkdir()
    (tmp_path / PATH).write_bytes(b"damaged")
    server.faults[URL] = [Fault(404)]
    state, reason = get(item, tmp_path)
    assert state == "damaged" and "404" in reason
    assert (tmp_path / PATH).read_bytes() == b"damaged"


def test_silent_host_is_asked_once_for_all_states(server, tmp_path):
    files = [entry(f"img_train/{n}.tif", b"%d" % n) for n in range(40)]
    server.faults["c0ffee/img_train/0.tif"] = [Fault(stall=5)]
    states = file_states(files, tmp_path, FAST)
    assert {s.state for s in states} == {"unavailable"} and len(server.log) == 1


def test_progress_bar_counts_bytes(server, tmp_path, capsys):
    server.files[URL] = BODY
    fetch([entry(PATH, BODY)], tmp_path, policy=FAST)
    shown = capsys.readouterr()
    assert "100%" in shown.err and "a.tif" in shown.err and "19.5k" in shown.err
    assert shown.out == ""


def test_two_at_once_share_one_download(item, server, tmp_path):
    server.faults[URL] = [Fault(stall=0.1)]
    threads = [threading.Thread(target=get, args=(item, tmp_path)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.asked(URL)) == 1 and (tmp_path / PATH).read_bytes() == BODY


def test_root_that_is_a_file(item, tmp_path):
    root = tmp_path / "file"
    root.write_text("x")
    with pytest.raises(InputError, match=r"must name a folder"):
        get(item, root)


def test_full_disk(item, tmp_path):
    part = tmp_path / ".partial" / f"{item.checksum.rpartition(':')[2]}.part"
    part.parent.mkdir()
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    part.symlink_to("/dev/full")
    with pytest.raises(InputError, match=rf"{tmp_path / PATH}: the disk is full"):
        get(item, tmp_path)
    assert not (tmp_path / PATH).exists()


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS])
def test_folder_that_may_not_be_written(item, tmp_path, monkeypatch, code):
    def refuse(self, *_args, **_more):
        raise OSError(code, os.strerror(code), str(self))

    monkeypatch.setattr(download.Path, "mkdir", refuse)
    with pytest.raises(InputError, match=rf"{tmp_path / PATH}: permission denied; set LULC_DATA"):
        get(item, tmp_path)


@pytest.mark.skipif(not os.environ.get("LULC_DATA"), reason="needs the published files")
def test_held_published_files_are_the_published_ones():
    import hashlib

    held = [f for f in published_files() if f.path_in(os.environ["LULC_DATA"]).is_file()]
    assert held
    for file in held:
        body = file.path_in(os.environ["LULC_DATA"]).read_bytes()
        assert hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest() == file.git_blob_sha1
        assert file.size is None or len(body) == file.size
        assert file.sha256 in (None, hashlib.sha256(body).hexdigest())


def test_a_file_that_was_changed_is_kept_beside_the_published_one(item, server, tmp_path):
    get(item, tmp_path)
    for number in (1, 2):
        (tmp_path / PATH).write_bytes(b"mine %d" % number)
        state, reason = get(item, tmp_path)
        assert state == "present" and "is kept beside it" in reason
        assert (tmp_path / PATH).read_bytes() == BODY
        assert (tmp_path / f"{PATH}.kept{number}").read_bytes() == b"mine %d" % number
    assert len(list((tmp_path / "img_train").iterdir())) == 3


def test_a_server_that_sends_more_than_the_known_size_is_cut_off(server, tmp_path):
    """What comes has no length of its own, and would go on for long."""
    file = entry(PATH, BODY)
    server.files[URL] = BODY + b"x" * 5_000_000
    state, reason = get(file, tmp_path)
    assert state == "unavailable" and "what the server sends is damaged" in reason
    sizes = [int(word) for word in reason.split() if word.isdigit()]
    assert len(BODY) < sizes[0] <= len(BODY) + FAST.chunk
    assert not (tmp_path / PATH).exists()


@pytest.mark.parametrize("address", ["http://ada:p4ss@127.0.0.1:{port}/data?sig=t0ken",
                                     "http://ada:p4ss@nowhere.invalid/?sig=t0ken",
                                     "ftp://ada:p4ss@host.org/a?sig=t0ken"])
def test_no_message_shows_the_credentials_of_an_address(server, tmp_path, monkeypatch, address):
    port = server.url.rpartition(":")[2]
    monkeypatch.setenv("LULC_DATA_URL", address.format(port=port))
    monkeypatch.setenv("LULC_DATA", str(tmp_path))
    file = entry(PATH, BODY)
    for reason in (get(file, tmp_path)[1], file_states([file], tmp_path, FAST)[0].reason):
        assert PATH in reason and "t0ken" not in reason and "p4ss" not in reason, reason
