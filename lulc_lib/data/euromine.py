"""EuroMineNet: 133 mines of the EU on Sentinel-2, yearly 2015 to 2024, with the mining footprint.

Downloaded and unpacked here; ``experiments.euromine_scenes`` reads it. Source: Yu et al. 2026,
ISPRS J. 237, 409–425; data doi 10.14278/rodare.4656.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import requests

from lulc_lib import paths
from lulc_lib.data.catalogue import EUROMINE_TERMS as ATTRIBUTION
from lulc_lib.data.download import RecordFile, fetch, require
from lulc_lib.errors import InputError
from lulc_lib.io import unfinished, written_whole
from lulc_lib.io.http import Client, Policy

RECORD = "https://rodare.hzdr.de/api/records/4656"
ARCHIVE = "EuroMineNet.zip"

ADVICE = "try again later, or put the archive there yourself"
SITE = re.compile(r"[A-Z][A-Za-z]+_\d+")


def euromine_dir() -> Path:
    """Return the folder of the sites unless stated: ``euromine`` in the data folder."""
    return paths.published_dir() / "euromine"


def download_sites(out: Path, wanted: Sequence[str] = (), record: str | None = None,
                   progress: bool = True, policy: Policy | None = None) -> list[str]:
    """Download the archive, verify it and unpack sites; return those that are there then.

    Parameters
    ----------
    out : Path
        Folder of the sites; the archive is kept in it.
    wanted : sequence of str
        Names of sites; none: all. Those unpacked already are not fetched again.
    record, progress, policy : str, bool, Policy
        Address of the record in the API of an Invenio repository, unless :data:`RECORD`; show a
        bar on stderr; time-outs and retries.

    Raises
    ------
    InputError
        The archive cannot be had or is damaged, a site is not in it, or there is no room.
    """
    out = Path(out)
    if wanted and all((out / site).is_dir() for site in wanted):
        return list(wanted)
    with requests.Session() as session:
        client = Client(ARCHIVE, ADVICE, session, policy)
        file = _file_of(client.json(record or RECORD), client, record or RECORD)
    require(fetch([file], out, progress, policy))
    return unpack(out / file.path, out, wanted)


def _file_of(answer: dict, client: Client, url: str) -> RecordFile:
    """Find the archive in a record, of either generation of the API."""
    files = answer.get("files") or []
    entries = list(files.get("entries", {}).values()) if isinstance(files, dict) else files
    for entry in entries:
        if entry.get("key") == ARCHIVE and str(entry.get("checksum", "")).startswith("md5:"):
            links = entry.get("links", {})
            address = links.get("content") or links.get("self")
            if address and entry.get("size"):
                return RecordFile(ARCHIVE, address, int(entry["size"]), entry["checksum"], ADVICE)
    raise InputError(client.failure("the record does not list it with size, md5 and address", url))


def unpack(archive: Path, out: Path, wanted: Sequence[str] = ()) -> list[str]:
    """Unpack sites of the archive, each whole or not at all; return their names.

    InputError: damaged, names that lead out of the folder, links, unknown sites, or no room.
    """
    try:
        with zipfile.ZipFile(archive) as source:
            members = _members(source, archive.name)
            unknown = [site for site in wanted if site not in members]
            if unknown or not members:
                raise InputError(f"{archive.name}: has no site {', '.join(unknown) or 'at all'}"
                                 + (f"; it has {', '.join(sorted(members))}" if members else ""))
            chosen = {site: members[site] for site in (wanted or sorted(members))}
            need = sum(info.file_size for files in chosen.values() for info, _ in files)
            if need > shutil.disk_usage(out).free:
                raise InputError(f"{out}: the sites need {need / 1e9:.1f} GB; free some space, or "
                                 "name fewer by --sites")
            for site, files in chosen.items():
                _unpack_site(source, files, out / site)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise InputError(f"{archive}: cannot be unpacked ({error})") from error
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror or error})") from error
    if not (out / "ATTRIBUTION.txt").exists():
        with written_whole(out / "ATTRIBUTION.txt") as part:
            part.write_text(ATTRIBUTION + "\n", encoding="utf-8")
    return list(chosen)


def _members(source: zipfile.ZipFile, name: str
             ) -> dict[str, list[tuple[zipfile.ZipInfo, PurePosixPath]]]:
    """Return each site's files with their paths below the site's folder."""
    members: dict[str, list[tuple[zipfile.ZipInfo, PurePosixPath]]] = {}
    for info in source.infolist():
        path = PurePosixPath(info.filename)
        outside = path.is_absolute() or ".." in path.parts or re.search(r"[\\:]", info.filename)
        if outside or stat.S_ISLNK(info.external_attr >> 16):
            raise InputError(f"{name}: holds {info.filename!r}, a link or a path that leads out of "
                             "the folder; nothing is unpacked")
        at = next((i for i, part in enumerate(path.parts[:-1]) if SITE.fullmatch(part)), None)
        if at is not None and not info.is_dir():
            members.setdefault(path.parts[at], []).append(
                (info, PurePosixPath(*path.parts[at + 1:])))
    return members


def _unpack_site(source: zipfile.ZipFile, files: Sequence[tuple[zipfile.ZipInfo, PurePosixPath]],
                 target: Path) -> None:
    if target.is_dir():
        return
    with unfinished(target) as work:
        folder = work / target.name
        for info, inner in files:
            (folder / inner).parent.mkdir(parents=True, exist_ok=True)
            with source.open(info) as packed, (folder / inner).open("wb") as plain:
                shutil.copyfileobj(packed, plain)
        os.replace(folder, target)
