"""A batch on its way through the rungs: which jobs are out, what came back, who goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from slalom.tune.executors.base import Finished, Job
from slalom.tune.rungs import kept
from slalom.tune.training.config import Training
from slalom.tune.training.group import Group, Member, Standing, groups_of
from slalom.tune.training.problem import Problem


@dataclass
class Bracket:
    """`rung`: the one its jobs are under way to. `states`: of each group after the last rung; None before the first."""

    number: int
    members: list[Member]
    groups: list[Group]
    rungs: list[int]
    rung: int = 0
    alive: list[int] = field(default_factory=list)
    states: list[Any] = field(default_factory=list)
    out: set[int] = field(default_factory=set)  # groups under way
    standings: dict[int, Standing] = field(default_factory=dict)

    @classmethod
    def of(cls, problem: Problem, number: int, members: Sequence[Member], rungs: list[int]) -> Bracket:
        """A batch at its start."""
        groups = groups_of(problem, members)
        return cls(number, list(members), groups, rungs, alive=[m.number for m in members], states=[None] * len(groups))

    @property
    def last(self) -> bool:
        """Whether its jobs run to the end."""
        return self.rung == len(self.rungs) - 1

    def jobs(self, wants_state: bool) -> list[Job]:
        """What is to be trained for the rung that comes."""
        start = self.rungs[self.rung - 1] if self.rung else 0
        made = []
        for k, group in enumerate(self.groups):
            keep = tuple(m.number for m in group.members if m.number in self.alive)
            if keep:
                made.append(Job(self.number, k, group, keep, start, self.rungs[self.rung], self.states[k], wants_state))
        self.out = {job.group for job in made}
        self.standings = {}
        return made

    def take(self, over: Finished) -> bool:
        """Take in a job; True when the rung is complete."""
        self.out.discard(over.job.group)
        self.standings |= {s.number: s for s in over.standings}
        self.states[over.job.group] = over.state
        return not self.out

    def decide(self, problem: Problem, eta: float, stop: bool) -> tuple[dict[int, str], list[int]]:
        """Who ends at this rung and how, and who goes on; `stop`: nobody does, since the budget is used up."""
        states: dict[int, str] = {}
        running: list[tuple[float, int]] = []
        ends = {m.number: Training.of(m.config, problem.rows, problem.epochs, problem.defaults).epochs for m in self.members}
        compared = []
        for number in self.alive:
            s = self.standings[number]
            if s.diverged:
                states[number] = "diverged"
                compared.append((float("inf"), number))
                continue
            value = problem.told(s.loss, s.metric)
            compared.append((value, number))
            if ends[number] <= self.rungs[self.rung]:
                states[number] = "finished"
            else:
                running.append((value, number))
        on = [] if stop else [n for n in kept(compared, eta) if n not in states]
        for _, number in running:
            if number not in on:
                states[number] = "stopped" if stop else "pruned"
        self.alive = on
        self.states = [
            s if any(m.number in on for m in g.members) else None for s, g in zip(self.states, self.groups, strict=True)
        ]
        return states, on

    def steps(self, problem: Problem) -> int:
        """Training steps of the rung that was just done, over its lanes."""
        start = self.rungs[self.rung - 1] if self.rung else 0
        total = 0
        for m in self.members:
            if m.number in self.standings:
                t = Training.of(m.config, problem.rows, problem.epochs, problem.defaults)
                total += max(0, min(t.epochs, self.rungs[self.rung]) - start) * t.per_epoch * problem.copies
        return total
