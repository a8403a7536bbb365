"""Each schedule against its closed form in plain Python: whole runs, ends, what is beyond, fractions of a step, lanes."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from slalom.core.errors import BadValueError
from slalom.schedules import (
    Annealing,
    Constant,
    Cosine,
    CosineRestarts,
    Custom,
    ExponentialDecay,
    InverseTimeDecay,
    OneCycle,
    Plateau,
    PolynomialDecay,
    Product,
    Schedule,
    StepDecay,
    Sum,
    Then,
    Triangular,
    Warmup,
    WarmupStableDecay,
    names,
    resolve,
)  # fmt: skip


def halfwave(share):
    return math.cos(math.pi * share / 2) ** 2


def restarts(t, first=6, mult=2, low=0.1, decay=0.5):
    """The cycles counted one after another."""
    length, peak = first, 1.0
    while t >= length:
        t, length, peak = t - length, length * mult, peak * decay
    return low + max(peak - low, 0) * halfwave(t / length)


def triangle(t, up=4, down=8):
    into = math.fmod(t, up + down)
    return into / up if into <= up else 1 - (into - up) / down


def onecycle(t, three=False):
    t = min(t, 40)
    if t <= 10:
        return 0.1 + 0.9 * (1 - halfwave(t / 10))
    if not three:
        return 0.02 + 0.98 * halfwave((t - 10) / 30)
    return 0.1 + 0.9 * halfwave((t - 10) / 10) if t <= 20 else 0.02 + 0.08 * halfwave((t - 20) / 20)


def wsd(t, ease=lambda x: 1 - x):
    if t < 5:
        return (t + 1) / 6
    return 1.0 if t < 30 else 0.1 + 0.9 * ease(min(t - 30, 10) / 10)


CLOSED = [
    (Constant(0.5), lambda t: 0.5),
    (StepDecay(factor=0.3, every=7), lambda t: 0.3 ** (t // 7)),
    (StepDecay(factor=0, every=7), lambda t: float(t < 7)),
    (ExponentialDecay(gamma=0.9, every=4), lambda t: math.exp(math.log(0.9) * t / 4)),
    (Annealing(total=30), lambda t: 10 ** (-2 * min(t, 30) / 30)),
    (InverseTimeDecay(k=0.5, every=3), lambda t: 3 / (3 + 0.5 * t)),
    (InverseTimeDecay(k=2, power=0.5), lambda t: 1 / math.sqrt(1 + 2 * t)),
    (PolynomialDecay(total=30, power=2, final=0.1), lambda t: 0.1 + 0.9 * max(0, (30 - t) / 30) ** 2),
    (Cosine(total=30, final=0.2), lambda t: 0.2 + 0.8 * halfwave(min(t, 30) / 30)),
    (CosineRestarts(T0=6, T_mult=2, eta_min=0.1, decay=0.5), restarts),
    (CosineRestarts(T0=7), lambda t: restarts(t, 7, 1, 0, 1)),
    (CosineRestarts(T0=2.5, T_mult=1.5, eta_min=0.6, decay=0.7), lambda t: restarts(t, 2.5, 1.5, 0.6, 0.7)),
    (Triangular(low=0.2, up=4, down=8), lambda t: 0.2 + 0.8 * triangle(t)),
    (Triangular(low=0.2, up=4, mode="triangular2"), lambda t: 0.2 + 0.8 * triangle(t, 4, 4) / 2 ** (t // 8)),
    (Triangular(low=0, up=4, mode="exp_range", gamma=0.9), lambda t: triangle(t, 4, 4) * 0.9**t),
    (OneCycle(total=40, rise=0.25, start=0.1, final=0.02), onecycle),
    (OneCycle(total=40, rise=0.25, start=0.1, final=0.02, three_phase=True), lambda t: onecycle(t, True)),
    (WarmupStableDecay(total=40, warmup=5, decay=10, final=0.1), wsd),
    (WarmupStableDecay(total=40, warmup=5, decay=10, final=0.1, shape="cosine"), lambda t: wsd(t, halfwave)),
    (WarmupStableDecay(total=40, warmup=5, decay=10, final=0.1, shape="sqrt"), lambda t: wsd(t, lambda x: 1 - math.sqrt(x))),
    (WarmupStableDecay(total=40), lambda t: min(1.0, max(0.0, (40 - t) / 8))),
    (Warmup(steps=4), lambda t: min(1.0, (t + 1) / 5)),
    (Warmup(steps=4, then=Cosine(total=20), start=0.0), lambda t: t / 4 if t < 4 else halfwave(min(t - 4, 20) / 20)),
    (Warmup(steps=0, then=StepDecay(every=5)), lambda t: 0.5 ** (t // 5)),
    (
        Constant(0.5).then(Cosine(10), at=7).then(Constant(0.1), at=20),
        lambda t: 0.5 if t < 7 else (halfwave(min(t - 7, 10) / 10) if t < 20 else 0.1),
    ),
    (Cosine(20) + StepDecay(0.5, 5), lambda t: halfwave(min(t, 20) / 20) + 0.5 ** (t // 5)),
    (0.25 + Cosine(20) * ExponentialDecay(0.9) * 2, lambda t: 0.25 + 2 * halfwave(min(t, 20) / 20) * 0.9**t),
    (Custom(lambda step: 1 / (1 + step)), lambda t: 1 / (1 + int(t))),
]
IDS = [f"{i}-{type(schedule).__name__}" for i, (schedule, _) in enumerate(CLOSED)]
RUN = np.arange(120)
FRACTIONS = np.linspace(0, 119, 477)


@pytest.mark.parametrize(("schedule", "closed"), CLOSED, ids=IDS)
def test_closed_form(schedule, closed):
    for steps in (RUN, FRACTIONS):
        expected = np.array([closed(t) for t in steps.tolist()])
        np.testing.assert_allclose(schedule(steps), expected, rtol=1e-12, atol=1e-14)
    one = [schedule(t) for t in range(50)]
    every = schedule(np.arange(50).reshape(5, 10))
    np.testing.assert_allclose(every.ravel(), one, rtol=1e-15)  # a vectorised power may round the last bit otherwise
    assert every.dtype == np.float64
    assert type(schedule(3)) is float


def readable(text, t):
    """The value of a printed formula, read as Python; a name with a prime is one with an underscore."""
    words = {"min": min, "max": max, "floor": math.floor, "cos": math.cos, "sqrt": math.sqrt, "log": math.log, "pi": math.pi}
    code = text.replace("^", "**").replace("'", "_")
    body, _, meanings = code.partition(", where ")
    for name, meaning in re.findall(r"(\w+) = (.+?)(?=, \w+ = |$)", meanings):
        words[name] = eval(meaning, words, {"t": t})
    return eval(body, words, {"t": t})


@pytest.mark.parametrize(("schedule", "closed"), CLOSED[:-1], ids=IDS[:-1])
def test_the_printed_formula_is_the_schedule(schedule, closed):
    for t in (0, 1, 5.5, 8, 19, 25, 33, 39, 70):
        assert readable(str(schedule), t) == pytest.approx(closed(t), rel=1e-4, abs=1e-5), str(schedule)


def test_formulas_as_they_print():
    assert str(StepDecay(0.5, 5)) == "0.5^floor(t / 5)"
    assert str(Cosine(20, final=0.1)) == "0.1 + 0.9 * (1 + cos(pi * min(t, 20) / 20)) / 2"
    assert str(Warmup(4, PolynomialDecay(8))) == "0.2 + 0.8 * t / 4 if t < 4 else 1 - min(t - 4, 8) / 8"
    assert str(0.5 * Custom(math.sqrt)) == "sqrt(t) * 0.5"
    assert str(CosineRestarts(5)) == "(1 + cos(pi * u)) / 2, where n = floor(t / 5), u = (t - 5 * n) / 5"
    assert "n' = " in str(CosineRestarts(5) + CosineRestarts(7))
    assert str(Cosine(100, [0, 0.1])) == "[0, 0.1] + [1, 0.9] * (1 + cos(pi * min(t, 100) / 100)) / 2"
    assert "[0.1, 0.1, ..., 0.1]" in str(StepDecay([0.1] * 9))
    assert str(Plateau(0.5, 3)).startswith("0.5^k, where k counts the times that more than 3 metrics in a row were no better")


def test_latex():
    assert Cosine(20).latex == r"\frac{1 + \cos\left(\frac{\pi \, \min\left(t, 20\right)}{20}\right)}{2}"
    assert StepDecay(1e-7, 5).latex == r"\left(10^{-7}\right)^{\left\lfloor \frac{t}{5} \right\rfloor}"
    assert Warmup(4).latex == r"\begin{cases} 0.2 + \frac{0.8 \, t}{4} & t < 4 \\ 1 & \text{otherwise} \end{cases}"
    for schedule, _ in CLOSED:  # every bracket that opens closes
        text = schedule.latex
        assert text.count(r"\left") == text.count(r"\right")
        assert text.count("{") == text.count("}")
        assert text.count(r"\begin") == text.count(r"\end")


def test_nothing_rises_again_after_the_end():
    for schedule in (Cosine(100), PolynomialDecay(100), OneCycle(100, final=0), WarmupStableDecay(100)):
        assert schedule(np.arange(100, 400)).max() == 0.0


def test_restarts_begin_exactly_where_the_cycles_add_up():
    for mult in (2, 3, 1.1, 1.5, 10):
        begin, length = 0.0, 1.0
        schedule = CosineRestarts(T0=1, T_mult=mult)
        while begin < 1e6 and length < 1e6 and begin < 60 * length:
            at = schedule._begin(np.float64(round(math.log(length, mult))))
            exact = float(mult).is_integer()  # other powers may differ in their last bit
            assert schedule(at if exact else at * (1 + 1e-13)) == pytest.approx(1.0, abs=1e-9)
            assert at == 0 or schedule(np.nextafter(at, 0) if exact else at * (1 - 1e-13)) < 1e-9
            assert at == pytest.approx(begin, rel=1e-12)
            begin, length = begin + length, length * mult


# Lanes ------------------------------------------------------------------------------------------------------------------


def lane_cases():
    """Every schedule with every numeric field an array, its own default or a valid value for a lane apart."""
    values = {"T_mult": [1.0, 2.0, 1.5], "T0": [5, 6, 7], "rise": [0.2, 0.3, 0.4], "steps": [0.0, 3.0, 5.0], "warmup": [0, 2, 5]}
    values |= {"total": [30, 40, 50], "decay": [0.5, 0.7, 1.0], "value": [0.1, 0.5, 2.0], "start": [0.0, 0.1, 0.5]}
    for cls in (
        Constant, StepDecay, ExponentialDecay, Annealing, InverseTimeDecay, PolynomialDecay, Cosine, CosineRestarts, Triangular,
        OneCycle, WarmupStableDecay, Warmup,
    ):  # fmt: skip
        needed = {"total": 40, "steps": 3} & cls.bounds.keys()
        for name in cls.bounds:
            each = values.get(name, [0.2, 0.5, 0.9])
            each = [2, 4, 8] if cls is WarmupStableDecay and name == "decay" else each
            yield cls, {**{k: {"total": 40, "steps": 3}[k] for k in needed}, name: each}


@pytest.mark.parametrize(("cls", "given"), list(lane_cases()), ids=lambda v: v.__name__ if isinstance(v, type) else list(v)[-1])
def test_a_field_with_one_value_a_lane(cls, given):
    many = cls(**given)
    assert many.lanes == 3
    grid = np.arange(60).reshape(6, 10)
    for i in range(3):
        alone = many.lane(i)
        assert alone.lanes is None
        np.testing.assert_allclose(many(grid)[i], alone(grid), rtol=1e-15)
        np.testing.assert_allclose(many(7)[i], alone(7), rtol=1e-15)
    assert many(7).shape == (3,)
    assert many(grid).shape == (3, 6, 10)
    if many.cycles_momentum:
        np.testing.assert_array_equal(many.momentum(grid)[2], many.lane(2).momentum(grid))
    assert str(many)


def test_lanes_through_composition():
    many = Warmup(2, Cosine([10, 20]) * 0.5).then(StepDecay([0.1, 0.2]), at=[15, 25]) + np.array([0.0, 1.0])
    assert many.lanes == 2
    np.testing.assert_allclose(many(np.arange(40))[1], many.lane(1)(np.arange(40)), rtol=1e-15)
    assert (np.array([0.1, 0.2]) * Cosine(5)).lanes == 2
    with pytest.raises(BadValueError, match="must agree on their number, got total 2, final 3"):
        Cosine([10, 20], [0, 0.1, 0.2])
    with pytest.raises(BadValueError, match="must agree"):
        Cosine([10, 20]) + StepDecay([0.1, 0.2, 0.3])
    with pytest.raises(BadValueError, match=r"lane must be one of 0..1, got 2"):
        many.lane(2)


def test_lanes_are_values():
    torch = pytest.importorskip("torch")
    assert Cosine([10, 20]) == Cosine(np.array([10.0, 20.0])) == Cosine(torch.tensor([10.0, 20.0]))
    assert Cosine([10, 20]) != Cosine([10, 21]) != Cosine(10)
    assert len({Cosine([10, 20]), Cosine((10, 20)), Cosine(10)}) == 2
    with pytest.raises(ValueError, match="read-only"):
        Cosine([10, 20]).total[0] = 1


# Composition and units ----------------------------------------------------------------------------------------------------


def test_epochs_become_steps():
    assert StepDecay(0.1, 5).in_steps(100) == StepDecay(0.1, 500)
    assert Warmup(5, Cosine(15, 0.1), start=0.1).in_steps(10) == Warmup(50, Cosine(150, 0.1), 0.1)
    assert (Cosine(3) + CosineRestarts(2, 2)).in_steps(7) == Cosine(21) + CosineRestarts(14, 2)
    assert Triangular(up=2).in_steps(5) == Triangular(up=10)
    assert Cosine(3).then(Constant(), at=3).in_steps(2) == Cosine(6).then(Constant(), at=6)
    # Halving every 5 epochs is the same counted in steps and in epochs.
    by_step, by_epoch = StepDecay(every=5).in_steps(7), StepDecay(every=5)
    np.testing.assert_array_equal(by_step(np.arange(140)), by_epoch(np.arange(140) // 7))
    with pytest.raises(BadValueError, match="cannot be taken from epochs to steps"):
        Custom(math.sqrt).in_steps(5)
    with pytest.raises(BadValueError, match="steps_per_epoch must be > 0, got 0"):
        Cosine(5).in_steps(0)


def test_what_cannot_be_composed():
    with pytest.raises(BadValueError, match="second must be a schedule, got 'cosine'"):
        Cosine(5).then("cosine", at=3)
    with pytest.raises(BadValueError, match="both schedules set the momentum"):
        OneCycle(10) * OneCycle(10)
    with pytest.raises(BadValueError, match=r"not; put it outermost, around the rest: Plateau\(base=...\)"):
        Warmup(5, Plateau())
    for wrong in ("a", None, True):
        with pytest.raises(TypeError):
            Cosine(5) * wrong
    assert isinstance(Cosine(5) + 1, Sum)
    assert isinstance(1 * Cosine(5), Product)
    assert isinstance(Cosine(5).then(Constant(), 3), Then)


def test_momentum_swings_against_the_rate():
    cycle = OneCycle(40, 0.25, momenta=(0.8, 0.9))
    steps = np.arange(60)
    momentum = cycle.momentum(steps)
    assert momentum[0] == 0.9
    assert momentum[10] == pytest.approx(0.8, abs=1e-15)
    assert momentum[40:] == pytest.approx(0.9, abs=1e-15)
    share = (cycle(steps[:11]) - cycle(0)) / (1 - cycle(0))
    np.testing.assert_allclose(momentum[:11], 0.9 - 0.1 * share, rtol=1e-14)
    assert Cosine(5).momentum(3) is None
    assert cycle.without_momentum().momentum(3) is None
    np.testing.assert_array_equal(cycle.without_momentum()(steps), cycle(steps))
    # After a schedule of momentum comes another: momentum stays where it was left; before one, at its first value.
    np.testing.assert_allclose(cycle.then(Constant(), at=15).momentum(steps), np.append(momentum[:15], [momentum[15]] * 45))
    late = Warmup(5, cycle).momentum(steps)
    np.testing.assert_allclose(late, np.append([0.9] * 5, momentum[:-5]))
    assert (Warmup(5, cycle) * 0.5).without_momentum().momentum(3) is None


def test_a_schedule_of_ones_own_needs_a_formula_in_numpy_and_no_more():
    class Root(Schedule):
        def at(self, t):
            return 1 / np.sqrt(1 + t)

    assert str(Root()) == "1 / sqrt(1 + t)"
    assert (Root() * 2)(3) == 1.0
    assert Root().lane(4)(0) == 1.0


def test_every_named_schedule_is_closed_here():
    tested = {type(schedule) for schedule, _ in CLOSED} | {Plateau}
    for name in names():
        made = resolve("warmup:1" if name == "warmup" else name, 100, 10)
        assert type(made) in tested, name
