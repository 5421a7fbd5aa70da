"""Files of named sets: looked for on this machine, then downloaded; their content is checked."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cuello.data.readers.base import read_content
from cuello.errors import DataError

__all__ = ["RemoteFile", "cache_folder", "data_folders", "find_file", "obtain"]

FOLDERS, CACHE = "CUELLO_DATA", "CUELLO_CACHE"

_log = logging.getLogger("cuello")


@dataclass(frozen=True)
class RemoteFile:
    """A file of a named set: name at the mirrors (.gz), checksum of its content, download size."""

    name: str
    sha256: str
    size: int


def data_folders() -> list[Path]:
    """Return the folders of the environment variable CUELLO_DATA."""
    folders = os.environ.get(FOLDERS, "").split(os.pathsep)
    return [Path(folder).expanduser() for folder in folders if folder]


def cache_folder() -> Path:
    """Return the folder of downloads: CUELLO_CACHE, or the cache folder of the system."""
    chosen = os.environ.get(CACHE)
    if chosen:
        return Path(chosen).expanduser()
    import pooch

    return Path(pooch.os_cache("cuello"))


def find_file(set_name: str, file: RemoteFile) -> Path | None:
    """Search ``<folder>/<set>/`` of the data folders, then of the cache, for a file, .gz or not."""
    names = (file.name, file.name.removesuffix(".gz"))
    folders = [*data_folders(), cache_folder()]
    paths = (folder / set_name / name for folder in folders for name in names)
    return next((path for path in paths if path.is_file()), None)


def obtain(set_name: str, file: RemoteFile, mirrors: Sequence[str], *, offline: bool) -> bytes:
    """Return the uncompressed, checked content of a file, downloading it if it is not here yet."""
    path = find_file(set_name, file)
    if path is None:
        if offline:
            raise DataError(
                f"{file.name} is not on this machine", value=set_name, remedy=_by_hand(set_name)
            )
        path = _download(set_name, file, mirrors)
    return _checked_content(path, file)


def _checked_content(path: Path, file: RemoteFile) -> bytes:
    raw = read_content(path)
    sha256 = hashlib.sha256(raw).hexdigest()
    if sha256 != file.sha256:
        raise DataError(
            f"is damaged: the sha256 of its uncompressed content is {sha256}, expected "
            f"{file.sha256}",
            value=path,
            remedy="delete it: it is then looked for elsewhere or downloaded again",
        )
    return raw


def _download(set_name: str, file: RemoteFile, mirrors: Sequence[str]) -> Path:
    """Try the mirrors in turn; a file appears in the cache only when complete and checked."""
    folder = cache_folder() / set_name
    failures = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".download-", dir=folder) as temporary:
            for mirror in mirrors:
                part = Path(temporary) / file.name
                try:
                    _log.info("downloading %s (%.1f MB)", mirror + file.name, file.size / 1e6)
                    _retrieve(mirror + file.name, part)
                    _checked_content(part, file)
                except Exception as error:  # whatever a connection raises, the next may do
                    failures.append(f"{mirror} ({' '.join(str(error).split())[:200]})")
                    continue
                os.replace(part, folder / file.name)
                return folder / file.name
    except OSError as error:
        raise DataError(
            f"cannot be written ({error})",
            value=folder,
            remedy=f"set {CACHE} to a folder that can be",
        ) from error
    raise DataError(
        f"no mirror gave {file.name}: {'; '.join(failures)}",
        value=set_name,
        remedy=_by_hand(set_name),
    )


def _retrieve(url: str, path: Path) -> None:
    import pooch

    pooch.HTTPDownloader(chunk_size=2**18, timeout=30)(url, str(path), None)


def _by_hand(set_name: str) -> str:
    return (
        f"check the connection, or copy the files to a folder {set_name}/ inside a folder that "
        f"{FOLDERS} names (several are separated by {os.pathsep!r}), or into {cache_folder()}."
    )
