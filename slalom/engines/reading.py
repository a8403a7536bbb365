"""Parameter groups as users fill them, read as checked settings of the rule; every error names argument, value and group."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from operator import is_, itemgetter
from typing import Any, ClassVar

import torch

from slalom.core.errors import BadValueError
from slalom.core.rule import Rule, Settings
from slalom.engines import device
from slalom.engines.signature import ENGINE, IMPLEMENTATION, Argument

Group = dict[str, Any]
# A hyper of this name is the schedule's factor alone. torch's schedulers leave their peak in the group ("initial_lr", and
# "max_lr" where the rate first rises), so the factor can be read off; what the user sets multiplies it.
SCHEDULE = "schedule"
_SIMPLE = frozenset({float, int, bool, str, type(None), torch.dtype})  # values that are what they were if they are equal


class GroupReading:
    """The part of an optimizer that reads its groups."""

    rule: ClassVar[Rule]
    _arguments: ClassVar[tuple[Argument, ...]]
    _values: ClassVar[itemgetter[Any]]  # a group's arguments

    def _settings_now(self, index: int, group: Group) -> tuple[Settings, dict[str, Any]]:
        """`_settings_of`, read anew only where a plain value of the group has changed."""
        given = (*self._values(group), group.get("initial_lr"), group.get("max_lr"))
        held: dict[int, Any] = self.__dict__.setdefault("_settings", {})
        last = held.get(index)
        if last is not None and last[2] is not None and all(map(is_, given, last[2])):  # the very same objects, none mutable
            same: tuple[Settings, dict[str, Any]] = last[1]
            return same
        told: list[Any] = [group[a.name] for a in self._arguments]
        told += [group["lr"], group["initial_lr"], group.get("max_lr")] if "initial_lr" in group else ()
        lasting = not any(isinstance(x, list) for x in told)
        told = [x for value in told for x in (value if isinstance(value, tuple | list) else (value,))]
        if not _SIMPLE.issuperset(map(type, told)):
            return self._settings_of(group, self._where(index))
        key = (told, list(map(type, told)))
        made = last[1] if last is not None and last[0] == key else self._settings_of(group, self._where(index))
        held[index] = (key, made, given if lasting else None)
        found: tuple[Settings, dict[str, Any]] = held[index][1]
        return found

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
