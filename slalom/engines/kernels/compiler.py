"""The machine's C compiler and the flags it takes: found once a process, tried from the best way to the plainest.

`CC` is respected (default `cc`). The first way links the very libgomp that torch has loaded, so that there is one
pool of threads; then plain `-fopenmp`; then no OpenMP; then no `-march=native`. What a way gives is checked by loading
the library, so a compiler that builds for another machine is found out. `-ffast-math` is never used: NaN and
infinity keep their meaning.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from slalom.core.errors import SlalomError

BASE = (
    "-O2", "-ftree-vectorize", "-fvect-cost-model=dynamic",  # as fast here as -O3, which takes a third longer to compile
    "-std=gnu11", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off", "-fPIC", "-w",
)  # fmt: skip
TIMEOUT = 120  # seconds for one translation unit; it takes well under one


class NoCompilerError(SlalomError, RuntimeError):
    """There is no C compiler that works; `slalom.engines.kernels.reference` runs the same step through torch."""


@dataclass(frozen=True)
class Way:
    """One way to call the compiler: flags before and after the source file."""

    before: tuple[str, ...]
    after: tuple[str, ...] = ()

    def plus(self, flags: tuple[str, ...]) -> Way:
        """This way with more flags, which win over its own."""
        return Way((*self.before, *flags), self.after)


def command() -> list[str]:
    """The compiler's command line, from CC or `cc`."""
    return shlex.split(os.environ.get("CC", "")) or ["cc"]


@lru_cache(maxsize=8)
def _version(compiler: tuple[str, ...]) -> str:
    try:
        done = subprocess.run(
            [*compiler, "--version"],
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=True,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise NoCompilerError(
            f"the C compiler {shlex.join(compiler)!r} cannot be run ({error}); install one (cc, gcc or clang), or set CC "
            "to its path"
        ) from None
    return done.stdout


def version() -> str:
    """What `cc --version` prints; NoCompilerError where it cannot be run."""
    return _version(tuple(command()))


@lru_cache(maxsize=1)
def processor() -> str:
    """What tells this processor from another: its model and the instructions it has."""
    told = [platform.machine(), platform.system(), platform.processor()]
    try:
        seen: set[str] = set()
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            key = line.split(":")[0].strip()
            if key in ("model name", "vendor_id", "flags", "Features", "CPU part", "model") and key not in seen:
                seen.add(key)
                told.append(line)
    except OSError:
        pass  # not Linux: the platform module's words have to do
    return "\n".join(told)


@lru_cache(maxsize=1)
def torch_gomp() -> str | None:
    """The path of the libgomp that lies beside torch, else of one that this process has loaded; None where there is none.

    Torch's own comes first: other packages (scikit-learn) load theirs too, and the order of imports must not matter.
    """
    import torch

    lib = Path(torch.__file__).parent / "lib"
    own = next((str(p) for p in sorted(lib.glob("libgomp*.so*"))), None)
    if own is not None:
        return own
    try:
        for line in Path("/proc/self/maps").read_text(errors="replace").splitlines():
            path = line.split(maxsplit=5)[-1]
            if "libgomp" in path.rsplit("/", 1)[-1] and Path(path).is_file():
                return path
    except OSError:
        pass
    return None


def ways() -> Iterator[Way]:
    """The ways to try, best first."""
    gomp = torch_gomp()
    native = (*BASE, "-march=native")
    if gomp is not None and platform.system() == "Linux":
        yield Way((*native, "-fopenmp"), (f"{gomp}",))
    yield Way((*native, "-fopenmp"))
    yield Way(native)
    yield Way(BASE)


def build(source: str, way: Way, target: Path) -> None:
    """Compile one translation unit to a shared library at `target`.

    Raises NoCompilerError with the compiler's last words where it fails.
    """
    c_file = target.with_suffix(".c")
    c_file.write_text(source)
    steps: list[list[str]]
    if way.after:  # linked without -fopenmp, or the compiler would add its own libgomp beside the given one
        o_file = target.with_suffix(".o")
        steps = [
            [*command(), *way.before, "-c", str(c_file), "-o", str(o_file)],
            [*command(), "-shared", str(o_file), *way.after, "-lm", "-o", str(target)],
        ]
    else:
        steps = [[*command(), *way.before, "-shared", str(c_file), "-lm", "-o", str(target)]]
    for line in steps:
        try:
            done = subprocess.run(line, capture_output=True, text=True, timeout=TIMEOUT, stdin=subprocess.DEVNULL)
        except (OSError, subprocess.SubprocessError) as error:
            raise NoCompilerError(f"the C compiler {shlex.join(command())!r} cannot be run ({error})") from None
        if done.returncode != 0:
            words = done.stderr.strip()[-800:]
            raise NoCompilerError(f"`{shlex.join(line)}` failed with exit code {done.returncode}: {words}")


def key(source: str, way: Way) -> str:
    """The name of a library: a hash of source, compiler, its version, flags and processor."""
    told = "\0".join([source, *command(), version(), *way.before, "|", *way.after, processor()])
    return hashlib.sha256(told.encode()).hexdigest()[:40]
