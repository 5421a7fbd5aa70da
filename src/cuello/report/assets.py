"""Parts of a page: files, Plotly.js, data as JSON, and the policy that allows its scripts alone."""

from __future__ import annotations

import base64
import functools
import gzip
import hashlib
import importlib.resources
import json

__all__ = ["digest", "packed", "plotly", "script_json", "security_policy", "text_of", "utf8"]


@functools.cache
def text_of(name: str, package: str = "cuello.report") -> str:
    """Return a file of a package as text."""
    return (importlib.resources.files(package) / name).read_text(encoding="utf-8")


@functools.cache
def plotly() -> tuple[str, str]:
    """Return Plotly.js as base64 of gzip (4.8 MB become 2.0), and the hash of its text."""
    source = importlib.resources.files("plotly") / "package_data" / "plotly.min.js"
    text = source.read_bytes()
    return packed(text), digest(text)


def packed(content: bytes) -> str:
    """Return bytes as base64 of gzip; the same bytes give the same text."""
    return base64.b64encode(gzip.compress(content, 9, mtime=0)).decode("ascii")


def digest(text: bytes) -> str:
    """Return the SHA-256 of a script as a content security policy writes it."""
    return base64.b64encode(hashlib.sha256(text).digest()).decode("ascii")


def security_policy(script: str, *hashes: str, more: str = "") -> str:
    """Return the policy of a page: it runs its script, and others by their hashes.

    Even a page that someone edited cannot load anything or run another script, but for what
    ``more`` allows.
    """
    allowed = " ".join(f"'sha256-{one}'" for one in (digest(script.encode()), *hashes))
    return (
        f"default-src 'none'; script-src {allowed}{more}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


def script_json(value: object) -> str:
    """Write JSON that cannot end the script element around it: "<" becomes "\\u003c"."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def utf8(page: str) -> str:
    """Return a page that can be written as UTF-8.

    A file name may hold bytes that are no text (lone surrogates); they become question marks.
    """
    return page.encode("utf-8", "replace").decode("utf-8")
