"""Every program's source through NVIDIA's own compiler, where there is one: it needs no GPU for that."""

from __future__ import annotations

import pytest

from slalom.core.rule import Settings
from slalom.engines.kernels.compiler import NoCompilerError
from slalom.engines.kernels.cuda.nvrtc import Nvrtc, nvrtc
from slalom.engines.kernels.cuda.source import KERNELS, cuda_source
from tests.engines.kernels.cuda.compile_all import KINDS, storage
from tests.engines.kernels.lanes import name, variants
from tests.engines.kernels.odd_rule import odd

ALL = [*variants(product=False), odd()]


@pytest.fixture(scope="module")
def compiler() -> Nvrtc:
    try:
        return nvrtc()
    except NoCompilerError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("settings", ALL, ids=name)
def test_every_program_compiles_for_hopper(settings: Settings, compiler: Nvrtc) -> None:
    text = cuda_source(settings, storage(settings, "float32")).text
    ptx = compiler.compile(text, "compute_90").decode()
    assert all(f".entry {kernel}(" in ptx for kernel in KERNELS)
    step = ptx[ptx.index(".entry slalom_step(") :]
    assert "v4.f32" in step  # sixteen bytes at once
    assert "fma.rn.f32" not in ptx or "POW(" in text or "EXP(" in text  # rounded as on the processor


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "float32"])
@pytest.mark.parametrize("settings", [s for s in ALL if s.rule.name in ("adam", "odd")][::4], ids=name)
def test_every_way_of_storing_compiles_to_machine_code(settings: Settings, kind: str, compiler: Nvrtc) -> None:
    assert compiler.compile(cuda_source(settings, storage(settings, kind)).text, "sm_90").startswith(b"\x7fELF")


def test_a_newer_gpu_gets_ptx_and_one_too_old_a_reason(compiler: Nvrtc) -> None:
    newest = compiler.architectures[-1]
    assert compiler.target((9, 0)) == "sm_90"
    assert compiler.target((99, 0)) == f"compute_{newest}"
    with pytest.raises(NoCompilerError, match="this GPU has 1"):
        compiler.target((1, 0))


def test_a_source_that_does_not_compile_says_why(compiler: Nvrtc) -> None:
    with pytest.raises(NoCompilerError, match="nonsense"):
        compiler.compile('extern "C" __global__ void f() { nonsense(); }', "compute_90")
