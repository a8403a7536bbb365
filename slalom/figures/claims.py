"""A claim's verdict in words and figures, the same in every place that shows it, in both languages."""

from __future__ import annotations

import math

from slalom.claims.claim import Claim
from slalom.claims.criteria import Criterion
from slalom.claims.decide import Verdict
from slalom.claims.outcome import Interval
from slalom.claims.words import Language, T

WORDS = {
    "holds": T("holds", "成立"), "fails": T("fails", "不成立"), "depends": T("depends", "视情况而定"), "undecided": T(
    "undecided", "未决"),
    "on": T("on", "取决于"), "held": T("held", "满足"), "not seen": T("not seen", "未见"), "reversed": T("reversed", "相反"),
    "control": T("control", "对照"), "literature": T("literature", "文献"), "setup": T("set-up", "实验设置"), "erratum": T(
    "erratum", "勘误"),
    "note": T("note", "备注"), "what": T("effect", "效应"), "figure": T("mean [95 % interval]", "均值 [95% 区间]"), "asked": T(
    "asked", "要求"),
    "seeds": T("seeds", "随机种子"), "flag": T("flag", "提示"), "verdict": T("verdict", "结论"),
    "exact": T("nothing is random", "无随机因素"),
    "seeds needed": T("it would take about {n} seeds in each set", "每组大约需要 {n} 个种子"),
    "many": T("more seeds than 1000 a set would not be likely to decide it", "每组即使 1000 个种子也未必能定论"),
    "flips": T("two sets of seeds say {a} and {b}, together {c}", "两组种子分别得出“{a}”与“{b}”，合并为“{c}”"),
    "control failed": T("a control is not held, so the experiment cannot tell", "对照未满足，实验无法判断"),
    "prototype": T("prototype", "原型"), "agrees": T("agrees", "一致"), "differs": T("differs", "不同"),
}  # fmt: skip


def phrase(key: str, language: Language) -> str:
    """A fixed word of the book."""
    return WORDS[key].text(language)


def figure(i: Interval) -> str:
    """Mean and interval to three digits.

    >>> figure(Interval(1.23456, 1.0, 1.5, 0.2, 10))
    '1.23 [1, 1.5]'
    """
    if i.n == 1:
        return _short(i.mean)
    return f"{_short(i.mean)} [{_short(i.low)}, {_short(i.high)}]"


def _short(v: float) -> str:
    return f"{v:.3g}" if v == 0 or not math.isfinite(v) or abs(v) >= 1e-4 else f"{v:.1e}"


def states(criterion: Criterion, verdict: Verdict, language: Language) -> str:
    """Held, not seen or reversed; marked where it is a control."""
    said = phrase(verdict.states[criterion.key], language)
    return said if criterion.role == "claim" else f"{phrase('control', language)}: {said}"


def verdict_words(claim: Claim, verdict: Verdict, language: Language) -> str:
    """The verdict with what it depends on, or why it is open.

    >>> from slalom.claims.registry import every
    >>> claim = every()["O27"].claim
    >>> verdict_words(claim, Verdict("holds", {}, {}), "zh")
    '成立'
    """
    said = phrase(verdict.kind, language)
    if verdict.kind == "depends" and claim.switch.en:
        return f"{said}: {claim.switch.text(language)}" if language == "en" else f"{said}：{claim.switch.text(language)}"
    if verdict.kind != "undecided":
        return said
    if verdict.why.startswith("control"):
        why = phrase("control failed", language)
    else:
        a, b, c = (phrase(k, language) for k in verdict.sides)
        why = phrase("flips", language).format(a=a, b=b, c=c)
        why += "; " if language == "en" else "；"
        why += phrase("many", language) if verdict.seeds is None else phrase("seeds needed", language).format(n=verdict.seeds)
    return f"{said}: {why}" if language == "en" else f"{said}：{why}"
