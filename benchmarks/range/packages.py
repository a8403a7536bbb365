"""The suggestion rules of fastai, torch-lr-finder and Lightning themselves, where they are installed: a curve in, a rate out.

fastai is no dependency of the bench, since it brings spacy and torchvision; install it into an environment of its own.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import warnings
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np

Rule = Callable[[np.ndarray, np.ndarray], float | None]


def rules() -> dict[str, Rule]:
    """By the names of `rivals.FINDERS`; those of a package that is not installed are missing."""
    made: dict[str, Rule] = {}
    for some in (_fastai, _torch_lr_finder, _lightning):
        with contextlib.suppress(ImportError), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what their imports say of other libraries
            made |= some()
    return made


def told(names: Sequence[str]) -> str:
    """Which rules are the packages' own, and of what versions."""
    there = [p for p in ("fastai", "torch-lr-finder", "lightning") if any(n.lower().startswith(p) for n in names)]
    return ", ".join(f"{name} {version(name)}" for name in there) or "none"


def _fastai() -> dict[str, Rule]:
    import torch

    theirs = importlib.import_module("fastai.callback.schedule")

    def rule(suggest: Any) -> Rule:
        def run(lrs: np.ndarray, losses: np.ndarray) -> float | None:
            if len(losses) <= 16:  # `slide` looks 15 points back and fails on fewer
                return None
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # of NumPy, in `slide`
                return float(suggest(torch.from_numpy(lrs.copy()), torch.from_numpy(losses.copy()), len(losses))[0])

        return run

    names = {"valley": "valley", "slide": "slide", "steep": "steep", "minimum/10": "minimum"}
    return {f"fastai {name}": rule(getattr(theirs, there)) for name, there in names.items()}


def _torch_lr_finder() -> dict[str, Rule]:
    finder = importlib.import_module("torch_lr_finder").LRFinder
    figure = importlib.import_module("matplotlib.figure").Figure

    def run(lrs: np.ndarray, losses: np.ndarray) -> float | None:
        made = finder.__new__(finder)
        made.history = {"lr": lrs.tolist(), "loss": losses.tolist()}
        with contextlib.redirect_stdout(io.StringIO()):  # it prints what it returns
            return float(made.plot(ax=figure().subplots(), suggest_lr=True)[1])

    return {"torch-lr-finder": run}


def _lightning() -> dict[str, Rule]:
    finder = importlib.import_module("lightning.pytorch.tuner.lr_finder")._LRFinder

    def run(lrs: np.ndarray, losses: np.ndarray) -> float | None:
        made = finder("exponential", float(lrs[0]), float(lrs[-1]), len(lrs))
        made.results = {"lr": lrs.tolist(), "loss": losses.tolist()}
        found = made.suggestion()
        return None if found is None else float(found)

    return {"Lightning 2.6.6": run} if version("lightning") == "2.6.6" else {}
