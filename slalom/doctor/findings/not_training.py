"""Parameters that no step changes."""

from __future__ import annotations

from slalom.doctor.case import Case, Trial
from slalom.doctor.curve import Figure
from slalom.doctor.experiments.gain import gain
from slalom.doctor.finding import Finding, finding
from slalom.doctor.fixes import candidates


def left_out(case: Case) -> list[str]:
    """Parameters that require a gradient and that the optimizer does not have, or not at a rate above 0."""
    model = case.setup.fresh()
    optimizer = case.setup.optimizer(model)
    own = {id(p) for group in optimizer.param_groups for p in group["params"]}
    return [n for n, p in model.named_parameters() if p.requires_grad and id(p) not in own]


def nothing_trains(case: Case) -> bool:
    """Whether the optimizer has none of the model's parameters."""
    trainable = [n for n, p in case.setup.model.named_parameters() if p.requires_grad]
    return len(left_out(case)) == len(trainable)


def look(case: Case) -> list[Finding]:
    """What the optimizer misses, before the first step."""
    missed = left_out(case)
    if not any(p.requires_grad for p in case.setup.model.parameters()):
        figure = Figure("frozen", 1.0, 1.0, "share of parameters that require no gradient")
        return [finding("params_not_training", (figure,), 0.97, 0, names=[n for n, _ in case.setup.model.named_parameters()])]
    if not missed:
        return []
    some = ", ".join(missed[:4]) + (", ..." if len(missed) > 4 else "")
    evidence = (Figure("missed", float(len(missed)), 1.0, f"parameters that the optimizer does not have ({some})"),)
    return [finding("params_not_training", evidence, 0.97, 0, names=missed)]


def after(case: Case) -> list[Finding]:
    """What a whole run left as it was: frozen, cut off from the loss, or at a rate of 0."""
    run = case.run
    if run.broke is not None or not run.losses:
        return []
    frozen = [n for n, p in case.setup.model.named_parameters() if not p.requires_grad]
    cut = [n for n in run.without_gradient if n not in frozen]
    never = [n for n in run.untouched if n not in frozen and n not in cut] if case.hyper("lr") == 0 else []
    used = {layer.name for layer in case.start.layers}
    cut = [n for n in cut if n.rpartition(".")[0] in used]  # what the forward pass never calls is left for its owner to judge
    stuck = cut + never
    if stuck:
        why = "get no gradient though the forward pass uses them" if cut else "are stepped at a learning rate of 0"
        words = f"parameters that {why} ({', '.join(stuck[:4])})"
        return [finding("params_not_training", (Figure("stuck", float(len(stuck)), 1.0, words),), 0.95, 0, names=stuck)]
    if frozen:
        trial = case.trial(candidates("params_not_training")[1])
        if trial is not None and _shows(case, trial):
            words = f"parameters that require no gradient ({', '.join(frozen[:4])})"
            won = gain(case, trial)
            return [finding("params_not_training", (Figure("frozen", float(len(frozen)), 1.0, words), *won.figures()), 0.95, 0,
                            names=frozen)]  # fmt: skip
    return []


LEAST, SHARE = 0.03, 0.6  # frozen on purpose is healthy: training them must win this much skill, and leave this share of the loss


def _shows(case: Case, trial: Trial) -> bool:
    won = gain(case, trial)
    return won.train >= LEAST and won.left <= SHARE
