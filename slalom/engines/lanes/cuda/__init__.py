"""Lanes on a CUDA device: whole steps there, captured into a graph and replayed; nothing waits for the device within a block.

`stage`: the device as lanes use it, which tests let the processor play; `place`: which device, and data kept there;
`room`: how many lanes its memory holds; `step`: one step over fixed tensors; `graph`: eager at first, then captured, then
replayed; `run`: a chunk's blocks. Forward and backward are the mechanisms that the processor has too, in torch's operations.
"""
