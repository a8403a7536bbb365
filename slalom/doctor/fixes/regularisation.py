"""Regularisation: relaxed where it is too strong, added where the model learns rows by heart, and early stopping."""

from __future__ import annotations

from torch import nn

from slalom.doctor.fixes.fix import Change, Fix, register
from slalom.doctor.fixes.steering import Group, groups, steered
from slalom.doctor.fixes.surgery import replaced
from slalom.doctor.fixes.trace import traced
from slalom.doctor.setup import Setup
from slalom.nets.kinds import DROPOUTS

ANY_DROPOUT = (*DROPOUTS, nn.AlphaDropout, nn.FeatureAlphaDropout)
DECAY, DROPOUT = 1e-2, 0.3  # what is added to an optimizer and a model without either
ADAPTIVE = ("Adam", "Lion", "Lamb")  # names that decoupled decay of this size suits; others take a tenth


def _relaxed(decay: float, dropout: float) -> Fix:
    """Weight decay times `decay`, dropout down to `dropout` at most."""

    def make(setup: Setup) -> Change | None:
        model = setup.fresh()
        highest = max((float(g.get("weight_decay") or 0.0) for g in groups(setup)), default=0.0)
        drops = [(n, m) for n, m in model.named_modules() if isinstance(m, ANY_DROPOUT) and m.p > max(dropout, 0.0)]
        inner = [m for m in model.modules() if isinstance(m, nn.RNNBase | nn.MultiheadAttention) and m.dropout > dropout]
        if not highest > 0 and not drops and not inner:
            return None
        words, code = [], []
        made = setup
        if highest > 0:
            words.append(f"weight decay {highest:g} to {highest * decay:g}")
            code.append(f"weight_decay={highest * decay:g}  # was {highest:g}")
            made = steered(made, lambda group: group.update(weight_decay=float(group.get("weight_decay") or 0.0) * decay))
        if drops or inner:
            was = max([m.p for _, m in drops] + [float(m.dropout) for m in inner])
            for m in [m for _, m in drops]:
                m.p = dropout
            for layer in inner:
                layer.dropout = dropout
            words.append(f"dropout {was:g} to {dropout:g}")
            code.append(f"nn.Dropout({dropout:g})  # was {was:g}")
            made = made.changed(model=model)
        return Change(made, "; ".join(words), "\n".join(code))

    name = f"decay times {decay:g}, dropout {dropout:g}"
    return Fix(name, name, make)


def _decayed(setup: Setup) -> Change | None:
    amount = DECAY if any(name in type(setup.optimizer(setup.fresh())).__name__ for name in ADAPTIVE) else DECAY / 10
    known = groups(setup)
    if any("weight_decay" not in g for g in known) or any(float(g["weight_decay"]) >= amount for g in known):
        return None

    def change(group: Group) -> None:
        group["weight_decay"] = amount

    return Change(steered(setup, change), f"weight decay {amount:g}; weights of the best epoch on validation kept",
                  f"weight_decay={amount:g}", keep_best=True)  # fmt: skip


def _dropout(setup: Setup) -> Change | None:
    trace = traced(setup)
    dense = [c.name for c in trace.calls if isinstance(c.module, nn.Linear)]
    if len(dense) < 2 or any(isinstance(m, ANY_DROPOUT) for m in setup.model.modules()):
        return None
    model = setup.fresh()
    model = replaced(model, {dense[-1]: nn.Sequential(nn.Dropout(DROPOUT), model.get_submodule(dense[-1]))})
    return Change(
        setup.changed(model=model), f"dropout {DROPOUT:g} before {dense[-1]}; weights of the best epoch on validation kept",
        f"nn.Dropout({DROPOUT:g})  # before {dense[-1]}", keep_best=True,
    )  # fmt: skip


def _both(setup: Setup) -> Change | None:
    """More of both."""
    first = _decayed(setup)
    second = None if first is None else _dropout(first.setup)
    if first is None or second is None:
        return None
    return Change(second.setup, f"{first.words.split(';')[0]}; {second.words}", f"{first.code}\n{second.code}", keep_best=True)


def _best_epoch(setup: Setup) -> Change | None:
    if setup.val is None:
        return None
    return Change(
        setup, "training ends, and the weights are taken, where the validation loss was lowest",
        "stopping = slalom.nets.EarlyStopping(patience=10)  # stopping.step(val_loss, model) after each epoch",
        keep_best=True,
    )  # fmt: skip


BEST_EPOCH = Fix("early stopping", "keep the weights of the epoch with the lowest validation loss", _best_epoch, late=True)

register("over_regularised", *(_relaxed(d, p) for d, p in ((0.0, 0.0), (0.01, 0.1), (0.001, 0.2))))
register(
    "overfitting",
    BEST_EPOCH,
    Fix("weight decay", "add weight decay", _decayed, late=True),
    Fix("weight decay and dropout", "add both", _both, late=True),
    Fix("dropout", "add dropout", _dropout, late=True),
)
register("corrupted_labels", BEST_EPOCH)
