"""Files: checked before they are read, written under a temporary name and renamed when complete."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lulc_lib.errors import InputError


def existing_file(path: Path | str) -> Path:
    """Return the path of a file that is there.

    Raises
    ------
    InputError
        There is no such file, or it is a folder.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path}: is a folder; a file is needed")
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    return path


def existing_folder(path: Path | str) -> Path:
    """Return the path of a folder that is there.

    Raises
    ------
    InputError
        There is no such folder, or it is a file.
    """
    path = Path(path)
    if not path.is_dir():
        why = "is a file; a folder is needed" if path.exists() else "no such folder"
        raise InputError(f"{path}: {why}")
    return path


@contextmanager
def written_whole(path: Path | str, make_folder: bool = False) -> Iterator[Path]:
    """Yield a temporary path, which becomes ``path`` when the block ends without an error.

    The temporary file lies in the same folder and keeps the suffix; after an error it is removed
    and what was at ``path`` is untouched.

    Parameters
    ----------
    path : Path or str
        The file to write or replace.
    make_folder : bool
        Make its folder if it is not there; else that is an error.

    Raises
    ------
    InputError
        The folder is not there, is not writable, or the disk is full.
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
