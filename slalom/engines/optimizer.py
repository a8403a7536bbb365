"""A rule as a `torch.optim.Optimizer`: torch's arguments, groups and state dicts, made from the declaration."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter
from typing import Any

import torch

from slalom.core.errors import BadValueError
from slalom.core.rule import Rule, Settings
from slalom.engines import device, signature
from slalom.engines.clipping import clip_factor, largest_norm, norm_of, number
from slalom.engines.fused import Plan, one_device
from slalom.engines.inside import not_compiled
from slalom.engines.loading import load
from slalom.engines.observed import looked_at, unwrapped, wrapped
from slalom.engines.reading import Group, GroupReading
from slalom.engines.rounding import check_rounding, seed_of, stream
from slalom.engines.sharded import Shards, any_spread, elementwise
from slalom.engines.sparse import SparseSteps
from slalom.engines.sparse.modes import refused
from slalom.engines.sparse.steps import Work
from slalom.engines.state import Fresh, stored_as
from slalom.engines.step import Job

Params = (
    Iterable[torch.Tensor] | Iterable[Group] | Iterable[tuple[str, torch.Tensor]]
)  # torch.optim.optimizer.ParamsT, which older releases lack


class RuleOptimizer(GroupReading, SparseSteps):
    """Base of every optimizer that is built from a rule: `class Mine(RuleOptimizer, rule=mine): ...`.

    Parameter groups hold the constructor's arguments under their names, as torch's do, so that learning-rate schedulers
    and edits of `param_groups` take effect at the next step. State dicts use torch's keys where torch has the rule.
    """

    grad_norm: torch.Tensor | None = None
    """The norm of the last step's gradients before they were clipped, after unscaling; None without `clip_grad_norm`."""
    _step_supports_amp_scaling = True  # torch.amp.GradScaler then sets grad_scale and found_inf, and leaves the rest to step()
    _given: frozenset[str]

    def __init_subclass__(cls, *, rule: Rule | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if rule is None:  # a user's subclass of one of ours
            if not hasattr(cls, "rule"):
                raise TypeError(f"{cls.__name__}: name its rule: class {cls.__name__}(RuleOptimizer, rule=...)")
            return
        cls.rule = rule
        cls._arguments = signature.arguments(rule)
        cls._values = itemgetter(*(a.name for a in cls._arguments))
        cls.__doc__ = cls.__dict__.get("__doc__") or signature.docstring(rule, cls.__name__, cls.__module__)
        if "__init__" not in cls.__dict__:
            cls.__init__ = _constructor(rule)  # type: ignore[method-assign]

    def __init__(self, params: Params, *args: Any, **kwargs: Any) -> None:
        try:
            bound = signature.signature(self.rule).bind(self, params, *args, **kwargs)
        except TypeError as error:
            names = ", ".join(a.name for a in self._arguments)
            raise TypeError(f"{type(self).__name__}: {error}; it takes params, {names}") from None
        given = {k: v for k, v in bound.arguments.items() if k not in ("self", "params")}
        self._given = frozenset(given)
        defaults = {a.name: given.get(a.name, a.default) for a in self._arguments}
        self._use_convention(defaults, self._given)
        self._settings_of(defaults)
        super().__init__(params, defaults)
        check_rounding(type(self).__name__, self.param_groups, differentiable=defaults["differentiable"])

    def add_param_group(self, param_group: Group) -> None:
        """Adds a group, its hypers checked; what it does not give is the constructor's.

        A key that is nearly an argument's name, or a rule's own symbol for one, is an error rather than ignored.
        """
        if isinstance(param_group, dict):
            self._refuse_misspelt(param_group)
            convention = param_group.get("convention", self.defaults.get("convention"))
            if convention != self.defaults.get("convention"):
                mine = {a.name: self.defaults[a.name] for a in self._arguments if a.name in self._given}
                fresh = {a.name: a.default for a in self._arguments} | mine | param_group
                self._use_convention(fresh, self._given | set(param_group))
                for a in self._arguments:
                    param_group.setdefault(a.name, fresh[a.name])
            self._settings_of(self.defaults | param_group, self._where(len(self.param_groups)))
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        try:
            for p in group["params"]:
                stored_as(p, group["state_dtype"])
            largest_norm(type(self).__name__, self.param_groups)
        except BadValueError:
            self.param_groups.pop()
            raise
        seed_of(group)

    @unwrapped
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step along the gradients as they are; parameters without one are left out.

        With a closure, it is called first, with gradients on, and what it returns is returned.
        """
        # A subclass that has a step of its own is wrapped by torch, around this one.
        if type(self).step is RuleOptimizer.step and looked_at(self):
            return _step_looked_at(self) if closure is None else _step_looked_at(self, closure)
        return self._closure_and_step(closure)

    def _closure_and_step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        with torch.set_grad_enabled(bool(self.defaults["differentiable"])):
            self._step_groups()
        return loss

    @not_compiled
    def _step_groups(self) -> None:
        found_inf, scale = getattr(self, "found_inf", None), getattr(self, "grad_scale", None)
        waits = found_inf is not None and not device.on_cuda(found_inf)
        if waits and number(found_inf):  # as if the step had not been called: no state is made
            return
        # Every group is read before the first is stepped, so an error leaves all as it was.
        largest = largest_norm(type(self).__name__, self.param_groups)
        work = [(*self._plan(index, group), group) for index, group in enumerate(self.param_groups)]
        shards: Shards | None = self.__dict__.get("_shards")
        spread = shards is not None and bool(shards.waiting())  # their norm and their overflow are the processes' together
        sparse = any(rows for *_, rows, _ in work)
        where = None if spread or sparse else one_device([plan for plan, *_ in work])
        if where is not None:  # the host reads nothing, so it need not wait, and a graph may capture it
            from slalom.engines.fused_cuda import step_together

            together = [(plan, settings, values, group) for plan, settings, values, _, group in work]
            self.grad_norm = step_together(where, together, scale, found_inf, largest)
            return
        if found_inf is not None and number(found_inf):
            return
        factor: float | torch.Tensor = 1.0 if scale is None else 1.0 / number(scale)
        if largest is not None:
            touched = [some.gradient.values for *_, rows, _ in work for some in rows]
            norm = self._gradient_norm([plan for plan, *_ in work], touched) * factor
            self.grad_norm = norm.detach()
            factor = clip_factor(norm, largest) * factor
        for plan, settings, values, rows, group in work:
            plan.step(settings, values, maximize=group["maximize"], differentiable=self.defaults["differentiable"], factor=factor)
            for some in rows:
                some.run(number(factor))
        if shards is not None:
            shards.stepped()

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Loads what `state_dict()` of this class, or of torch's class for the same rule, returned.

        The state is copied; its shapes and types are checked first, and nothing changes when they do not fit. Where
        both sides know their parameters' names (torch: `named_parameters()`), states are matched by name, whatever DDP or
        torch.compile have put before it. Arguments that the loaded groups lack, and `sparse`, keep this optimizer's values.
        Rows that were behind under `sparse="dense-equivalent"` stay as they are: `catch_up()` first where the weights are to
        be kept.
        """
        load(self, state_dict)
        for held in ("_plans", "_shards"):  # which hold on to the states before
            self.__dict__.pop(held, None)
        self._drop_rows()

    def __getstate__(self) -> dict[str, Any]:
        more: dict[str, Any] = {k: self.__dict__[k] for k in ("_behind", "_by_rows") if k in self.__dict__}
        return {**super().__getstate__(), "_given": self._given, **more}

    # Reading groups ---------------------------------------------------------------------------------------------

    def _plan(self, index: int, group: Group) -> tuple[Plan, Settings, dict[str, Any], list[Work]]:
        """How the group is stepped: the plan of the step before where nothing that it rests on has changed."""
        settings, values = self._settings_now(index, group)
        params: list[torch.Tensor] = group["params"]
        grads = [g for p in params if (g := p.grad) is not None]
        if len(grads) != len(params):
            params = [p for p in params if p.grad is not None]
        rows: list[Work] = []
        if group["sparse"] is not None or self._steps_rows:
            rows, params, grads = self._rows_apart(group, settings, values, params, grads)
        plans: dict[int, Plan] = self.__dict__.setdefault("_plans", {})
        known, seed = plans.get(index), seed_of(group)
        if known is not None and known.fits(settings, params, grads, self.state, seed):
            return known, settings, values, rows
        jobs = self._jobs(group, params, settings, values, seed)
        if any_spread(params) and not self.defaults["differentiable"] and elementwise(settings):
            jobs = self.__dict__.setdefault("_shards", Shards()).here(jobs)
            mine = {job.p: job.state for job in jobs}
            if known is not None and known.fits(settings, list(mine), [job.g for job in jobs], mine, seed):
                return known, settings, values, rows
        made = Plan(settings, jobs, differentiable=self.defaults["differentiable"], seed=seed)
        plans.pop(index, None)
        if not made.rest:
            plans[index] = made
        return made, settings, values, rows

    def _jobs(
        self, group: Group, params: Iterable[torch.Tensor], settings: Settings, values: Mapping[str, Any], seed: int | None
    ) -> list[Job]:
        jobs, wanted, fresh = [], set(map(id, params)), Fresh(settings, values, group["state_dtype"])
        for position, p in enumerate(group["params"]):
            g = p.grad
            if g is None or id(p) not in wanted:
                continue
            if g.layout != torch.strided:
                raise refused(type(self).__name__, p, g)
            state = self.state[p]
            fresh.complete(state, p)
            jobs.append(Job(p, g, state, None if seed is None else stream(seed, position)))
        return jobs

    def _gradient_norm(self, plans: Iterable[Plan], rows: Iterable[torch.Tensor]) -> torch.Tensor:
        shards: Shards | None = self.__dict__.get("_shards")
        spread = set(map(id, shards.waiting())) if shards is not None else set()
        if shards is None or not spread:
            plans = list(plans)
            rest = [*(job.g for plan in plans for job in plan.rest), *rows]
            return norm_of(rest, sum(plan.square_sum() for plan in plans))
        params = [p for group in self.param_groups for p in group["params"] if id(p) not in spread]
        return norm_of([p.grad for p in params if p.grad is not None], shards.square_sum())


_step_looked_at = wrapped(RuleOptimizer._closure_and_step)


def _constructor(rule: Rule) -> Callable[..., None]:
    def __init__(self: RuleOptimizer, params: Params, *args: Any, **kwargs: Any) -> None:
        RuleOptimizer.__init__(self, params, *args, **kwargs)

    __init__.__signature__ = signature.signature(rule)  # type: ignore[attr-defined]
    return __init__


def optimizer_class(rule: Rule, name: str | None = None) -> type[RuleOptimizer]:
    """The `torch.optim.Optimizer` of a rule, under `name` (default: the rule's, in CamelCase).

    Bind it to a module-level variable of that name and its instances can be pickled.

    >>> import torch
    >>> from slalom.rules import sgd
    >>> Descent = optimizer_class(sgd, "Descent")
    >>> Descent([torch.nn.Parameter(torch.zeros(2))], lr=-1.0)
    Traceback (most recent call last):
    slalom.core.errors.BadValueError: Descent: lr must be in [0, inf), got -1.0
    """
    name = name or "".join(part.capitalize() for part in rule.name.split("_"))
    module = sys._getframe(1).f_globals.get("__name__", "__main__")
    body = {"__module__": module, "__qualname__": name}
    return types.new_class(name, (RuleOptimizer,), {"rule": rule}, lambda namespace: namespace.update(body))
