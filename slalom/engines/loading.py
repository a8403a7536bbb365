"""Loading an optimizer's state dict, ours or torch's: checked whole before anything changes, by name if possible."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from copy import copy
from typing import TYPE_CHECKING, Any

import torch

from slalom.core.errors import BadValueError
from slalom.engines.signature import IMPLEMENTATION
from slalom.engines.sparse.loading import without_rows
from slalom.engines.state import checked

if TYPE_CHECKING:
    from slalom.engines.optimizer import RuleOptimizer

Group = dict[str, Any]
# torch.compile's, FSDP1's and activation checkpointing's words within a parameter's name, and DDP's before it.
_WRAPPERS = re.compile(r"(^|\.)(?:(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.)+")
_DDP = "module."


def load(optimizer: RuleOptimizer, state_dict: Mapping[str, Any]) -> None:
    """Replaces the optimizer's groups and state by the loaded ones; the parameters stay its own."""
    given = dict(state_dict)
    for pre_hook in optimizer._optimizer_load_state_dict_pre_hooks.values():
        replaced = pre_hook(optimizer, given)
        given = given if replaced is None else dict(replaced)
    who = type(optimizer).__name__
    if "state" not in given or "param_groups" not in given:
        raise BadValueError(f"{who}: a state dict has the keys 'state' and 'param_groups', got {sorted(map(str, given))}")
    ids = matched_ids(who, optimizer.param_groups, given["param_groups"])
    groups = [_group(optimizer, mine, theirs) for mine, theirs in zip(optimizer.param_groups, given["param_groups"], strict=True)]
    state: defaultdict[Any, Any] = defaultdict(dict)
    known = set()
    for index, (group, group_ids) in enumerate(zip(groups, ids, strict=True)):
        settings, _ = optimizer._settings_of(group, f" (parameter group {index} of the loaded state)")
        names = group.get("param_names")
        for position, (p, key) in enumerate(zip(group["params"], group_ids, strict=True)):
            known.add(key)
            if key in given["state"]:
                label = repr(names[position]) if names else f"parameter {position} of group {index}"
                whole, rows = without_rows(given["state"][key], settings, p, group["sparse"], label)
                made = checked(whole, settings, p, label, group["state_dtype"])
                if made:
                    state[p] = made | rows
    state.update({k: v for k, v in given["state"].items() if k not in known})  # as torch: what belongs to no parameter
    optimizer.__setstate__({"state": state, "param_groups": groups})
    for post_hook in optimizer._optimizer_load_state_dict_post_hooks.values():
        post_hook(optimizer)


def matched_ids(who: str, mine: list[Group], theirs: list[Group]) -> list[list[Any]]:
    """The loaded id of each parameter, group by group."""
    if len(mine) != len(theirs):
        raise BadValueError(
            f"{who}: the loaded state has {len(theirs)} parameter groups, but this optimizer has {len(mine)}; "
            "build it with the groups of the one that was saved"
        )
    if all("param_names" in g for g in (*mine, *theirs)):
        by_name = {n: i for g in theirs for n, i in zip(g["param_names"], g["params"], strict=True)}
        wanted = [list(g["param_names"]) for g in mine]
        flat = [n for names in wanted for n in names]
        if set(flat) != set(by_name):
            saved, here = _unwrapped(by_name), _unwrapped(flat)
            if set(saved.values()) == set(here.values()):  # the one model, wrapped in another way
                by_name = {saved[n]: i for n, i in by_name.items()}
                wanted = [[here[n] for n in names] for names in wanted]
            else:
                missing, surplus = [n for n in flat if n not in by_name], [n for n in by_name if n not in set(flat)]
                said = [f"missing {', '.join(missing)}"] * bool(missing) + [f"surplus {', '.join(surplus)}"] * bool(surplus)
                raise BadValueError(f"{who}: the loaded state is of other parameters: {'; '.join(said)}")
        return [[by_name[n] for n in names] for names in wanted]
    for index, (a, b) in enumerate(zip(mine, theirs, strict=True)):
        if len(a["params"]) != len(b["params"]):
            raise BadValueError(
                f"{who}: parameter group {index} has {len(a['params'])} parameters, but the loaded one has "
                f"{len(b['params'])}; the model has changed"
            )
    return [list(g["params"]) for g in theirs]


def _unwrapped(names: Iterable[str]) -> dict[str, str]:
    """Each name without what torch's wrappers put into it; as it is where that would make two the same."""
    bare = {n: _WRAPPERS.sub(r"\1", n) for n in names}
    if all(b.startswith(_DDP) for b in bare.values()):  # "module" may be a user's own word: a prefix of all or of none
        bare = {n: b.removeprefix(_DDP) for n, b in bare.items()}
    return bare if len(set(bare.values())) == len(bare) else {n: n for n in bare}


def _group(optimizer: RuleOptimizer, mine: Group, theirs: Mapping[str, Any]) -> Group:
    arguments = {a.name: mine[a.name] for a in optimizer._arguments}
    made = arguments | {k: _copied(v) for k, v in theirs.items() if k not in IMPLEMENTATION}
    made["params"] = mine["params"]
    made["sparse"] = mine["sparse"]  # how this model's layers give their gradients, not what was learnt
    if "param_names" in mine:
        made["param_names"] = mine["param_names"]
    return made


def _copied(value: Any) -> Any:
    return value.clone() if isinstance(value, torch.Tensor) else copy(value)
