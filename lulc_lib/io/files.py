"""Files: checked before they are read, written under a temporary name and renamed when complete."""

from __future__ import annotations

import glob
import hashlib
import itertools
import os
import shutil
import stat
import sys
import tempfile
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from lulc_lib.errors import InputError

SHAPEFILE = (".shp", ".shx", ".dbf", ".prj", ".cpg", ".qpj", ".qix", ".sbn", ".sbx")
"""Endings of the files that one shapefile consists of."""

UNFINISHED, LOCK = ".part", "lulc.lock"
"""Ending of a temporary folder's name, and the file in it that a running process holds locked."""

SIDECARS = (".ovr", ".msk", ".aux.xml")
"""Endings of what GDAL reads together with a raster: overviews, mask, statistics and names."""
OPENED = ("-wal", "-journal")
"""Endings of what SQLite keeps beside a GeoPackage while it is open, and at the next opening puts
into whatever has its name then."""

Output = Path | Sequence[Path] | None


def existing_file(path: Path | str) -> Path:
    """Return the path of a file that can be read, else InputError that says why it cannot be."""
    path = Path(path)
    found = _status(path)
    if found is None:
        raise InputError(f"{path}: no such file")
    if stat.S_ISDIR(found.st_mode):
        raise InputError(f"{path}: is a folder; a file is needed")
    if not stat.S_ISREG(found.st_mode):
        raise InputError(f"{path}: is a pipe or a device; a file is needed")
    if not os.access(path, os.R_OK):
        raise InputError(f"{path}: permission to read it is denied")
    return path


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def existing_folder(path: Path | str) -> Path:
    """Return the path of a folder that can be read, else InputError that says why it cannot be."""
    path = Path(path)
    found = _status(path)
    if found is None or not stat.S_ISDIR(found.st_mode):
        why = "is a file; a folder is needed" if found else "no such folder"
        raise InputError(f"{path}: {why}")
    if not os.access(path, os.R_OK | os.X_OK):
        raise InputError(f"{path}: permission to read it is denied")
    return path


def check_outputs(outputs: Mapping[str, Output], inputs: Iterable[Path] = (),
                  suffixes: Mapping[str, Sequence[str]] | None = None, overwrite: bool = True,
                  folders: Mapping[str, Path | None] | None = None,
                  log: Path | None = None) -> None:
    """Check all files that will be written, before anything is opened for writing.

    Parameters
    ----------
    outputs : mapping of str to Path or sequence of Path
        What an output is called (such as ``--output``) to its path, or to that and those of what
        is written beside it; None is passed over.
    inputs : iterable of Path
        All files and folders that are read. An input with all files that belong to it (see
        :func:`files_of`) is never replaced, whatever link leads to it, and nothing is written into
        a folder that is read.
    suffixes : mapping of str to sequence of str, optional
        What an output is called to the endings of which its name must have one.
    overwrite : bool
        Whether a file that is there may be replaced.
    folders : mapping of str to Path, optional
        Folders that files are written to, made if they are not there.
    log : Path, optional
        A file that is added to, so that it may be there.

    Raises
    ------
    InputError
        A wrong suffix, a folder, a folder that is missing or may not be written to, an input or a
        part of one, the same path twice, a file that is there already, or a GeoPackage that another
        program has open.
    """
    outputs = {what: (paths,) if isinstance(paths, Path) else tuple(paths)
               for what, paths in outputs.items() if paths is not None}
    folders = {what: path for what, path in (folders or {}).items() if path is not None}
    for what, endings in (suffixes or {}).items():
        if what in outputs and outputs[what][0].suffix.lower() not in endings:
            raise InputError(f"{what} {outputs[what][0]}: its name must end in "
                             f"{' or '.join(endings)}")
    inputs = [path for path in inputs if _status(path) is not None]
    written = [path for paths in outputs.values() for path in paths] + ([log] if log else [])
    replacing = any(_status(path) for path in written)
    taken = {_identity(part): "is an input" if part == path else f"belongs to the input {path}"
             for path in inputs for part in (files_of(path) if replacing else [path])}
    read = [path for path in inputs if path.is_dir()]
    for what, path in folders.items():
        _check_folder(what, path, read)
        taken[_identity(path)] = f"is the folder {what}"
    for what, paths in (outputs | ({"--log": (log,)} if log else {})).items():
        for path in paths:
            _check_place(what, path, read)
            if _identity(path) in taken:
                raise InputError(f"{what} {path}: {taken[_identity(path)]}; name another file")
            if not overwrite and path.exists() and path is not log:
                raise InputError(f"{what} {path}: is there already; --overwrite replaces it")
            taken[_identity(path)] = f"is {what} too"


def files_of(path: Path) -> list[Path]:
    """List the files that an input consists of, itself first.

    These are what GDAL lists for a raster (sources of a mosaic and theirs, masks, overviews,
    world file), and all parts of a shapefile.
    """
    files = [path]
    if path.suffix.lower() in SHAPEFILE:
        files += [p for p in path.parent.glob(f"{glob.escape(path.stem)}.*")
                  if p.suffix.lower() in SHAPEFILE]
    for known in files:
        files += [p for p in _listed(known) if p not in files]
    return files


def with_siblings(path: Path, suffixes: Iterable[str]) -> tuple[Path, ...]:
    """Return a path, and those beside it that differ from it in their ending."""
    return (path, *(path.with_suffix(s) for s in suffixes if path.name))


def _listed(path: Path) -> list[Path]:
    """List the files that GDAL says a raster has; none if it is no raster or not at hand."""
    try:
        import rasterio
        with warnings.catch_warnings(action="ignore"), rasterio.open(path) as source:
            names = source.files
    except (ImportError, OSError):
        return []
    inner = [Path(name.removeprefix("/vsizip/").removeprefix("/vsitar/")) for name in names]
    return [file for name in inner for file in (name, *name.parents) if file.is_file()]


def _status(path: Path) -> os.stat_result | None:
    """Look a path up; None if nothing is there, InputError if it cannot be used as a name."""
    try:
        os.fspath(path).encode()  # as all libraries that read and write do
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except UnicodeEncodeError:
        raise InputError(f"{path}: its name is not UTF-8; rename it") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: cannot be used ({why})") from error


def _identity(path: Path) -> tuple[int, int] | str:
    """Return what is the same for all names of one file; of one not there, the real path."""
    found = _status(path)
    return (found.st_dev, found.st_ino) if found else os.path.realpath(path)


def _check_place(what: str, path: Path, read: Sequence[Path]) -> None:
    """Refuse a path where no file can be written, and one in a folder that is ``read``."""
    found = _status(path)
    if found and stat.S_ISDIR(found.st_mode):
        raise InputError(f"{what} {path}: is a folder; name the file to write")
    if found and not stat.S_ISREG(found.st_mode):
        raise InputError(f"{what} {path}: is a pipe or a device; name a file to write")
    if not path.parent.is_dir():
        raise InputError(f"{what} {path}: there is no folder {path.parent}")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise InputError(f"{what} {path}: the folder {path.parent} may not be written to")
    for ending in OPENED if path.suffix.lower() == ".gpkg" else ():
        if _status(beside := path.with_name(path.name + ending)):
            raise InputError(f"{what} {path}: another program has it open, for {beside.name} is "
                             "there; close it there, or remove that file if none has")
    _refuse_inside(what, path, read)


def _check_folder(what: str, path: Path, read: Sequence[Path]) -> None:
    """Refuse a path that cannot be made a folder, and one in a folder that is ``read``."""
    there = next(p for p in (path, *path.absolute().parents) if _status(p))
    if not there.is_dir():
        raise InputError(f"{what} {path}: {there} is no folder; name one that files may go to")
    if not os.access(there, os.W_OK | os.X_OK):
        raise InputError(f"{what} {path}: the folder {there} may not be written to")
    _refuse_inside(what, path, read)


def _refuse_inside(what: str, path: Path, read: Sequence[Path]) -> None:
    """Refuse a path in one of the folders that are ``read``."""
    for folder in read:
        if Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder)):
            raise InputError(f"{what} {path}: lies in {folder}, which is read; name a place "
                             "elsewhere")


def keep(path: Path) -> None:
    """Give what is at a path, if anything, the first free name of NAME.kept1, NAME.kept2, …."""
    if path.exists():
        names = (path.with_name(f"{path.name}.kept{n}") for n in itertools.count(1))
        os.rename(path, next(name for name in names if not name.exists()))


def replace(part: Path, path: Path, beside: Collection[Path] = ()) -> None:
    """Give a finished file its name, and remove what GDAL keeps of a raster that had it before.

    Overviews and masks of another raster would be shown as its own. ``beside``: what stays.
    """
    for stale in (path.with_name(path.name + ending) for ending in SIDECARS):
        if stale not in beside and os.path.lexists(stale):
            stale.unlink()
    os.replace(part, path)


@contextmanager
def made_folder(folder: Path) -> Iterator[None]:
    """Make a folder; after an error one that is new and empty is removed."""
    new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        with suppress(OSError):
            folder.rmdir() if new else None
        raise


@contextmanager
def writing(path: Path | str) -> Iterator[None]:
    """Turn errors of the disk, and of the libraries that write to it, into InputError."""
    try:
        yield
    except _writing_errors() as error:
        why = " ".join(str(getattr(error, "strerror", None) or error).split())
        raise InputError(f"{path}: cannot be written; is there room on the disk? ({why})"
                         ) from error


def _writing_errors() -> tuple[type[Exception], ...]:
    """Return what is raised where a file cannot be written, by the libraries that are loaded."""
    names = (("sqlite3", "Error"), ("rasterio.errors", "RasterioError"),
             ("rasterio._err", "CPLE_BaseError"), ("pyogrio._err", "CPLE_BaseError"),
             ("pyogrio.errors", "DataSourceError"), ("pyogrio.errors", "DataLayerError"),
             ("pyogrio.errors", "FeatureError"))
    return OSError, *(getattr(sys.modules[module], name)
                      for module, name in names if module in sys.modules)


@contextmanager
def unfinished(path: Path | str) -> Iterator[Path]:
    """Yield a temporary folder beside a file that is being made; at the end it is removed.

    A lock says that its process lives. Folders that killed runs left at the same file are removed
    first.
    """
    from filelock import FileLock, Timeout  # not at import: a lesson in a browser has none

    path = Path(path)
    start = f".{path.name[:40]}."
    for stale in path.parent.glob(f"{glob.escape(start)}*{UNFINISHED}"):
        with suppress(Timeout, OSError):
            if (stale / LOCK).is_file():
                with FileLock(stale / LOCK, blocking=False):
                    shutil.rmtree(stale, ignore_errors=True)
    new = Path(tempfile.mkdtemp(prefix=start, dir=path.parent))
    folder = new.with_name(new.name + UNFINISHED)
    try:
        with FileLock(new / LOCK):
            new.rename(folder)  # locked before it has a name that others look for
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def written_whole(path: Path | str, make_folder: bool = False) -> Iterator[Path]:
    """Yield a temporary path, which becomes ``path`` when the block ends without an error.

    It has the same name in an :func:`unfinished` folder; after an error what was at ``path`` is
    untouched. InputError: the folder is not there (unless ``make_folder``), is not writable, or the
    disk is full.
    """
    path = Path(path)
    if not make_folder and not path.parent.is_dir():
        raise InputError(f"{path}: the folder {path.parent} is not there")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with unfinished(path) as folder:
            yield folder / path.name
            replace(folder / path.name, path)
