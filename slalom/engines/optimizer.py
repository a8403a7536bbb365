"""A rule as a `torch.optim.Optimizer`: torch's arguments, groups and state dicts, made from the declaration."""

from __future__ import annotations

import difflib
import sys
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

import torch
from torch._compile import _disable_dynamo

from slalom.core.errors import BadValueError
from slalom.core.rule import Rule, Settings
from slalom.engines import device, signature
from slalom.engines.clipping import clip_factor, largest_norm, norm_of, number
from slalom.engines.fused import Plan, one_device
from slalom.engines.loading import load
from slalom.engines.rounding import check_rounding, seed_of, stream
from slalom.engines.signature import ENGINE, IMPLEMENTATION, Argument
from slalom.engines.state import complete, stored_as
from slalom.engines.step import Job

Group = dict[str, Any]
# A hyper of this name is the schedule's factor alone. torch's schedulers leave their peak in the group ("initial_lr", and
# "max_lr" where the rate first rises), so the factor can be read off; what the user sets multiplies it.
SCHEDULE = "schedule"
_SIMPLE = frozenset({float, int, bool, str, type(None), torch.dtype})  # values that are what they were if they are equal
Params = (
    Iterable[torch.Tensor] | Iterable[Group] | Iterable[tuple[str, torch.Tensor]]
)  # torch.optim.optimizer.ParamsT, which older releases lack


class RuleOptimizer(torch.optim.Optimizer):
    """Base of every optimizer that is built from a rule: `class Mine(RuleOptimizer, rule=mine): ...`.

    Parameter groups hold the constructor's arguments under their names, as torch's do, so that learning-rate schedulers
    and edits of `param_groups` take effect at the next step. State dicts use torch's keys where torch has the rule.
    """

    rule: ClassVar[Rule]
    grad_norm: torch.Tensor | None = None
    """The norm of the last step's gradients before they were clipped, after unscaling; None without `clip_grad_norm`."""
    _step_supports_amp_scaling = True  # torch.amp.GradScaler then sets grad_scale and found_inf, and leaves the rest to step()
    _arguments: ClassVar[tuple[Argument, ...]]
    _given: frozenset[str]

    def __init_subclass__(cls, *, rule: Rule | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if rule is None:  # a user's subclass of one of ours
            if not hasattr(cls, "rule"):
                raise TypeError(f"{cls.__name__}: name its rule: class {cls.__name__}(RuleOptimizer, rule=...)")
            return
        cls.rule = rule
        cls._arguments = signature.arguments(rule)
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

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step along the gradients as they are; parameters without one are left out.

        With a closure, it is called first, with gradients on, and what it returns is returned.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        with torch.set_grad_enabled(bool(self.defaults["differentiable"])):
            self._step_groups()
        return loss

    @_disable_dynamo  # torch.compiler.disable would load the whole compiler when Slalom is imported
    def _step_groups(self) -> None:
        found_inf, scale = getattr(self, "found_inf", None), getattr(self, "grad_scale", None)
        waits = found_inf is not None and not device.on_cuda(found_inf)
        if waits and number(found_inf):  # as if the step had not been called: no state is made
            return
        # Every group is read before the first is stepped, so an error leaves all as it was.
        largest = largest_norm(type(self).__name__, self.param_groups)
        work = [(*self._plan(index, group), group) for index, group in enumerate(self.param_groups)]
        where = one_device([plan for plan, *_ in work])
        if where is not None:  # the host reads nothing, so it need not wait, and a graph may capture it
            from slalom.engines.fused_cuda import step_together

            self.grad_norm = step_together(where, work, scale, found_inf, largest)
            return
        if found_inf is not None and number(found_inf):
            return
        factor: float | torch.Tensor = 1.0 if scale is None else 1.0 / number(scale)
        if largest is not None:
            rest = [job.g for plan, *_ in work for job in plan.rest]
            norm = norm_of(rest, sum(plan.square_sum() for plan, *_ in work)) * factor
            self.grad_norm = norm.detach()
            factor = clip_factor(norm, largest) * factor
        for plan, settings, values, group in work:
            plan.step(settings, values, maximize=group["maximize"], differentiable=self.defaults["differentiable"], factor=factor)

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Loads what `state_dict()` of this class, or of torch's class for the same rule, returned.

        The state is copied; its shapes and types are checked first, and nothing changes when they do not fit. Where
        both sides know their parameters' names (torch: `named_parameters()`), states are matched by name. Arguments
        that the loaded groups lack keep this optimizer's values.
        """
        load(self, state_dict)
        self.__dict__.pop("_plans", None)  # which holds on to the states before

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_given": self._given}

    # Reading groups ---------------------------------------------------------------------------------------------

    def _plan(self, index: int, group: Group) -> tuple[Plan, Settings, dict[str, Any]]:
        """How the group is stepped: the plan of the step before where nothing that it rests on has changed."""
        settings, values = self._settings_now(index, group)
        params: list[torch.Tensor] = group["params"]
        grads = [g for p in params if (g := p.grad) is not None]
        if len(grads) != len(params):
            params = [p for p in params if p.grad is not None]
        plans: dict[int, Plan] = self.__dict__.setdefault("_plans", {})
        known, seed = plans.get(index), seed_of(group)
        if known is not None and known.fits(settings, params, grads, self.state, seed):
            return known, settings, values
        jobs = self._jobs(group, settings, values, seed)
        made = Plan(settings, jobs, differentiable=self.defaults["differentiable"], seed=seed)
        plans.pop(index, None)
        if not made.rest:
            plans[index] = made
        return made, settings, values

    def _settings_now(self, index: int, group: Group) -> tuple[Settings, dict[str, Any]]:
        """`_settings_of`, read anew only where a plain value of the group has changed."""
        told: list[Any] = [group[a.name] for a in self._arguments]
        told += [group["lr"], group["initial_lr"], group.get("max_lr")] if "initial_lr" in group else ()
        told = [x for value in told for x in (value if isinstance(value, tuple | list) else (value,))]
        if not _SIMPLE.issuperset(map(type, told)):
            return self._settings_of(group, self._where(index))
        key = (told, list(map(type, told)))
        held: dict[int, Any] = self.__dict__.setdefault("_settings", {})
        if index not in held or held[index][0] != key:
            held[index] = (key, self._settings_of(group, self._where(index)))
        found: tuple[Settings, dict[str, Any]] = held[index][1]
        return found

    def _jobs(self, group: Group, settings: Settings, values: Mapping[str, Any], seed: int | None) -> list[Job]:
        jobs = []
        for position, p in enumerate(group["params"]):
            g = p.grad
            if g is None:
                continue
            if g.layout != torch.strided:
                raise BadValueError(
                    f"{type(self).__name__}: the gradient of a parameter of shape {tuple(p.shape)} must be dense, got "
                    f"{g.layout}; use sparse=False in the layer, or p.grad = p.grad.to_dense() before the step"
                )
            complete(self.state[p], settings, values, p, group["state_dtype"])
            jobs.append(Job(p, g, self.state[p], None if seed is None else stream(seed, position)))
        return jobs

    def _settings_of(self, group: Group, where: str = "") -> tuple[Settings, dict[str, Any]]:
        """The group's checked settings, and its hypers with tensors left as they are where autograd may need them."""
        values: dict[str, Any] = {}
        numbers: dict[str, float] = {}
        options: dict[str, Any] = {}
        gates: dict[str, bool] = {}
        name = type(self).__name__
        for a in self._arguments:
            value = group[a.name]
            if a.name in IMPLEMENTATION:
                if value not in (None, False):
                    raise BadValueError(
                        f"{name}: {a.name} must be {a.default}, got {value!r}{where}; it steers torch's "
                        "implementation, and Slalom chooses its own path: leave it out"
                    )
            elif a.is_option:
                options[a.name] = value
            elif not a.names:
                if not ENGINE[a.name].admits(value):
                    raise BadValueError(f"{name}: {a.name} must be {ENGINE[a.name].allowed}, got {value!r}{where}")
            elif not a.fits(value):
                raise BadValueError(f"{name}: {a.name} must be {len(a.names)} numbers, got {value!r}{where}")
            else:
                for hyper, x in a.split(value).items():
                    values[hyper], numbers[hyper] = self._number(a.label(hyper), hyper, x, where)
                    gates[hyper] = isinstance(values[hyper], torch.Tensor)  # which may become another
        if SCHEDULE in values and "initial_lr" in group:
            lr, *peaks = (group["lr"], group["initial_lr"], group.get("max_lr", 0.0))
            peak = max(self._read(x) if isinstance(x, torch.Tensor) else float(x) for x in peaks) or 1.0
            if isinstance(lr, torch.Tensor) and self._stays(lr):
                values[SCHEDULE] = values[SCHEDULE] * (lr.detach().double() / peak)
            else:
                factor = float(lr) / peak
                values[SCHEDULE], numbers[SCHEDULE] = values[SCHEDULE] * factor, numbers[SCHEDULE] * factor
        chosen: dict[str, Any] = {**numbers, **options}
        try:
            return self.rule(**chosen, gates=gates), values
        except BadValueError as error:  # an option's; the rule speaks of itself in lower case and knows no groups
            raise BadValueError(str(error).replace(f"{self.rule.name}:", f"{name}:", 1) + where) from None

    def _number(self, label: str, hyper: str, value: Any, where: str) -> tuple[Any, float]:
        allowed = self.rule.hypers[hyper]
        said = f"{type(self).__name__}: {label} must be"
        if isinstance(value, torch.Tensor):
            if value.numel() != 1 or value.is_complex() or value.dtype == torch.bool:
                raise BadValueError(f"{said} a number or a tensor of one, got {value.dtype} of shape {tuple(value.shape)}{where}")
            number = self._read(value)
            value = value.reshape(()) if value.requires_grad or self._stays(value) else number
        elif isinstance(value, bool) or not hasattr(value, "__float__"):
            raise BadValueError(f"{said} a number in {allowed.allowed}, got {value!r}{where}")
        else:
            value = number = float(value)
        if not allowed.admits(number):
            raise BadValueError(f"{said} in {allowed.allowed}, got {number!r}{where}")
        return value, number

    def _stays(self, value: torch.Tensor) -> bool:
        """Whether a hyper stays on its CUDA device, where all that it steps lies too: reading it would wait for the device."""
        return device.on_cuda(value) and all(device.on_cuda(p) for g in getattr(self, "param_groups", ()) for p in g["params"])

    def _read(self, value: torch.Tensor) -> float:
        """The tensor's number; of one that stays on its device, the number it had when it was first seen."""
        if not self._stays(value):
            return float(value.detach())
        seen: list[tuple[torch.Tensor, float]] = self.__dict__.setdefault("_read_once", [])
        for tensor, told in seen:
            if tensor is value:
                return told
        seen.append((value, float(value.detach())))
        del seen[:-32]  # of a program that makes a new tensor for every step
        return seen[-1][1]

    def _use_convention(self, group: Group, given: Iterable[str]) -> None:
        # A default that sources disagree on follows the convention, unless the user gave a value.
        for a in self._arguments:
            if a.names and a.name not in given:
                by = [self.rule.hypers[n] for n in a.names]
                chosen = tuple(h.by_convention.get(group.get("convention", ""), h.default) for h in by)
                group[a.name] = chosen if a.is_tuple else chosen[0]

    def _refuse_misspelt(self, group: Group) -> None:
        arguments = {a.name for a in self._arguments}
        symbols = {n: a.label(n) for a in self._arguments for n in a.names}
        for key in group:
            if key in arguments or key in ("params", "param_names"):
                continue
            near = [symbols[key]] if key in symbols else difflib.get_close_matches(key, arguments, n=1, cutoff=0.85)
            if near:
                raise BadValueError(
                    f"{type(self).__name__}: a parameter group has the key {key!r}, which nothing reads; "
                    f"did you mean {near[0]!r}?"
                )

    def _where(self, index: int) -> str:
        # While groups are being added, only a later one shows that there are several.
        many = index > 0 or len(getattr(self, "param_groups", ())) > 1
        return f" (parameter group {index})" if many else ""


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
