"""A rule's step as compiled C, called on rows of a matrix: one row a lane.

    kernels = compile_programs([settings, ...], torch.float32)    # NoCompilerError: use reference_programs instead
    coefficients, new_scalars = kernel.coefficients(values, t, scalars)
    report = kernel.step(P, G, states, rows, coefficients, scale=None, clip=None, skip=None, state_rows=None)

P, G and every state are matrices `[N, D]` of the kernel's dtype with contiguous rows; `rows` (int64 [n], no row twice)
are the lanes of this call, in the order of `coefficients`. `state_rows` are the rows of the state matrices where they
differ from `rows` (states kept for one rule's lanes alone). The new gradient is `g * scale`, and if `clip` is given, `g`
is further multiplied by `min(1, clip / (norm + 1e-6))`, as torch's clip_grad_norm_ does for that lane alone.

A row is changed as a whole or not at all: rows with `skip`, with NaN or infinity in the gradient, or whose new
parameters would be NaN or infinite, stay as they are, states too; the report says which. A row's numbers do not depend
on the other rows or the number of threads, bit for bit. Scalar states (`new_scalars`) are the caller's to keep.

`slalom.engines.kernels.tensors` calls the same loop body on separate tensors, for the optimizers of `slalom.optim`; no
row is protected there: what torch would do with NaN is done.
"""

from slalom.engines.kernels.compiler import NoCompilerError
from slalom.engines.kernels.kernel import Kernel, compile_program, compile_programs
from slalom.engines.kernels.reference import ReferenceKernel, reference_program, reference_programs
from slalom.engines.kernels.report import BAD_GRADIENT, BAD_PARAMETER, MEANING, SKIPPED, UPDATED, StepReport

__all__ = [
    "BAD_GRADIENT", "BAD_PARAMETER", "MEANING", "SKIPPED", "UPDATED", "Kernel", "NoCompilerError", "ReferenceKernel",
    "StepReport", "compile_program", "compile_programs", "reference_program", "reference_programs",
]  # fmt: skip
