"""A rule's tree as JavaScript: what the page's playground computes with, from the same tree and printers as the fused C step.

A rule becomes an object of three functions, of numbers alone (JavaScript's are float64):

    start(h)            {name: first value} of its states shaped like the parameter, for one coordinate
    host(h, t, s)       [coefficients, new scalar states]: what depends on hypers, step and scalar states alone, once a step
    element(p, g, s, c) [new p, new states] of one coordinate, c being host's coefficients

and `scalars(h)`, the first values of its scalar states. `RUNTIME` holds the words that they are written in, and `advance`,
which takes a parameter of any length one step further. A formula (a surface's height and slopes) becomes a plain function.
"""

from __future__ import annotations

from collections.abc import Sequence

from slalom.core.rule import Settings, State
from slalom.engines.formula import Tape
from slalom.engines.printers.c import CALLS, BodyPrinter, ascii_name, power_text, state_name
from slalom.engines.printers.host import HostTape
from slalom.engines.printers.nodes import Call, Compare, Expr, Neg, Num, Op, Prev, Var
from slalom.engines.printers.tape import tape_lines
from slalom.engines.printers.tree import WINDOW_WORDS, Program, program

# The C printers' words. `maximum` and `minimum` let NaN win, as torch does; `pow` differs from C's by rounding alone.
RUNTIME = """
const {sqrt, exp, log: LOG, cos: COS, sin: SIN, pow: POW, abs: fabs} = Math;
const SQRT = sqrt, EXP = exp, POWER = POW, FABS = fabs, ONE = 1;
const SQUARE = (x) => x * x, CUBE = (x) => x * x * x, SELECT = (c, yes, no) => (c ? yes : no);
const SIGN = (x) => (x !== x ? x : (x > 0) - (x < 0));
const MAXIMUM = (a, b) => (a > b || a !== a ? a : b), MINIMUM = (a, b) => (a < b || a !== a ? a : b);
const PUSH = (w, x) => [...w.slice(1), x], TOTAL = (w) => w.reduce((a, b) => a + b, 0);

// A run of a rule from p: `advance` changes it by one step along the gradient g.
const begin = (rule, h, p) => ({ p: [...p], t: 0, states: p.map(() => rule.start(h)), scalars: rule.scalars(h) });
const advance = (rule, h, run, g) => {
  run.t += 1;
  const [c, scalars] = rule.host(h, run.t, run.scalars);
  run.scalars = scalars;
  for (let i = 0; i < run.p.length; i++) [run.p[i], run.states[i]] = rule.element(run.p[i], g[i], run.states[i], c);
};
"""

_CALLS = {**CALLS, "log": "LOG", "cos": "COS", "sin": "SIN", "where": "SELECT"}


class _Body(BodyPrinter):
    declare = "const"
    number = "({0!r})"

    def expr(self, node: Expr) -> str:
        if isinstance(node, Call) and node.fn in WINDOW_WORDS and not self.made.host(node):
            return f"{node.fn.upper()}({', '.join(map(self.expr, node.args))})"
        return super().expr(node)

    def power_call(self, k: int, base: str, exponent: str) -> str:
        return f"POW({base}, {exponent})"


def js_rule(settings: Settings) -> str:
    """The rule under these settings as a JavaScript object, to be read where `RUNTIME` stands before it.

    Hypers are arguments (`h.lr`), options are fixed. Errors: `LanguageError` for a rule outside the elementwise language.

    >>> from slalom.rules import sgd
    >>> print(js_rule(sgd()))
    {
    start: (h) => ({}),
    scalars: (h) => ({}),
    host(h, t, s) { const x0 = h.lr; return [[x0], {}]; },
    element(p_0, g_0, s, c) { const [c0] = c; const p_1 = (p_0 - (c0 * g_0)); return [p_1, {}]; },
    }
    """
    made = program(settings)
    body = _Body(made).body()
    coefficients = [f"c{k}" for k in range(len(body.coefficients))]
    before = [f"const [{', '.join(coefficients)}] = c;"] if coefficients else []
    before += [f"const {state_name(name)} = s.{ascii_name(name)};" for name in body.reads]
    kept = {name: f"s.{ascii_name(name)}" for name in made.element_states if made.states[name] == Prev(name)}
    states = ", ".join(f"{ascii_name(name)}: {kept.get(name) or body.outputs[name]}" for name in made.element_states)
    element = " ".join([*before, *body.statements, f"return [{body.outputs['p']}, {{{states}}}];"])
    return (
        f"{{\nstart: (h) => ({_first(made, made.element_states)}),\nscalars: (h) => ({_first(made, made.scalar_states)}),\n"
        f"host(h, t, s) {{ {_host(made, body.coefficients)} }},\nelement(p_0, g_0, s, c) {{ {element} }},\n}}"
    )


def _host(made: Program, coefficients: list[Expr]) -> str:
    scalars = made.scalar_states
    tape = HostTape(made, [*coefficients, *(made.states[name] for name in scalars)])
    sources = {"hyper": "h.{}", "scalar": "s.{}", "step": "t"}
    lines, names = tape_lines(tape, lambda kind, name: sources[kind].format(ascii_name(name)), declare="const")
    values, after = names[: len(coefficients)], names[len(coefficients) :]
    kept = ", ".join(f"{ascii_name(name)}: {value}" for name, value in zip(scalars, after, strict=True))
    return " ".join([*lines, f"return [[{', '.join(values)}], {{{kept}}}];"])


def _first(made: Program, names: list[str]) -> str:
    def fill(state: State) -> str:
        value = f"h.{ascii_name(state.fill)}" if isinstance(state.fill, str) else f"{float(state.fill)!r}"
        return value if state.window is None else f"Array({made.settings.options[state.window]}).fill({value})"

    return "{" + ", ".join(f"{ascii_name(name)}: {fill(made.settings.states[name])}" for name in names) + "}"


def js_formula(tape: Tape, names: Sequence[str]) -> str:
    """A tape's trees as one JavaScript function of these names, which returns a list of their values.

    >>> from slalom.engines.formula import traced
    >>> print(js_formula(Tape([traced(lambda x, y: (x - y) ** 2, "xy")]), "xy"))
    (x, y) => { const x2 = (x - y); const x4 = SQUARE(x2); return [x4]; }
    """
    texts: list[str] = []
    lines: list[str] = []
    for k, (node, parts) in enumerate(zip(tape.entries, tape.parts, strict=True)):
        given = [texts[part] for part in parts]
        if isinstance(node, Num):
            texts.append(repr(float(node.value)))
        elif isinstance(node, Var):
            texts.append(node.name)
        else:
            texts.append(f"x{k}")
            lines.append(f"const x{k} = {_entry(node, given)};")
    return f"({', '.join(names)}) => {{ {' '.join([*lines, ''])}return [{', '.join(texts[k] for k in tape.outputs)}]; }}"


def _entry(node: Expr, given: Sequence[str]) -> str:
    if isinstance(node, Neg):
        return f"-{given[0]}"
    if isinstance(node, Op) and node.op == "**":
        easy = power_text(given[0], float(node.b.value)) if isinstance(node.b, Num) else None
        return easy or f"POW({given[0]}, {given[1]})"
    if isinstance(node, Op | Compare):
        return f"({given[0]} {node.op} {given[1]})"
    assert isinstance(node, Call), node
    return f"{_CALLS[node.fn]}({', '.join(given)})"
