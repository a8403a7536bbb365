"""Any module over stacked lanes: its own forward, run once on batched tensors, kept as a graph of plain operations.

`forms` replaces functions of torch (linear, batch_norm, gru, ...) by forms for `[lanes, ...]` tensors, one family a file;
`tracing` turns a module's forward into a graph; `traced` is the mechanism that lanes are trained with.
"""
