"""The fused step on CUDA devices: the loop body that C prints, as CUDA C, compiled by NVRTC and called through the driver.

    kernel = cuda_kernel(settings, storage, gpu(torch.device("cuda", 0)))     # NoCompilerError without NVRTC
    step = CudaStep(kernel, table, numbers, wide, sizes)                      # addresses, uploaded once
    info = step.run(gradients, hypers, 1.0, grad_scale=None, found_inf=None)  # two launches

`slalom.engines.fused_cuda` makes the tables of an optimizer's parameters. Where no GPU is at hand, the tests compile the same
source for the processor and put it behind a driver of their own (`tests/engines/kernels/cuda/emulation.py`).
"""
