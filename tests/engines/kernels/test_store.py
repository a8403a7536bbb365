"""The store of compiled libraries: whole, own and private, or not used; several builders; no compiler."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from slalom.core.errors import BadValueError, SlalomError, StoreError
from slalom.engines.kernels import NoCompilerError, cache, compile_program, compile_programs, compiler
from slalom.rules import adam, sgd, windowed_adadelta

CHILD = """
import torch
from slalom.engines.kernels import compile_programs
from slalom.rules import adam, sgd
compile_programs([adam(), sgd()], torch.float64)
print("done")
"""


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty store, and nothing remembered from other tests."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(cache, "_loaded", {})
    monkeypatch.setattr(cache, "_working", {})
    return tmp_path / "slalom" / "kernels"


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was compiled since, one entry a translation unit."""
    seen: list[str] = []
    real = compiler.build
    monkeypatch.setattr(compiler, "build", lambda *a: (seen.append(a[0]), real(*a))[1])
    return seen


def forget() -> None:
    cache._loaded.clear()


def test_the_second_time_nothing_is_compiled(store: Path, built: list[str]) -> None:
    compile_programs([sgd(), sgd(lr=0.5), sgd(momentum=0.9)])
    assert len(built) == 2  # a hyper's value compiles nothing anew
    forget()
    compile_program(sgd())
    assert len(built) == 2
    assert store.stat().st_mode & 0o777 == 0o700
    assert sorted(p.suffix for p in store.iterdir()) == [".so", ".so"]


@pytest.mark.parametrize("harm", ["truncate", "alter", "swap", "empty", "group-writable", "link"])
def test_a_library_that_is_not_what_its_name_says_is_built_anew(store: Path, built: list[str], harm: str) -> None:
    compile_program(sgd())
    (path,) = store.iterdir()
    content = path.read_bytes()
    if harm in ("truncate", "alter", "swap", "empty"):
        path.unlink()  # the loaded library stays whole: cutting a mapped file would kill this process when it ends
    if harm == "truncate":
        path.write_bytes(content[: len(content) // 2])
    elif harm == "alter":
        path.write_bytes(content[:-100] + bytes(100))
    elif harm == "swap":
        path.write_bytes(Path(torch._C.__file__).read_bytes()[:100000])
    elif harm == "empty":
        path.write_bytes(b"")
    elif harm == "group-writable":
        path.chmod(0o720)
    else:
        path.rename(store / "elsewhere")
        path.symlink_to(store / "elsewhere")
    forget()
    compile_program(sgd())
    assert len(built) == 2


@pytest.mark.parametrize("mode", [0o750, 0o702, 0o777])
def test_a_folder_open_to_others_is_refused(store: Path, mode: int) -> None:
    store.mkdir(parents=True)
    store.chmod(mode)
    with pytest.raises(StoreError, match=f"open to others .mode {mode:o}.; remove it, `chmod 700` it, or set XDG_CACHE"):
        compile_program(sgd())


def test_a_folder_of_another_user_or_a_link_is_refused(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store.mkdir(parents=True, mode=0o700)
    me = os.getuid()
    with monkeypatch.context() as patch:
        patch.setattr(os, "getuid", lambda: me + 1)
        with pytest.raises(StoreError, match=f"belongs to user {me}, not to you"):
            compile_program(sgd())
    store.rename(store.parent / "real")
    store.symlink_to(store.parent / "real")
    with pytest.raises(StoreError, match="must be a folder, not a link"):
        compile_program(sgd())


def test_two_processes_build_at_once_and_a_third_finds_it_done(store: Path, built: list[str]) -> None:
    env = {**os.environ, "XDG_CACHE_HOME": str(store.parent.parent), "OMP_NUM_THREADS": "1"}
    children = [subprocess.Popen([sys.executable, "-c", CHILD], env=env, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [c.communicate(timeout=120)[0] for c in children] == ["done\n"] * 2
    assert not list(store.glob(".building-*"))
    compile_programs([adam(), sgd()], torch.float64)
    assert built == []


@pytest.mark.parametrize("cc", ["/nonexistent", "false", "/nonexistent/ccache gcc"])
def test_without_a_compiler_the_error_says_so(store: Path, monkeypatch: pytest.MonkeyPatch, cc: str) -> None:
    monkeypatch.setenv("CC", cc)
    with pytest.raises(NoCompilerError, match=r"cannot be run .*; install one .cc, gcc or clang., or set CC"):
        compile_program(sgd())
    assert issubclass(NoCompilerError, SlalomError)


def test_a_compiler_that_fails_or_builds_for_another_machine_is_found_out(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken-cc"
    monkeypatch.setenv("CC", str(broken))
    junk = 'for a; do last="$a"; done; echo junk > "$last"'  # says yes to everything and makes nothing that loads
    for script, match in {
        f'[ "$1" = --version ] || {{ {junk}; }}': "cannot be loaded",
        '[ "$1" = --version ] && exit 0; echo no disk >&2; exit 4': "failed with exit code 4: no disk",
    }.items():
        broken.write_text(f"#!/bin/sh\n{script}\n")
        broken.chmod(0o700)
        with pytest.raises(NoCompilerError, match=match):
            compile_program(sgd())
    assert list(store.iterdir()) == []


def test_a_plainer_way_is_taken_where_the_better_ones_fail(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = tmp_path / "plain-cc"  # a compiler without OpenMP
    plain.write_text('#!/bin/sh\nfor a; do [ "$a" = -fopenmp ] && exit 1; done\nexec cc "$@"\n')
    plain.chmod(0o700)
    monkeypatch.setenv("CC", str(plain))
    P = torch.ones(2, 3)
    kernel = compile_program(sgd(lr=0.5))
    coefficients, _ = kernel.coefficients({"lr": [0.5, 1.0], "momentum": 0, "dampening": 0, "weight_decay": 0}, 1)
    kernel.step(P, torch.ones(2, 3), {}, [0, 1], coefficients, threads=2)
    assert P.tolist() == [[0.5] * 3, [0.0] * 3]
    assert list(cache._working.values()) == [list(compiler.ways())[2]]


def test_dtypes_and_rules_outside_are_refused(store: Path) -> None:
    with pytest.raises(BadValueError, match=r"torch\.float32 or torch\.float64, got torch\.bfloat16"):
        compile_program(sgd(), torch.bfloat16)
    with pytest.raises(BadValueError, match="windowed_adadelta: a windowed state is not in the language that prints as C"):
        compile_program(windowed_adadelta())
