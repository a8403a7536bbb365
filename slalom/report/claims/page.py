"""The book of claims as one HTML file that asks for nothing: the same words, figures and pictures as the Markdown."""

from __future__ import annotations

from slalom.claims.registry import every
from slalom.claims.store import Run
from slalom.claims.words import Language
from slalom.figures.claims import figure, phrase, states, verdict_words
from slalom.figures.claims_picture import picture

TEMPLATE = """<!doctype html>
<html lang="{{ 'zh-CN' if language == 'zh' else 'en' }}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{{ title }}</title><style>
body { font: 16px/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "PingFang SC", "Hiragino Sans GB",
  "Microsoft YaHei", "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "WenQuanYi Micro Hei", sans-serif;
  max-width: 52rem; margin: 2rem auto; padding: 0 1rem; color: #1f2937; background: #fff; overflow-wrap: anywhere }
blockquote { margin: .5rem 0; padding-left: 1rem; border-left: 3px solid #d1d5db; font-size: 1.1rem }
table { border-collapse: collapse; font-size: .9rem; display: block; overflow-x: auto }
td, th { padding: .2rem .8rem .2rem 0; text-align: left; vertical-align: top }
td:first-child { overflow-wrap: normal }
.holds { color: #047857 } .fails { color: #b91c1c } .depends { color: #92580c } .undecided { color: #5b6472 }
article { border-top: 1px solid #e5e7eb; margin-top: 2rem; break-inside: avoid }
svg { background: #fff; border-radius: 6px }
@media (prefers-color-scheme: dark) {
  html { color-scheme: dark } body { color: #e8ecf2; background: #0d1118 } a { color: #8fb0ff } article { border-color: #2a3240 }
  .holds { color: #7fe0bd } .fails { color: #ff9d92 } .depends { color: #ffc983 } .undecided { color: #a3adbb }
}
svg { max-width: 100%; height: auto }
dt { font-weight: 600 } dd { margin: 0 0 .4rem }
</style></head><body><h1>{{ title }}</h1>
{% for line in lead %}<p>{{ line }}</p>
{% endfor %}<table>{% for c in claims %}<tr><td><a href="#{{ c.id }}">{{ c.id }}</a></td>
<td class="{{ c.kind }}">{{ c.short }}</td><td>{{ c.sentence }}</td></tr>
{% endfor %}</table>
{% for c in claims %}<article id="{{ c.id }}"><h2>{{ c.id }}</h2><blockquote>{{ c.sentence }}</blockquote>
<p class="{{ c.kind }}"><b>{{ c.words }}</b></p>
<table><tr>{% for h in head %}<th>{{ h }}</th>{% endfor %}<th></th></tr>
{% for row in c.rows %}<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}</table>
{{ c.svg | safe }}
<dl>{% for key, text in c.told %}<dt>{{ key }}</dt><dd>{{ text }}</dd>{% endfor %}</dl><p>{{ c.measured }}</p></article>
{% endfor %}</body></html>
"""


def page(run: Run, language: Language) -> str:
    """The page; every word is escaped, the pictures are our own SVG."""
    from jinja2 import Environment

    from slalom.report.claims.book import HOW, LEAD, TITLE, measured, seeds_of, told

    claims = []
    for name, result in run.results.items():
        claim, verdict = every()[name].claim, result.verdict
        rows = [
            (c.label.text(language), figure(verdict.intervals[c.key]), c.asked, states(c, verdict, language))
            for c in claim.criteria
        ]
        claims.append({
            "id": name, "kind": verdict.kind, "short": phrase(verdict.kind, language), "sentence": claim.sentence.text(
            language),
            "words": verdict_words(claim, verdict, language), "rows": rows,
            "svg": picture(claim, result.outcome, verdict, language),
            "told": [(phrase(k, language), t.text(language)) for k, t in told(claim)],
            "measured": measured(claim, result, verdict, language),
        })  # fmt: skip
    lead = [
        LEAD.text(language).replace("`", ""),
        HOW.text(language).replace("**", ""),
        f"{run.date}, {run.environment['processor']}",
        seeds_of(run, language),
    ]
    head = [phrase(k, language) for k in ("what", "figure", "asked")]
    made = Environment(autoescape=True).from_string(TEMPLATE)
    return made.render(language=language, title=TITLE.text(language), lead=lead, head=head, claims=claims)
