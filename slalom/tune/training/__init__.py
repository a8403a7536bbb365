"""From a configuration to trained lanes: what a configuration may hold, which lanes share a program, epochs of a group."""

from slalom.tune.training.family import Family, family_of
from slalom.tune.training.group import Group, GroupRun, Member, groups_of
from slalom.tune.training.problem import Problem

__all__ = ["Family", "Group", "GroupRun", "Member", "Problem", "family_of", "groups_of"]
