"""`slalom.race`, `slalom.load` and resuming: from what a person says to a plan, and back from a directory."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

    from slalom.race.entrants import RuleLike
    from slalom.race.events import Event
    from slalom.race.grid import Lrs
    from slalom.race.outcome import RaceResult

DEFAULTS: dict[str, Any] = {"data": "digits", "seeds": 3, "epochs": 20, "batch_size": 64}  # of a race that compares nothing


def race(
    model: str | nn.Module | Callable[[], nn.Module] | None = None,
    data: Any = None,
    *,
    rules: Sequence[RuleLike] | RuleLike | None = None,
    lrs: Lrs | float | None = None,
    seeds: int | Sequence[int] | None = None,
    epochs: int | None = None,
    batch_size: int | str | None = None,
    schedule: str | Callable[[int], float] | None = None,
    loss: str | Callable[..., Any] | None = None,
    metric: str | Callable[..., Any] | None = None,
    order: str = "seed",
    clip: float | None = None,
    activation: str | Sequence[str] | None = None,
    width: float | Sequence[float] | None = None,
    batch_norm: bool | Sequence[bool] | None = None,
    dropout: float | Sequence[float] | None = None,
    l1: Any = None,
    l2: Any = None,
    elastic_net: Any = None,
    weight_decay: float | Sequence[float] | None = None,
    augment: Any = None,
    label_smoothing: float | Sequence[float] | None = None,
    early_stopping: Any = None,
    compare: str | None = None,
    target: str | None = None,
    task: str | None = None,
    split: tuple[float, float, float] = (0.6, 0.2, 0.2),
    split_seed: int = 0,
    scale: bool = True,
    dtype: str = "float32",
    mechanism: str = "auto",
    device: str = "cpu",
    widen: bool | None = None,
    directory: str | os.PathLike[str] | None = None,
    on_event: Callable[[Event], None] | None = None,
) -> RaceResult:
    """Race update rules on a model and data: each rule at its own learning rates, over several seeds, all side by side.

    - `model`: a spec such as `"mlp:64,64:relu"` or `"package.module:factory"`, a factory `callable() -> nn.Module`, or a
      module, which is copied; None: an MLP sized to the data.
    - `data`: a built-in name, a `.csv`, `.parquet` or `.npz` path with `target=`, `(X, y)`, a map-style `Dataset`, or `Data`.
      `split`, `split_seed`, `scale`, `task` go to `slalom.data.load`.
    - `rules`: registry names in lower case (with hypers: `"adam(b2=0.99)"`), rules, settings, or `torch.optim` classes.
    - `lrs`: one list for all, or `{rule: list}`; None: nine rates a quarter decade apart around each rule's documented default,
      widened by a decade while the best sits at an edge (`widen=False` to keep them).
    - `seeds`: a number n, by default 3 (seeds 0..n-1), or a list. A seed fixes initialisation, dropout and, with
      `order="seed"`, the order of the data, so that rules are compared pair by pair; `order="shared"`: one order for all
      lanes; `"own"`: one a lane. `epochs`: by default 20.
    - `batch_size`: a number or `"full"`. `schedule`: a spec such as `"cosine"`, or the factor on the lr as a function of
      the step. `clip`: largest gradient norm. `loss`: `"cross_entropy"`, `"mse"` or `callable(outputs, targets)`.
      `metric`: a name or `callable(outputs, targets) -> float` (`higher_is_better` attribute, True if absent).
    - Regularisation and activation, each one value or a list, which is an axis: every rule is raced in every variant, by name
      on the leaderboard, with learning rates of its own. `dropout` (after hidden layers, or of a model's own `nn.Dropout`s),
      `l1` (proximal; `L1(s, "subgradient")`), `l2`, `elastic_net` (pairs `(l1, l2)`), all sparing biases, norms and PReLU slopes;
      `weight_decay` (the rule's own, decoupled as AdamW's); `batch_norm`, `activation`, `width` (a
      factor on the hidden layers' widths: capacity) of a spec's model; `augment`
      (`"shift=1+noise=.1"`, or `slalom.nets` objects); `label_smoothing`; `early_stopping` (epochs of patience, or an
      `EarlyStopping`: on the validation loss, or with higher_is_better on the metric): each lane stops alone, and its figures
      and weights are those of its best epoch. Pruning is no argument: it is done to a trained model (`slalom.nets.prune`).
    - `compare`: `"regularisation"` or `"activations"`: the variants, seeds and length of a race that answers which of them help
      here (`result.comparison()`), each at the strength and learning rate that validation picks, ties said to be ties.
    - `device`: `"cpu"`, or `"cuda"` (`"cuda:1"`): the lanes are trained on that GPU, initialised and fed as on the processor.
    - `directory`: a new run directory, written as the race goes and resumable; None: kept in memory.

    The learning rate is chosen on validation and the test part is opened once, for the report. Raises `SlalomError` kinds that
    name what is wrong.

    >>> result = race("mlp:16:relu", "iris", rules=["sgd", "adam"], lrs=[0.01, 0.1], seeds=2, epochs=2)
    >>> len(result.to_frame())
    8
    """
    from slalom.race.compare.kits import filled_in
    from slalom.race.prepare import prepare
    from slalom.race.start import start

    axes = {
        "activation": activation, "width": width, "batch_norm": batch_norm, "dropout": dropout, "l1": l1,
        "l2": l2, "elastic_net": elastic_net, "weight_decay": weight_decay, "augment": augment,
        "label_smoothing": label_smoothing,
        "early_stopping": early_stopping,
    }  # fmt: skip
    given = {"model": model, "data": data, "rules": rules, "seeds": seeds, "epochs": epochs, "batch_size": batch_size}
    if compare is not None:
        given = filled_in(compare, given, axes)
    given |= {k: v for k, v in DEFAULTS.items() if given[k] is None}
    prepared = prepare(
        given["model"],
        given["data"],
        rules=given["rules"],
        lrs=lrs,
        seeds=given["seeds"],
        batch_size=given["batch_size"],
        schedule=schedule,
        loss=loss,
        metric=metric,
        widen=widen,
        axes=axes,
        compare=compare,
        data_options={"target": target, "task": task, "split": split, "seed": split_seed, "scale": scale},
        epochs=given["epochs"],
        order=order,
        clip=clip,
        dtype=dtype,
        mechanism=mechanism,
        device=device,
    )
    return start(prepared, directory, on_event)


def resume(
    directory: str | os.PathLike[str],
    *,
    model: Any = None,
    data: Any = None,
    schedule: Any = None,
    loss: Any = None,
    metric: Any = None,
    augment: Any = None,
    on_event: Callable[[Event], None] | None = None,
) -> RaceResult:
    """Go on with a race that was stopped; it ends with the same results, to the bit, as one that was not.

    What was given as a Python object (a module, arrays, a callable) must be given again; the data's fingerprint is checked.
    A race that is finished is loaded.
    """
    from slalom.race.start import go_on

    return go_on(directory, model, data, schedule, loss, metric, augment, on_event)


def load(directory: str | os.PathLike[str]) -> RaceResult:
    """Read a run directory; lanes of a heat that has not ended are there, from its first epoch on, as `"unfinished"`."""
    from slalom.race.start import read

    return read(directory)
