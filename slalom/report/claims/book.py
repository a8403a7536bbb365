"""The book of claims as Markdown: English and Simplified Chinese from one run, so that the two cannot drift apart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from slalom.claims.claim import Claim
from slalom.claims.decide import KINDS, Verdict
from slalom.claims.registry import every
from slalom.claims.store import Result, Run
from slalom.claims.words import LANGUAGES, Language, T
from slalom.core.errors import StoreError
from slalom.core.files import write_whole
from slalom.figures.claims import figure, phrase, states, verdict_words
from slalom.figures.claims_picture import picture

FILES: dict[Language, str] = {"en": "claims.md", "zh": "claims.zh-CN.md"}
PICTURES = "claims"

CHAPTERS = {
    "O": T("Optimizers", "优化器"), "L": T("Learning rate and convergence", "学习率与收敛"), "R": T("Regularisation",
    "正则化"),
    "H": T("Hyperparameter search", "超参数搜索"), "C": T("Calculus", "微积分"), "A": T("Activations", "激活函数"),
    "B": T("Batch normalisation", "批归一化"),
}  # fmt: skip
TITLE = T("The book of claims", "论断之书")
OTHER = T("[简体中文](claims.zh-CN.md)", "[English](claims.md)")
LEAD = T(
    "What textbooks and blogs say of optimizers, learning rates, regularisation and activations, each claim tested by an "
    "experiment whose "
    "decision rule was fixed before it ran. `slalom claims run O13` tests one on your machine, `slalom claims run --all` all "
    "of them.",
    "教科书和博客关于优化器、学习率、正则化与激活函数的说法，逐条用实验检验，判定规则在实验之前就已固定。`slalom claims run "
    "O13` 在你的机器上检验其中一条，`slalom claims run --all` 检验全部。",
)  # fmt: skip
HOW = T(
    "**holds**: every effect is as asked, with its whole 95 % interval (Student's t over seeds). **fails**: none is. "
    "**depends**: some "
    "are; then it is said on what. **undecided**: two sets of seeds disagree, or a control outside the group was not told "
    "apart where "
    "alikeness was claimed. Learning rates are tuned for each method, on the other set of seeds than the one judged; a rate "
    "at the "
    "edge of its grid is flagged. The tasks are small: a verdict holds for what was measured.",
    "**成立**：每个效应的整个 95% 区间（对种子的 Student t 区间）都满足要求。**不成立**：没有一个满足。**视情况而定**：部分满"
    "足，并"
    "说明取决于什么。**未决**：两组种子互相矛盾，或在声称“相近”时组外对照也未能区分开。每种方法的学习率单独调节，且用的是另一"
    "组种子；"
    "落在网格边缘的会标出。任务都很小：结论只适用于所测的情形。",
)  # fmt: skip
MADE = T(
    "Generated from the run of {date} on {processor} ({cores} cores, {threads} thread), Slalom {slalom}, torch {torch}; {n} "
    "claims, {seconds:.0f} s in all. "
    "No figure here is typed by hand.",
    "由 {date} 在 {processor}（{cores} 核，{threads} 线程）上的运行生成，Slalom {slalom}，torch {torch}；共 {n} 条论断，合"
    "计 {seconds:.0f} 秒。文中没有手工键入的数字。",
)  # fmt: skip
SEEDED = T("Seeds from {first} on: two sets after each other.", "随机种子从 {first} 起，两组相继。")
JOINED = T(
    "Two runs joined: the first set of seeds counts from {first} on, the second from {second} on. The set-ups had been settled "
    "with the first in sight, so the second is the fresh test; a claim on which they differ is undecided.",
    "由两次运行合并：第一组种子从 {first} 起，第二组从 {second} 起。实验设置是在看过第一组之后定下的，第二组才是全新的检验；两组"
    "结论不一致的论断记为未决。",
)  # fmt: skip
QUICK = T("This is a quick run with two seeds in each set.", "这是每组只有两个种子的快速运行。")


def seeds_of(run: Run, language: Language) -> str:
    """Which seeds the two sets are."""
    told = SEEDED if run.plan.and_from is None else JOINED
    return told.text(language).format(first=run.plan.first_seed, second=run.plan.and_from)


def heading(run: Run, language: Language) -> Iterator[str]:
    """Title, what a verdict means, where it was measured, and how many there are of each."""
    yield f"# {TITLE.text(language)}\n"
    yield OTHER.text(language) + "\n"
    yield LEAD.text(language) + "\n"
    yield HOW.text(language) + "\n"
    seconds = sum(r.seconds for r in run.results.values())
    told = {k: run.environment[k] for k in ("processor", "cores", "threads", "slalom", "torch")}
    yield MADE.text(language).format(date=run.date, n=len(run.results), seconds=seconds, **told) + "\n"
    yield seeds_of(run, language) + "\n"
    if run.plan.quick:
        yield QUICK.text(language) + "\n"
    kinds = [r.verdict.kind for r in run.results.values()]
    yield "| " + " | ".join(phrase(k, language) for k in KINDS) + " |"
    yield "|" + "---|" * len(KINDS)
    yield "| " + " | ".join(str(kinds.count(k)) for k in KINDS) + " |\n"


def contents(run: Run, language: Language) -> Iterator[str]:
    """A line a claim, with its verdict."""
    yield f"| | {phrase('verdict', language)} | |"
    yield "|---|---|---|"
    for name, result in run.results.items():
        kind = phrase(result.verdict.kind, language)
        yield f"| [{name}](#{name.lower()}) | {kind} | {every()[name].claim.sentence.text(language)} |"
    yield ""


def chapter(claim: Claim, result: Result, language: Language) -> Iterator[str]:
    """One claim: verdict, figures, picture, set-up, literature, erratum, note."""
    verdict = result.verdict
    name = claim.id.lower()
    yield f'### <a id="{name}"></a>{claim.id}\n'
    yield f"> {claim.sentence.text(language)}\n"
    yield f"**{verdict_words(claim, verdict, language)}**\n"
    yield f"| {phrase('what', language)} | {phrase('figure', language)} | {phrase('asked', language)} | |"
    yield "|---|---|---|---|"
    for c in claim.criteria:
        label = c.label.text(language).replace("|", "\\|")
        yield f"| {label} | {figure(verdict.intervals[c.key])} | {c.asked} | {states(c, verdict, language)} |"
    yield ""
    yield f"![{claim.id}]({PICTURES}/{name}.{language}.svg)\n"
    for key, text in told(claim):
        yield f"- **{phrase(key, language)}**: {text.text(language)}"
    yield f"- {measured(claim, result, verdict, language)}\n"


def told(claim: Claim) -> list[tuple[str, T]]:
    """What there is to read on a claim, by the key of its word."""
    parts = (("setup", claim.setup), ("literature", claim.literature), ("erratum", claim.erratum), ("note", claim.note))
    return [(key, text) for key, text in parts if text.en]


def measured(claim: Claim, result: Result, verdict: Verdict, language: Language) -> str:
    """Seeds, time, the prototype's verdict, flags."""
    seeds = f"{phrase('seeds', language)}: {result.n} + {result.n}" if result.outcome.seeded else phrase("exact", language)
    said = [seeds, f"{result.seconds:.0f} s"]
    if claim.prototype is not None:
        same = "agrees" if claim.prototype == verdict.kind else "differs"
        said.append(f"{phrase('prototype', language)}: {phrase(claim.prototype, language)} ({phrase(same, language)})")
    said += [f"{phrase('flag', language)}: {flag}" for flag in result.outcome.flags]
    return "; ".join(said)


def markdown(run: Run, language: Language) -> str:
    """The whole book."""
    lines, letter = [*heading(run, language), *contents(run, language)], ""
    for name, result in run.results.items():
        if name[0] != letter:
            letter = name[0]
            lines.append(f"## {CHAPTERS[letter].text(language)}\n")
        lines += chapter(every()[name].claim, result, language)
    return "\n".join(lines).rstrip("\n") + "\n"


def write_book(run: Run, directory: Path, *, with_page: bool = False) -> list[Path]:
    """`claims.md`, `claims.zh-CN.md` and their pictures in `directory`; with `with_page`, `claims.html` and `claims.zh-CN.html`.

    Returns the files written, pictures as their folder. Raises `StoreError` where it cannot write.
    """
    from slalom.report.claims.page import page

    pictures = directory / PICTURES
    try:
        pictures.mkdir(parents=True, exist_ok=True)
        made = []
        for language in LANGUAGES:
            path = directory / FILES[language]
            write_whole(path, markdown(run, language), lasting=False)
            made.append(path)
            if with_page:
                html = path.with_suffix(".html")
                write_whole(html, page(run, language), lasting=False)
                made.append(html)
            for name, result in run.results.items():
                drawn = picture(every()[name].claim, result.outcome, result.verdict, language)
                write_whole(pictures / f"{name.lower()}.{language}.svg", drawn + "\n", lasting=False)
    except OSError as error:
        raise StoreError(f"cannot write the book to {directory}: {error.strerror or error}") from error
    return [*made, pictures]
