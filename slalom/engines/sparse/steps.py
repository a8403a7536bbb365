"""What every optimizer does with sparse gradients: its part of a step, and what users call in dense-equivalent mode."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple

import torch
from torch import nn

from slalom.core.errors import BadValueError
from slalom.core.rule import Rule, Settings
from slalom.engines.inside import not_compiled
from slalom.engines.sparse import lazy
from slalom.engines.sparse.behind import Behind
from slalom.engines.sparse.follow import Following
from slalom.engines.sparse.gradient import RowGradient, flat, read
from slalom.engines.sparse.modes import DENSE_EQUIVALENT, LAZY, refused
from slalom.engines.sparse.params import width_of
from slalom.engines.sparse.zero import by_rows, rest
from slalom.engines.state import complete

Group = dict[str, Any]


class Work(NamedTuple):
    """A parameter's rows ready to be stepped: their gradient, and `run(factor)`, which steps them along `factor` times it."""

    gradient: RowGradient
    run: Callable[[float], None]


class SparseSteps(torch.optim.Optimizer):
    """The part of an optimizer that steps rows; see `slalom.engines.sparse` for the two modes."""

    rule: ClassVar[Rule]
    _behind: dict[torch.Tensor, Behind]  # in dense-equivalent mode, by parameter
    _by_rows: bool  # whether a sparse gradient has ever been stepped

    def catch_up(self, param: torch.Tensor | None = None, rows: torch.Tensor | None = None) -> None:
        """Brings rows to the values of the dense run, under `sparse="dense-equivalent"`; elsewhere there is nothing to do.

        `param`: one parameter (default: all); `rows`: some of its rows, whole numbers of any shape, repeats allowed (default:
        all); where gradients' indices run over k > 1 axes, `[k, ...]`. Call it before weights are read in another way
        than through modules that `follow` watches: before saving, copying or averaging them, and before `model.eval()` runs.
        Raises BadValueError for a parameter that is not the optimizer's, and for rows that do not exist.

        >>> import slalom.optim
        >>> table = nn.Embedding(4, 2, sparse=True)
        >>> optimizer = slalom.optim.Adam(table.parameters(), sparse="dense-equivalent")
        >>> for row in (0, 1):
        ...     optimizer.zero_grad()
        ...     table(torch.tensor([row])).sum().backward()
        ...     optimizer.step()
        >>> before = table.weight.detach().clone()
        >>> optimizer.catch_up()  # in the dense run, row 0 has moved in the second step too
        >>> (table.weight != before).any(1).tolist()
        [True, False, False, False]
        """
        who = type(self).__name__
        if param is None:
            if rows is not None:
                raise BadValueError(f"{who}.catch_up: rows are a parameter's; give it as the first argument")
            with torch.no_grad():
                for p, behind in self.__dict__.get("_behind", {}).items():
                    behind.catch_up(p, self.state[p])
            return
        if not any(param is p for group in self.param_groups for p in group["params"]):
            raise BadValueError(f"{who}.catch_up: a tensor of shape {tuple(param.shape)} is none of its parameters")
        if rows is not None and (rows.dtype == torch.bool or rows.is_floating_point() or rows.is_complex()):
            raise BadValueError(f"{who}.catch_up: rows must be whole numbers, got {rows.dtype}")
        found = self.__dict__.get("_behind", {}).get(param)
        if found is not None:
            with torch.no_grad():
                found.catch_up(param, self.state[param], None if rows is None else _row_numbers(rows, found.lead, param, who))

    def follow(self, model: nn.Module) -> Following:
        """Has the model's nn.Embedding and nn.EmbeddingBag tables caught up in time, under `sparse="dense-equivalent"`.

        Before such a module looks rows up, these are caught up; before it is saved or loaded (`state_dict`,
        `load_state_dict`), all are. Then training equals dense training. What reads a table past its module (a tied output
        layer, a copy, an average of weights) needs `catch_up()` first. Returns a handle with `remove()`.
        Raises BadValueError where no such module's table is in a group of that mode.

        >>> import slalom.optim
        >>> net = nn.Sequential(nn.Embedding(9, 3, sparse=True), nn.Linear(3, 1))
        >>> optimizer = slalom.optim.AdamW(net.parameters(), sparse="dense-equivalent")
        >>> followed = optimizer.follow(net)  # followed.remove() ends it
        """
        mine = {p for group in self.param_groups if group["sparse"] == DENSE_EQUIVALENT for p in group["params"]}
        tables = [m for m in model.modules() if isinstance(m, nn.Embedding | nn.EmbeddingBag) and m.weight in mine]
        if not tables:
            raise BadValueError(
                f"{type(self).__name__}.follow: {type(model).__name__} has no nn.Embedding or nn.EmbeddingBag whose table is "
                f"in a parameter group with sparse={DENSE_EQUIVALENT!r}; there is nothing to follow"
            )
        return Following(self, tables)

    def state_dict(self) -> dict[str, Any]:
        """torch's; rows that are behind (`sparse="dense-equivalent"`) are caught up first."""
        self.catch_up()
        return super().state_dict()

    # For the engine ----------------------------------------------------------------------------------------------

    def _rows_apart(
        self, group: Group, settings: Settings, values: Any, params: Sequence[torch.Tensor], grads: Sequence[torch.Tensor]
    ) -> tuple[list[Work], list[torch.Tensor], list[torch.Tensor]]:
        """What steps the rows of sparse gradients, checked and ready; and the parameters that are stepped whole, as before."""
        work: list[Work] = []
        whole: list[tuple[torch.Tensor, torch.Tensor]] = []
        for p, g in zip(params, grads, strict=True):
            behind = self.__dict__.get("_behind", {}).get(p)
            if g.layout == torch.strided:
                if behind is not None:
                    self._settle(p)
                if p in self.state and lazy.counted(self.state[p]):
                    work.append(self._all_rows(group, settings, p, g))
                else:
                    whole.append((p, g))
            else:
                work.append(self._some_rows(group, settings, values, p, g))
        return work, [p for p, _ in whole], [g for _, g in whole]

    @property
    def _steps_rows(self) -> bool:
        return self.__dict__.get("_by_rows", False) or bool(self.__dict__.get("_behind"))

    def _some_rows(self, group: Group, settings: Settings, values: Any, p: torch.Tensor, g: torch.Tensor) -> Work:
        who, mode = type(self).__name__, group["sparse"]
        if mode is None:
            raise refused(who, p, g)
        if self.defaults["differentiable"]:
            raise BadValueError(
                f"{who}: differentiable=True needs dense gradients, got {g.layout}; use sparse=False in the layer"
            )
        if group["stochastic_rounding"]:
            raise BadValueError(
                f"{who}: stochastic_rounding=True needs dense gradients, got {g.layout}; use sparse=False in the layer"
            )
        if not by_rows(settings):
            raise BadValueError(
                f"{who}: a step of {self.rule.name} on one row depends on the others, so rows cannot be stepped apart; use "
                "sparse=False in the layer"
            )
        gradient, cell, sign = read(g, p, who), self.state[p], -1.0 if group["maximize"] else 1.0
        behind = self.__dict__.setdefault("_behind", {}).get(p)
        if mode == LAZY:
            complete(cell, settings, values, p, group["state_dtype"])
            if behind is not None:
                self._settle(p)
            lazy.count_rows(settings, p, cell, gradient.lead, who)
            self._by_rows = True
            return Work(gradient, lambda factor: lazy.step(settings, p, cell, gradient, sign * factor))
        if lazy.counted(cell):
            raise BadValueError(
                f"{who}: the rows of a parameter of shape {tuple(p.shape)} have counts of their own, from sparse={LAZY!r}; "
                f"no dense run is equal to that: keep sparse={LAZY!r}, or start a new optimizer"
            )
        if not rest(settings).finite:
            raise BadValueError(
                f"{who}: sparse={DENSE_EQUIVALENT!r} cannot be had at these settings: the dense run would turn every row "
                f"that has no gradient yet into NaN (0/0); set eps above 0, or use sparse={LAZY!r}"
            )
        complete(cell, settings, values, p, group["state_dtype"])
        if behind is not None and behind.lead != gradient.lead:
            self._settle(p)
            behind = None
        if behind is None:
            behind = self._behind[p] = Behind(settings, p, cell, gradient.lead)
        chosen = behind
        return Work(gradient, lambda factor: chosen.step(p, cell, gradient, settings, sign * factor))

    def _all_rows(self, group: Group, settings: Settings, p: torch.Tensor, g: torch.Tensor) -> Work:
        # A dense gradient where rows have counts of their own: every row is touched.
        cell = self.state[p]
        lead = tuple(cell[lazy.COUNT].shape)
        if self.defaults["differentiable"]:
            raise BadValueError(f"{type(self).__name__}: differentiable=True cannot step rows that have counts of their own")
        real = torch.view_as_real(g.detach().resolve_conj()) if g.is_complex() else g.detach().resolve_neg()
        rows = torch.arange(cell[lazy.COUNT].numel(), device=p.device)
        gradient = RowGradient(rows, real.reshape(len(rows), width_of(p, lead)).contiguous(), lead)
        sign = -1.0 if group["maximize"] else 1.0
        return Work(gradient, lambda factor: lazy.step(settings, p, cell, gradient, sign * factor))

    def _settle(self, p: torch.Tensor) -> None:
        """Catches up all rows of a parameter, which is stepped in another way from now on."""
        with torch.no_grad():
            self._behind.pop(p).catch_up(p, self.state[p])

    def _drop_rows(self) -> None:
        """Forgets which rows are behind: states have been loaded."""
        self._behind = {}
        self._by_rows = any(lazy.counted(cell) for cell in self.state.values())


SparseSteps.catch_up = not_compiled(SparseSteps.catch_up)  # type: ignore[method-assign]


def _row_numbers(rows: torch.Tensor, lead: tuple[int, ...], p: torch.Tensor, who: str) -> torch.Tensor:
    rows = rows.to(device=p.device, dtype=torch.int64)
    if len(lead) == 1:
        return rows.reshape(-1).contiguous()
    if rows.dim() < 2 or rows.shape[0] != len(lead):
        raise BadValueError(f"{who}.catch_up: rows must be [{len(lead)}, ...], an index an axis, got shape {tuple(rows.shape)}")
    indices = rows.reshape(len(lead), -1)
    ends = torch.tensor(lead, device=p.device).unsqueeze(1)
    if not bool(((indices >= 0) & (indices < ends)).all()):
        raise BadValueError(f"{who}.catch_up: rows must be within {tuple(lead)}")
    return flat(indices, lead)
