"""Files: checked before they are read, written under a temporary name and renamed when complete."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from lulc_lib.errors import InputError


def existing_file(path: Path | str) -> Path:
    """Return the path of a file that is there, else InputError: none there, or a folder."""
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path}: is a folder; a file is needed")
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    return path


def existing_folder(path: Path | str) -> Path:
    """Return the path of a folder that is there, else InputError: none there, or a file."""
    path = Path(path)
    if not path.is_dir():
        why = "is a file; a folder is needed" if path.exists() else "no such folder"
        raise InputError(f"{path}: {why}")
    return path


def check_outputs(outputs: Mapping[str, Path | None], inputs: Iterable[Path] = (),
                  suffixes: Sequence[str] = (), overwrite: bool = True) -> None:
    """Check that files can be written, before the work that makes them.

    Parameters
    ----------
    outputs : mapping of str to Path
        What an output is called (such as ``--output``) to its path; None is passed over.
    inputs : iterable of Path
        Files that must not be overwritten.
    suffixes : sequence of str
        One of them must end every output's name; none: any may.
    overwrite : bool
        Whether a file that is there may be replaced (an input never).

    Raises
    ------
    InputError
        A wrong suffix, a folder, a folder that is missing or may not be written to, an input, the
        same path twice, or a file that is there already.
    """
    taken: dict[Path, str] = {path.resolve(): "is an input" for path in inputs}
    for what, path in outputs.items():
        if path is None:
            continue
        if suffixes and path.suffix.lower() not in suffixes:
            raise InputError(f"{what} {path}: its name must end in {' or '.join(suffixes)}")
        if path.is_dir():
            raise InputError(f"{what} {path}: is a folder; name the file to write")
        if not path.parent.is_dir():
            raise InputError(f"{what} {path}: there is no folder {path.parent}")
        if not os.access(path.parent, os.W_OK):
            raise InputError(f"{what} {path}: the folder {path.parent} may not be written to")
        if path.resolve() in taken:
            raise InputError(f"{what} {path}: {taken[path.resolve()]}; name another file")
        if path.exists() and not overwrite:
            raise InputError(f"{what} {path}: is there already; --overwrite replaces it")
        taken[path.resolve()] = f"is {what} too"


@contextmanager
def written_whole(path: Path | str, make_folder: bool = False) -> Iterator[Path]:
    """Yield a temporary path, which becomes ``path`` when the block ends without an error.

    It lies in the same folder and keeps the suffix; after an error it is removed and what was at
    ``path`` is untouched. InputError: the folder is not there (unless ``make_folder``), is not
    writable, or the disk is full.
    """
    path = Path(path)
    if not make_folder and not path.parent.is_dir():
        raise InputError(f"{path}: the folder {path.parent} is not there")
    part = path.with_name(f".{path.stem}.{os.getpid()}.{uuid.uuid4().hex[:8]}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        os.replace(part, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
