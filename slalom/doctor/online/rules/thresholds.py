"""Bounds of the rules that watch a run from inside; those on curves are `slalom.doctor.curve.thresholds`."""

from __future__ import annotations

SPREAD = 100.0  # size of the largest feature over the median one's
SIZE = 30.0  # of a typical feature: its root mean square
OFFSET = 20.0  # of a typical feature: its mean over its standard deviation
SILENT, SILENT_AT_ONCE = 0.5, 0.8  # of a layer's units: without gradient at many looks, or from the first looks on
LOOKS, LOOKS_AT_ONCE = 8, 3  # so many looks in a row
LEARNT = 0.05  # of the first loss: below, gradients may be 0 since there is nothing left to learn
DEPTH = 4  # weight matrices from which gradients are compared over depth
SHRINKS, GROWS = 1e-4, 1e4  # gradient (root mean square) of the first third of the layers over that of the last third
MONOTONE = 0.8  # rank correlation of gradient with depth
STUCK = 1e-5  # relative change of the weights by a step: less does not train a layer
UNUSED = 0.1  # of the parameters' numbers: without any gradient
CRAWL, CRAWL_STEPS = 1e-6, 200  # relative change of every layer by a step, for so many steps
JUMP = 0.3  # relative change of a typical layer by a step
OVERFIT = 0.3  # of the validation loss's fall, and of its lowest: a mild rise is how most good runs end
EPOCHS = 5  # validation losses from which overfitting can be told
