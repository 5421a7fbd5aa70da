"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError

from cuello.errors import RunError

__all__ = ["write", "write_bytes"]


def write(path: Path, fill: Callable[[Path], object]) -> None:
    """Let ``fill`` write a temporary file beside ``path``, then move it there in one step.

    A killed process, a full disk or an error inside ``fill`` leaves what was at ``path`` before. A
    file that cannot be written is a RunError.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        os.close(handle)
        temporary = Path(name)
        fill(temporary)
        with temporary.open("rb+") as f:
            os.fsync(f.fileno())
        # mkstemp makes private files; a result should be as readable as its folder allows.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        raise RunError(
            f"{path}: cannot be written ({reason}); what was there before is "
            "unchanged. Free some space or choose another folder, then try again."
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes atomically."""
    write(path, lambda temporary: temporary.write_bytes(content))
