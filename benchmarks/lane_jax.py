"""The timed cases in JAX: jit(vmap) of a step with Adam, all steps in one scan. Runs in a process of its own."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import Any

from benchmarks.lane_cases import CASES

_state: dict[str, Any] = {}
STEPS = 10


def _models() -> dict[str, Any]:
    """`(init(key) -> parameters, apply(parameters, x) -> logits)` of each case."""
    import jax
    import jax.numpy as jnp

    def dense(key: Any, i: int, o: int) -> Any:
        return jax.random.uniform(key, (i, o), minval=-1, maxval=1) / i**0.5, jnp.zeros(o)

    def mlp(h: int) -> Any:
        def init(key: Any) -> Any:
            a, b, c = jax.random.split(key, 3)
            return dense(a, 64, h), dense(b, h, h), dense(c, h, 10)

        def apply(p: Any, x: Any) -> Any:
            for w, b in p[:-1]:
                x = jax.nn.relu(x @ w + b)
            return x @ p[-1][0] + p[-1][1]

        return init, apply

    def conv(x: Any, w: Any, b: Any) -> Any:
        y = jax.lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=("NCHW", "OIHW", "NCHW"))
        y = jax.nn.relu(y + b[:, None, None])
        return jax.lax.reduce_window(y, -jnp.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")

    def cnn_init(key: Any) -> Any:
        a, b, c = jax.random.split(key, 3)
        first = jax.random.normal(a, (8, 1, 3, 3)) / 3, jnp.zeros(8)
        return first, (jax.random.normal(b, (16, 8, 3, 3)) / 9, jnp.zeros(16)), dense(c, 64, 10)

    def cnn(p: Any, x: Any) -> Any:
        h = conv(conv(x, *p[0]), *p[1])
        return h.reshape(len(x), -1) @ p[2][0] + p[2][1]

    def gru_init(key: Any) -> Any:
        a, b, c = jax.random.split(key, 3)
        return dense(a, 8, 72), dense(b, 24, 72), dense(c, 24, 10)

    def gru(p: Any, x: Any) -> Any:
        (wi, bi), (wh, bh), (wo, bo) = p
        gates = jnp.swapaxes(x @ wi + bi, 0, 1)

        def cell(h: Any, g: Any) -> Any:
            own = h @ wh + bh
            rz = jax.nn.sigmoid(g[:, :48] + own[:, :48])
            n = jnp.tanh(g[:, 48:] + rz[:, :24] * own[:, 48:])
            return n + rz[:, 24:] * (h - n), None

        h, _ = jax.lax.scan(cell, jnp.zeros((len(x), 24)), gates)
        return h @ wo + bo

    def norm(x: Any, w: Any, b: Any) -> Any:
        x = x - x.mean(-1, keepdims=True)
        return x / jnp.sqrt((x * x).mean(-1, keepdims=True) + 1e-5) * w + b

    def encoder_init(key: Any) -> Any:
        keys = jax.random.split(key, 12)
        sizes = ((32, 96), (32, 32), (32, 64), (64, 32))
        layers = [[dense(keys[4 * k + j], *s) for j, s in enumerate(sizes)] + [(jnp.ones(32), jnp.zeros(32))] * 2 for k in (0, 1)]
        return dense(keys[8], 8, 32), jax.random.normal(keys[9], (16, 32)), layers, dense(keys[10], 32, 10)

    def encoder(p: Any, x: Any) -> Any:
        embed, place, layers, head = p
        h = x @ embed[0] + embed[1] + place
        for qkv, out, up, down, first, second in layers:
            q, k, v = (t.reshape(len(x), 16, 4, 8).swapaxes(1, 2) for t in jnp.split(h @ qkv[0] + qkv[1], 3, -1))
            weights = jax.nn.softmax(q @ k.swapaxes(2, 3) / 8**0.5)
            mixed = (weights @ v).swapaxes(1, 2).reshape(len(x), 16, 32)
            h = norm(h + mixed @ out[0] + out[1], *first)
            h = norm(h + jax.nn.relu(h @ up[0] + up[1]) @ down[0] + down[1], *second)
        return h.mean(1) @ head[0] + head[1]

    return {
        "mlp 32": mlp(32), "mlp 64": mlp(64), "mlp 256": mlp(256), "cnn": (cnn_init, cnn), "gru": (gru_init, gru),
        "transformer": (encoder_init, encoder),
    }  # fmt: skip


def prepare(name: str, devices: int, platform: str = "cpu", lanes: int | None = None) -> None:
    """Compiles the case for `devices` devices of a platform, in a process that has not imported jax yet; `lanes`: not its own."""
    if platform == "cpu":
        os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={devices}"
    os.environ["JAX_PLATFORMS"] = platform
    import jax
    import jax.numpy as jnp

    case = CASES[name]
    case = case if lanes is None else replace(case, lanes=lanes)
    init, apply = _models()[name]
    x, y = (jnp.asarray(t.numpy()) for t in case.data())

    def loss(p: Any, index: Any) -> Any:
        logits = jax.nn.log_softmax(apply(p, x[index]))
        return -jnp.take_along_axis(logits, y[index][:, None], 1).mean()

    def step(carry: Any, index: Any) -> Any:
        p, m, v, t = carry
        value, g = jax.value_and_grad(loss)(p, index)
        t = t + 1
        m = jax.tree.map(lambda a, b: 0.9 * a + 0.1 * b, m, g)
        v = jax.tree.map(lambda a, b: 0.999 * a + 0.001 * b * b, v, g)
        c, d = 1e-3 / (1 - 0.9**t), 1 / jnp.sqrt(1 - 0.999**t)
        p = jax.tree.map(lambda a, b, s: a - c * b / (jnp.sqrt(s) * d + 1e-8), p, m, v)
        return (p, m, v, t), value

    def run(carry: Any, index: Any) -> Any:
        return jax.lax.scan(jax.vmap(step), carry, index)

    keys = jax.random.split(jax.random.key(0), case.lanes)
    p = jax.vmap(init)(keys)
    carry = p, jax.tree.map(jnp.zeros_like, p), jax.tree.map(jnp.zeros_like, p), jnp.zeros(case.lanes)
    index = jax.random.randint(jax.random.key(1), (STEPS, case.lanes, case.batch), 0, len(x))
    if devices > 1:
        each = case.lanes // devices
        carry = jax.tree.map(lambda a: a.reshape(devices, each, *a.shape[1:]), carry)
        index = index.reshape(STEPS, devices, each, case.batch).swapaxes(0, 1)
        program = jax.pmap(run, devices=jax.devices()[:devices])
    else:
        program = jax.jit(run)
    jax.block_until_ready(program(carry, index))
    _state.update(program=program, carry=carry, index=index, lanes=case.lanes)


def run(seconds: float, clock: str) -> float:
    """Microseconds per lane-step."""
    import jax

    now, count = {"wall": time.perf_counter, "core": time.process_time}[clock], 0
    begin = now()
    while now() - begin < seconds:
        _state["carry"], _ = jax.block_until_ready(_state["program"](_state["carry"], _state["index"]))
        count += STEPS
    return (now() - begin) / count / _state["lanes"] * 1e6
