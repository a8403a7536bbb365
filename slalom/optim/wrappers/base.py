"""What every optimizer around an optimizer shares: groups, state and hooks of one, a state dict that holds both."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import torch

from slalom.core.errors import BadValueError
from slalom.engines.inside import not_compiled
from slalom.engines.loading import matched_ids

Group = dict[str, Any]
WIDER = {torch.float16: torch.float32, torch.bfloat16: torch.float32}  # in which sums and averages do not stand still


class Wrapper(torch.optim.Optimizer):
    """Base of the optimizers that step another, `optimizer`, which may be any `torch.optim.Optimizer`.

    `param_groups`, `state` and `defaults` are the inner optimizer's own objects, so schedulers, scalers and edits of a
    group reach it through the wrapper. The state dict is the inner one with one more entry under the wrapper's name.
    """

    key: ClassVar[str]  # of its entry in the state dict
    optimizer: torch.optim.Optimizer

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        name = type(self).__name__
        if not isinstance(optimizer, torch.optim.Optimizer):
            raise BadValueError(f"{name}: optimizer must be a torch.optim.Optimizer, got {optimizer!r}; build that first")
        if any(isinstance(inner, Wrapper) and inner.key == self.key for inner in _chain(optimizer)):
            raise BadValueError(f"{name}: there is one around this optimizer already; use one, with other settings")
        self.optimizer = optimizer
        torch.optim.Optimizer.__setstate__(self, {})  # its hooks, without groups of its own

    # torch.optim.Optimizer has these as attributes; here they are the inner optimizer's.

    @property
    def param_groups(self) -> list[Group]:
        return self.optimizer.param_groups

    @param_groups.setter
    def param_groups(self, groups: list[Group]) -> None:
        self.optimizer.param_groups = groups

    @property
    def state(self) -> defaultdict[torch.Tensor, Any]:
        return self.optimizer.state

    @state.setter
    def state(self, state: defaultdict[torch.Tensor, Any]) -> None:
        self.optimizer.state = state

    @property
    def defaults(self) -> dict[str, Any]:
        return self.optimizer.defaults

    @defaults.setter
    def defaults(self, defaults: dict[str, Any]) -> None:
        self.optimizer.defaults = defaults

    @not_compiled
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step; what the closure returns is returned."""
        return self._step(closure)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """As the inner optimizer's."""
        self.optimizer.zero_grad(set_to_none)

    def add_param_group(self, param_group: Group) -> None:
        """Adds a group to the inner optimizer."""
        self.optimizer.add_param_group(param_group)

    def state_dict(self) -> dict[str, Any]:
        """The inner optimizer's, and this one's own entry; tensors are the live ones, as torch's are."""
        for pre_hook in self._optimizer_state_dict_pre_hooks.values():
            pre_hook(self)
        made: dict[str, Any] = {**self.optimizer.state_dict()}
        ids = (i for group in made["param_groups"] for i in group["params"])
        made[self.key] = self._saved(dict(zip(self._params(), ids, strict=True)))
        for post_hook in self._optimizer_state_dict_post_hooks.values():
            replaced = post_hook(self, made)
            made = made if replaced is None else replaced
        return made

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Loads what `state_dict()` returned, by name where both sides know their parameters' names.

        Raises BadValueError, and changes nothing, where the state was saved without this wrapper or does not fit.
        """
        given = dict(state_dict)
        for pre_hook in self._optimizer_load_state_dict_pre_hooks.values():
            replaced = pre_hook(self, given)
            given = given if replaced is None else dict(replaced)
        name = type(self).__name__
        if self.key not in given or "param_groups" not in given:
            raise BadValueError(
                f"{name}: the state dict has no {self.key!r}, only {sorted(map(str, given))}; it was saved without "
                f"{name}: load it into the optimizer within (`.optimizer`)"
            )
        own = given.pop(self.key)
        ids = [i for group in matched_ids(name, self.param_groups, given["param_groups"]) for i in group]
        put = self._loaded(own, dict(zip(ids, self._params(), strict=True)))
        self.optimizer.load_state_dict(given)
        put()
        for post_hook in self._optimizer_load_state_dict_post_hooks.values():
            post_hook(self)

    def __getstate__(self) -> dict[str, Any]:
        raise NotImplementedError

    def __repr__(self) -> str:
        inner = repr(self.optimizer).replace("\n", "\n    ")
        return f"{type(self).__name__} ({self._settings()},\n    {inner}\n)"

    # What a wrapper brings ---------------------------------------------------------------------------------------

    def _step(self, closure: Callable[[], Any] | None) -> Any:
        raise NotImplementedError

    def _settings(self) -> str:
        raise NotImplementedError

    def _saved(self, ids: Mapping[torch.Tensor, Any]) -> dict[str, Any]:
        """Its entry in the state dict, parameters by these ids."""
        raise NotImplementedError

    def _loaded(self, own: Mapping[str, Any], params: Mapping[Any, torch.Tensor]) -> Callable[[], None]:
        """Checks its entry against the parameters by id; what it returns puts it in place."""
        raise NotImplementedError

    # What wrappers share -----------------------------------------------------------------------------------------

    def _params(self) -> Iterator[torch.Tensor]:
        return (p for group in self.param_groups for p in group["params"])

    def _step_inner(self, closure: Callable[[], Any] | None) -> Any:
        """The inner step, told what a GradScaler has told this one."""
        told = {k: v for k in ("grad_scale", "found_inf") if (v := self.__dict__.get(k)) is not None}
        self.optimizer.__dict__.update(told)
        try:
            return self.optimizer.step() if closure is None else self.optimizer.step(closure)
        finally:
            for k in told:
                self.optimizer.__dict__.pop(k, None)


def _chain(optimizer: torch.optim.Optimizer | None) -> Iterator[torch.optim.Optimizer]:
    while isinstance(optimizer, torch.optim.Optimizer):
        yield optimizer
        optimizer = getattr(optimizer, "optimizer", None)


def caught_up(optimizer: torch.optim.Optimizer) -> None:
    """Brings rows that sparse gradients left behind (`sparse="dense-equivalent"`) up to date, before weights are read."""
    for inner in _chain(optimizer):
        catch_up = getattr(inner, "catch_up", None)
        if catch_up is not None:
            catch_up()


def skipped(optimizer: torch.optim.Optimizer) -> bool:
    """Whether a GradScaler has told this optimizer to leave out the step it is in."""
    found = getattr(optimizer, "found_inf", None)
    return found is not None and bool(found)


def loaded_tensors(
    who: str, what: str, given: Mapping[Any, Any], params: Mapping[Any, torch.Tensor], dtype: torch.dtype | None = None
) -> dict[torch.Tensor, torch.Tensor]:
    """Copies of loaded tensors, one a parameter, checked for shape, on its device; `dtype`: the parameter's by default."""
    made = {}
    for key, value in given.items():
        p = params.get(key)
        if p is None or not isinstance(value, torch.Tensor) or value.shape != p.shape:
            got = tuple(value.shape) if isinstance(value, torch.Tensor) else value
            wanted = f"needs {tuple(p.shape)}" if p is not None else "belongs to no parameter"
            raise BadValueError(f"{who}: the loaded {what} of parameter {key} ({got}) {wanted}; the model has changed")
        made[p] = value.detach().to(device=p.device, dtype=dtype or p.dtype, copy=True)
    return made
