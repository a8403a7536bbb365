"""The user's own store of compiled libraries: `$XDG_CACHE_HOME/slalom/kernels`, or `~/.cache/slalom/kernels`.

The folder is mode 0700 and belongs to the user, or it is refused. A library's name is `KEY-DIGEST.so`: a hash of all
that it was made from (source, compiler, flags, processor), and the SHA-256 of its bytes, which are checked before it is
loaded. It is written in a private temporary folder and renamed into place, so several processes may build at once; what
is truncated, altered or someone else's is never loaded, but built anew.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import stat
import tempfile
from pathlib import Path

from slalom.core.errors import StoreError
from slalom.engines.kernels import compiler
from slalom.engines.kernels.compiler import NoCompilerError, Way

_loaded: dict[str, ctypes.CDLL] = {}
_working: dict[tuple[str, ...], Way] = {}  # by compiler command: the way that worked in this process


def folder() -> Path:
    """The store's folder, made when missing.

    Raises StoreError where it is not a folder of this user with no access for others.
    """
    base = os.environ.get("XDG_CACHE_HOME", "")
    root = Path(base) if base and os.path.isabs(base) else Path.home() / ".cache"
    path = root / "slalom" / "kernels"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
        told = os.lstat(path)
    except OSError as error:
        raise StoreError(f"{path}: the cache of compiled kernels cannot be made ({error}); set XDG_CACHE_HOME") from None
    fix = "remove it, `chmod 700` it, or set XDG_CACHE_HOME"
    if not stat.S_ISDIR(told.st_mode):
        raise StoreError(f"{path}: the cache of compiled kernels must be a folder, not a link or file; {fix}")
    if told.st_uid != os.getuid():
        raise StoreError(f"{path}: the cache of compiled kernels belongs to user {told.st_uid}, not to you; {fix}")
    if told.st_mode & 0o077:
        mode = stat.S_IMODE(told.st_mode)
        raise StoreError(f"{path}: the cache of compiled kernels is open to others (mode {mode:o}); {fix}")
    return path


def library(source: str, symbols: tuple[str, ...] = ("slalom_step", "slalom_norms"), flags: tuple[str, ...] = ()) -> ctypes.CDLL:
    """The library of this source: from memory, from the store, or built now; one without these symbols is not loaded.

    `flags`: given to the compiler after its own, so that they win.

    Raises NoCompilerError where no way of compiling works, StoreError for an unsafe store.
    """
    command = tuple(compiler.command())
    known = _working.get(command)
    tried = [known] if known is not None else list(compiler.ways())
    where = folder()
    for way in tried:
        name = compiler.key(source, way.plus(flags))
        if name in _loaded:
            return _loaded[name]
        found = _load(where, name, symbols)
        if found is not None:
            _working[command] = way
            _loaded[name] = found
            return found
    problem: NoCompilerError | None = None
    for way in tried:
        name = compiler.key(source, way.plus(flags))
        try:
            made = _build(source, way.plus(flags), where, name, symbols)
        except NoCompilerError as error:
            problem = problem or error
            continue
        _working[command] = way
        _loaded[name] = made
        return made
    assert problem is not None
    raise problem


def _build(source: str, way: Way, where: Path, name: str, symbols: tuple[str, ...]) -> ctypes.CDLL:
    try:
        with tempfile.TemporaryDirectory(prefix=".building-", dir=where) as scratch:
            target = Path(scratch) / f"{name}.so"
            compiler.build(source, way, target)
            target.chmod(0o700)
            made = _open(target, symbols)  # loaded from where no one else writes, before the name is made public
            target.replace(where / f"{name}-{_digest(target)}.so")
    except OSError as error:
        raise StoreError(f"{where}: a compiled kernel cannot be written ({error})") from None
    return made


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _open(path: Path, symbols: tuple[str, ...]) -> ctypes.CDLL:
    try:
        made = ctypes.CDLL(str(path))
        for symbol in symbols:
            getattr(made, symbol)
    except (OSError, AttributeError) as error:
        raise NoCompilerError(f"the compiled kernel {path.name} cannot be loaded: {error}") from None
    return made


def _load(where: Path, name: str, symbols: tuple[str, ...]) -> ctypes.CDLL | None:
    """The stored library, or None where there is none that is whole, unaltered and this user's."""
    for path in sorted(where.glob(f"{name}-*.so")):
        try:
            told = os.lstat(path)
            private = stat.S_ISREG(told.st_mode) and told.st_uid == os.getuid() and not told.st_mode & 0o022
            if private and path.name == f"{name}-{_digest(path)}.so":
                return _open(path, symbols)
        except (OSError, NoCompilerError):
            continue
    return None
