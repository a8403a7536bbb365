"""Compiled images in the user's own store, under the rules of `slalom.engines.kernels.cache`.

A file's name is `KEY-DIGEST.image`: a hash of all that it was made from, and the SHA-256 of its bytes. It is checked on
the very bytes that are then loaded; what is truncated, altered, someone else's or open to others is built anew.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

from slalom.core.errors import StoreError
from slalom.engines.kernels.cache import folder


def image(told: tuple[str, ...], build: Callable[[], bytes]) -> bytes:
    """The image made from what `told` tells: from the store, or built and kept there.

    Raises StoreError for an unsafe store, and what `build` raises.
    """
    where = folder()
    key = hashlib.sha256("\0".join(told).encode()).hexdigest()[:40]
    for path in sorted(where.glob(f"{key}-*.image")):
        found = _read(path)
        if found is not None and path.name == _name(key, found):
            return found
    made = build()
    try:
        with tempfile.TemporaryDirectory(prefix=".building-", dir=where) as scratch:
            target = Path(scratch) / "made"
            target.write_bytes(made)
            target.chmod(0o600)
            target.replace(where / _name(key, made))
    except OSError as error:
        raise StoreError(f"{where}: a compiled kernel cannot be written ({error})") from None
    return made


def _name(key: str, content: bytes) -> str:
    return f"{key}-{hashlib.sha256(content).hexdigest()}.image"


def _read(path: Path) -> bytes | None:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        with os.fdopen(handle, "rb") as file:
            told = os.fstat(file.fileno())
            private = stat.S_ISREG(told.st_mode) and told.st_uid == os.getuid() and not told.st_mode & 0o022
            return file.read() if private else None
    except OSError:
        return None
