"""Schedules by name: the grammar, units, and every error."""

from __future__ import annotations

import numpy as np
import pytest

from slalom.core.errors import BadValueError, UnknownNameError
from slalom.schedules import (
    Annealing,
    Constant,
    Cosine,
    CosineRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    OneCycle,
    Plateau,
    PolynomialDecay,
    StepDecay,
    Triangular,
    Warmup,
    WarmupStableDecay,
    names,
    resolve,
)  # fmt: skip
from slalom.schedules.spec import defaults

SPECS = {
    "constant": Constant(),
    "constant:.5": Constant(0.5),
    "cosine": Cosine(200),
    "cosine:.01": Cosine(200, 0.01),
    "cosine:final=.01": Cosine(200, 0.01),
    "step": StepDecay(0.5, 50),
    "step:5": StepDecay(0.5, 50),
    "step:factor=.1,every=5": StepDecay(0.1, 50),
    "step: every = 5 , factor = .1": StepDecay(0.1, 50),
    "step:every=30steps": StepDecay(0.5, 30),
    "step:every=2 epochs": StepDecay(0.5, 20),
    "exponential:gamma=.95": ExponentialDecay(0.95, 10),
    "exponential:.9": ExponentialDecay(0.9, 10),
    "inverse:k=.5": InverseTimeDecay(0.5, 10),
    "polynomial:power=2": PolynomialDecay(200, 2),
    "polynomial:2,final=.1": PolynomialDecay(200, 2, 0.1),
    "warmup:5": Warmup(50),
    "warmup:.5": Warmup(5),
    "warmup:20steps": Warmup(20),
    "warmup:5,cosine": Warmup(50, Cosine(150)),
    "warmup:5,start=.1,cosine:final=.01": Warmup(50, Cosine(150, 0.01), 0.1),
    "warmup:5,step:factor=.1,every=2": Warmup(50, StepDecay(0.1, 20)),
    "annealing": Annealing(200),
    "annealing:.001": Annealing(200, 0.001),
    "inverse:k=2,power=.5": InverseTimeDecay(2, 10, 0.5),
    "restarts:5,T_mult=2,eta_min=.01,decay=.8": CosineRestarts(50, 2, 0.01, 0.8),
    "restarts": CosineRestarts(100),
    "triangular:4,mode=triangular2": Triangular(up=40, mode="triangular2"),
    "triangular:up=2,down=3,mode=exp_range,gamma=.999,low=.1,momenta=.8/.9": Triangular(
        0.1, 20, 30, "exp_range", 0.999, (0.8, 0.9)
    ),
    "onecycle": OneCycle(200),
    "onecycle:.4,shape=linear,three_phase=yes,momenta=off": OneCycle(200, 0.4, shape="linear", three_phase=True, momenta=None),
    "wsd": WarmupStableDecay(200),
    "wsd:4,warmup=2,shape=sqrt": WarmupStableDecay(200, 20, 40, shape="sqrt"),
    "plateau": Plateau(),
    "plateau:3,factor=.5,mode=max,threshold=.01,threshold_mode=abs,cooldown=2,floor=.001": Plateau(
        0.5, 3, "max", 0.01, "abs", 2, 0.001
    ),
    "warmup:5,plateau:3": Plateau(patience=3, base=Warmup(50)),
    "warmup:5,onecycle": Warmup(50, OneCycle(150)),
}


@pytest.mark.parametrize("text", SPECS)
def test_grammar(text):
    assert resolve(text, total_steps=200, steps_per_epoch=10) == SPECS[text]


def test_what_passes_through():
    assert resolve(None, 10, 5) == Constant()
    assert resolve(Cosine(7), 10, 5) == Cosine(7)
    mine = resolve(lambda step: 1 / (1 + step), 10, 5)
    assert mine(3) == 0.25
    np.testing.assert_array_equal(mine(np.array([[0, 1], [3, 7]])), [[1, 0.5], [0.25, 0.125]])


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("cosin", UnknownNameError, "there is no schedule 'cosin'; did you mean 'cosine'"),
        ("", UnknownNameError, "there is no schedule ''"),
        (".5", UnknownNameError, "there is no schedule"),
        ("factor=.5", BadValueError, "must start with a name: constant, step"),
        ("step:factr=.5", UnknownNameError, "did you mean 'factor'"),
        ("cosine:total=5", UnknownNameError, "no argument of schedule cosine 'total'"),
        ("step:factor=.5,factor=.2", BadValueError, "factor is given twice"),
        ("step:factor=x", BadValueError, "factor must be a number, got 'x'"),
        ("step:every=2weeks", BadValueError, "every must be a number of epochs"),
        ("step:every=0", BadValueError, "every must be > 0, got 0"),
        ("step:factor=1.5", BadValueError, r"factor must be in \[0, 1\], got 1.5"),
        ("step:factor=nan", BadValueError, r"factor must be in \[0, 1\], got nan"),
        ("exponential:gamma=-1", BadValueError, r"gamma must be in \[0, 1\]"),
        ("inverse:k=-1", BadValueError, "k must be >= 0"),
        ("polynomial:power=0", BadValueError, "power must be > 0"),
        ("polynomial:power=inf", BadValueError, "power must be > 0, got inf"),
        ("onecycle:shape=round", BadValueError, "shape must be one of cosine, linear, got 'round'"),
        ("onecycle:three_phase=maybe", BadValueError, "three_phase must be one of no, yes, got 'maybe'"),
        ("onecycle:momenta=.9", BadValueError, "momenta must be None or two numbers"),
        ("onecycle:momenta=a/b", BadValueError, "momenta must be a number, got 'a'"),
        ("onecycle:.5,three_phase=yes", BadValueError, "rise must be < 0.5 with three_phase"),
        ("onecycle:total=5", UnknownNameError, "no argument of schedule onecycle 'total'"),
        ("wsd:15,warmup=6", BadValueError, "warmup and decay must fit into total"),
        ("triangular:mode=square", BadValueError, "mode must be one of triangular, triangular2, exp_range"),
        ("restarts:T_mult=.5", BadValueError, "T_mult must be >= 1, got 0.5"),
        ("plateau:base=3", UnknownNameError, "no argument of schedule plateau 'base'"),
        ("warmup", BadValueError, "warmup needs its length in epochs"),
        ("warmup:-1", BadValueError, "steps must be >= 0"),
        ("warmup:20,cosine", BadValueError, "200 steps must be shorter than the 200 steps there are"),
        ("cosine,step:5", BadValueError, "only warmup is followed by another"),
    ],
)
def test_errors_say_what_is_allowed(text, error, says):
    with pytest.raises(error, match=says):
        resolve(text, total_steps=200, steps_per_epoch=10)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.1, None, "fast"])
def test_a_function_with_a_bad_factor_is_refused_at_once(value):
    with pytest.raises(BadValueError, match="factor at step 9 must be a finite number >= 0, got"):
        resolve(lambda step: 1.0 if step < 9 else value, total_steps=10, steps_per_epoch=5)


def test_a_function_is_checked_at_every_step():
    schedule = resolve(lambda step: -1.0 if step == 4 else 1.0, total_steps=10, steps_per_epoch=5)
    with pytest.raises(BadValueError, match="step 4"):
        schedule(4)


def test_other_bad_arguments():
    with pytest.raises(BadValueError, match="a function of the step or None, got 3"):
        resolve(3, 10, 5)
    with pytest.raises(BadValueError, match="total_steps must be a whole number >= 1, got 0"):
        resolve("cosine", 0, 5)
    with pytest.raises(BadValueError, match="counted from 0, got -1"):
        Cosine(5)(-1)
    with pytest.raises(BadValueError, match="then must be a schedule, got 'cosine'"):
        Warmup(5, "cosine")


def test_every_name_is_described_and_works():
    for name, line in names().items():
        assert name in line
        made = resolve("warmup:1" if name == "warmup" else name, 100, 10)
        assert (made.start() if name == "plateau" else made)(0) <= 1
        if name != "warmup":  # what the line shows is what the name alone gives
            written = ",".join(f"{key}={value}" for key, value in defaults(name).items())
            assert f"{name}:{written}" in line
            assert resolve(f"{name}:{written}", 100, 10) == made


def test_a_function_that_fails_says_how_it_is_called():
    with pytest.raises(BadValueError, match=r"at step 0 it raised TypeError: .*; it is called with the step"):
        resolve(lambda: 1.0, 20, 10)  # type: ignore[arg-type]
