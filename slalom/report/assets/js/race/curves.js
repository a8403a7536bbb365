"use strict";
// The curves of all lanes. Lanes at their rule's best lr are drawn strong, the others thin.
{
  const { el, data, curveData, inside } = slalom;
  const { lanes, rules, metric, higher } = data;
  const NEAR = 40; // pixels within which a curve counts as pointed at

  const smoothed = (curve, weight) => { // exponential moving average without the start's bias; gaps stay gaps
    if (!weight) return curve;
    let mean = 0, mass = 0;
    return curve.map((v) => {
      if (!Number.isFinite(v)) return v;
      mean = weight * mean + (1 - weight) * v;
      mass = weight * mass + (1 - weight);
      return mean / mass;
    });
  };
  const rank = (rule) => slalom.rowOf(rule)?.rank ?? Infinity;
  const quantile = (values, q) => values.sort((a, b) => a - b)[Math.round(q * (values.length - 1))];

  // Abscissae in seconds, one array a heat: its lanes share a clock. Between the ends of epochs a step's time is even.
  const clocks = { train: [], val: [] };
  const wind = () => {
    clocks.train.length = clocks.val.length = 0;
    for (const ends of data.clock ? data.clock.heats : []) {
      const epochs = [0, ...data.curves.val_epochs], seconds = [0, ...ends.map((v) => v ?? NaN)];
      const at = (epoch) => {
        const i = Math.max(1, epochs.findIndex((e) => e >= epoch));
        return seconds[i - 1] + ((seconds[i] - seconds[i - 1]) * (epoch - epochs[i - 1])) / (epochs[i] - epochs[i - 1]);
      };
      clocks.train.push(data.curves.train_steps.map((s) => at(s / data.curves.steps_per_epoch)));
      clocks.val.push(data.curves.val_epochs.map(at));
    }
  };
  wind();

  slalom.curves = (mount) => {
    const view = { what: "train", log: true, all: true, weight: 0.6, whole: false, time: false };
    const shared = () => curveData[view.what].x;
    const timed = () => clocks[view.what === "train" ? "train" : "val"];
    const xs = (k) => (view.time ? timed()[data.clock.lanes[k]] : shared());
    const axes = { x: { log: false, get whole() { return !view.time; }, label: () => (view.time ? "seconds since the heat began" : view.what === "train" ? "training step" : "epoch") },
      y: { log: true, label: () => ({ train: "training loss", val: "validation loss", metric: `validation ${metric}` })[view.what] } };
    let ys = [], visible = [], limits = null, outside = 0;

    const prepare = () => {
      const { y } = curveData[view.what];
      ys = y.map((curve) => smoothed(curve, view.what === "train" ? view.weight : 0));
      axes.y.log = view.log && (view.what !== "metric" || !higher) && !ys.some((curve) => curve.some((v) => v < 0));
      choose();
    };
    const choose = () => {
      visible = [];
      for (let k = 0; k < lanes.rule.length; k++) if (slalom.shown(lanes.rule[k]) && (view.all || lanes.best[k])) visible.push(k);
      let low = Infinity, high = -Infinity;
      const firsts = [];
      for (const k of visible) {
        firsts.push(...ys[k].slice(0, 1).filter(Number.isFinite));
        for (const v of ys[k]) if (Number.isFinite(v) && (!axes.y.log || v > 0)) { low = Math.min(low, v); high = Math.max(high, v); }
      }
      if (low > high) [low, high] = axes.y.log ? [0.1, 1] : [0, 1];
      // Lanes that explode would flatten all others: the picture ends a little above where training began.
      const cap = (view.what === "metric" && higher) || !firsts.length ? Infinity : quantile(firsts, 0.5) * (axes.y.log ? 3 : 1.4);
      const end = !view.whole && cap > low && high > cap ? cap : high;
      outside = visible.filter((k) => ys[k].some((v) => v > end)).length;
      if (axes.y.log) {
        low = Math.max(low, end / 1e8);
        limits = low < end ? [low / (end / low) ** 0.03, end * (end / low) ** 0.03] : [low / 2, low * 2];
      } else {
        const pad = 0.04 * (end - low) || Math.abs(low) || 1;
        limits = [view.what === "metric" || low < 0 ? low - pad : Math.max(0, low - pad), end + pad];
      }
      const x = shared(), most = view.time ? timed().flat().filter(Number.isFinite).reduce((p, q) => Math.max(p, q), 0) : 0;
      const [a, b] = view.time ? [0, most || 1] : [x[0] ?? 0, x.at(-1) ?? 1];
      spec.xs = view.time ? [a, b] : a < b ? [a - (view.what === "train" ? 1 : 0), b] : [a - 0.5, a + 0.5];
    };

    const trace = (ctx, at, k) => {
      const x = xs(k);
      let on = false;
      const y = ys[k];
      for (let j = 0; j < y.length; j++) {
        if (!Number.isFinite(y[j])) { on = false; continue; }
        const px = at.x(x[j]), py = Math.min(Math.max(at.y(y[j]), -9e3), 9e3);
        if (on) ctx.lineTo(px, py);
        else if (Number.isFinite(y[j + 1])) ctx.moveTo(px, py);
        else { ctx.moveTo(px - 1, py); ctx.lineTo(px + 1, py); } // a point alone
        on = true;
      }
    };
    const last = (k) => { let j = ys[k].length - 1; while (j >= 0 && !Number.isFinite(ys[k][j])) j--; return j; };
    const stroke = (ctx, at, group, width, alpha, dashed) => {
      const byRule = new Map();
      for (const k of group) byRule.has(lanes.rule[k]) ? byRule.get(lanes.rule[k]).push(k) : byRule.set(lanes.rule[k], [k]);
      for (const [rule, mine] of [...byRule].sort(([a], [b]) => (rank(b) > rank(a)) - (rank(b) < rank(a)))) { // the leader on top
        ctx.beginPath();
        for (const k of mine) trace(ctx, at, k);
        ctx.strokeStyle = slalom.colour(rule);
        ctx.setLineDash(dashed ? slalom.dash(rule) : []);
        ctx.lineWidth = width;
        ctx.globalAlpha = alpha;
        ctx.stroke();
      }
      ctx.setLineDash([]);
      ctx.globalAlpha = 1;
    };
    // A cross where a retired lane ended.
    const crosses = (ctx, at, group, size) => {
      ctx.lineWidth = 1.6;
      for (const k of group) {
        const j = lanes.status[k] === "retired" ? last(k) : -1;
        if (j < 0) continue;
        const px = at.x(xs(k)[j]), py = Math.max(at.y(ys[k][j]), size + 1);
        ctx.strokeStyle = slalom.colour(lanes.rule[k]);
        ctx.beginPath();
        ctx.moveTo(px - size, py - size); ctx.lineTo(px + size, py + size);
        ctx.moveTo(px - size, py + size); ctx.lineTo(px + size, py - size);
        ctx.stroke();
      }
    };
    // The rules' names where their best lanes end, pushed apart so that none covers another.
    const names = (ctx, at, lit) => {
      if (spec.right(mount.clientWidth) < 60) return;
      const ends = [];
      for (const rule of rules.keys()) {
        const values = visible.filter((k) => lanes.rule[k] === rule && lanes.best[k]).map((k) => at.y(ys[k].at(-1))).filter((v) => v >= -8 && v <= at.h + 8);
        if (values.length) ends.push({ rule, y: values.reduce((a, b) => a + b) / values.length });
      }
      ends.sort((a, b) => a.y - b.y);
      const gap = Math.min(15, at.h / Math.max(ends.length, 1));
      ends.forEach((e, i) => { e.at = i ? Math.max(e.y, ends[i - 1].at + gap) : Math.max(e.y, 6); });
      for (let i = ends.length - 1, floor = at.h - 4; i >= 0; floor = ends[i].at - gap, i--) ends[i].at = Math.min(ends[i].at, floor);
      ctx.textBaseline = "middle";
      for (const e of ends) {
        ctx.globalAlpha = !lit || lit.rule === e.rule ? 1 : 0.25;
        ctx.strokeStyle = slalom.colour(e.rule);
        ctx.lineWidth = 1;
        ctx.beginPath();
        ctx.moveTo(at.w + 2, e.y); ctx.lineTo(at.w + 12, e.at);
        ctx.stroke();
        slalom.marker(ctx, e.rule, at.w + 17, e.at, 4);
        ctx.fillStyle = slalom.css("--ink");
        const name = rules[e.rule];
        ctx.fillText(name.length > 14 ? `${name.slice(0, 6)}…${name.slice(-7)}` : name, at.w + 27, e.at);
      }
      ctx.globalAlpha = 1;
    };

    const tip = slalom.tip(mount);
    let here = null; // {lane, j}: what the tip speaks of
    const tell = (k, j, at) => {
      here = { lane: k, j };
      slalom.point({ rule: lanes.rule[k], lr: lanes.lr[k], lane: k });
      const { y } = curveData[view.what], x = shared();
      const lines = [rules[lanes.rule[k]], `lr ${slalom.lr(lanes.lr[k])}, seed ${lanes.seed[k]}${lanes.best[k] ? ", at the best lr" : ""}`,
        `${view.what === "train" ? "step" : "epoch"} ${x[j]}${view.time ? ` (${slalom.number(xs(k)[j], 3)} s)` : ""}, ${axes.y.label()} ${slalom.number(y[k][j])}`];
      if (view.weight && view.what === "train") lines.push(`smoothed ${slalom.number(ys[k][j])}`);
      if (lanes.status[k] !== "finished") lines.push(`${lanes.status[k]} after step ${curveData.train.x[last(k)] ?? 0}`);
      tip.show(lanes.rule[k], lines, at.x(xs(k)[j]), Math.min(Math.max(at.y(ys[k][j]), 0), at.h));
      chart.over();
    };
    const index = (px, at, x) => {
      let best = 0;
      for (let j = 1; j < x.length; j++) if (Math.abs(at.x(x[j]) - px) < Math.abs(at.x(x[best]) - px)) best = j;
      return best;
    };
    const leave = () => { here = null; tip.hide(); slalom.point(null); };

    const spec = {
      ...axes, name: "Curves of all lanes. Arrow keys left and right move along a curve, up and down to the next curve.",
      height: (w) => Math.round(Math.min(480, Math.max(300, w * 0.4))),
      right: (w) => (w > 640 ? 128 : 12),
      ranges: () => ({ x: spec.xs, y: limits }),
      paint: (ctx, at) => {
        inside(ctx, at, () => {
          if (view.all) stroke(ctx, at, visible.filter((k) => !lanes.best[k]), 1, visible.length > 60 ? 0.3 : 0.6, false);
          stroke(ctx, at, visible.filter((k) => lanes.best[k]), 1.7, 1, view.what !== "train" || view.weight > 0.8);
          crosses(ctx, at, visible, 3.5);
        });
      },
      over: (ctx, at) => {
        const h = slalom.highlight();
        const lit = slalom.lanesOf(h).filter((k) => slalom.shown(lanes.rule[k]));
        chart?.fade(lit.length > 0);
        inside(ctx, at, () => {
          if (h && h.lane !== undefined) stroke(ctx, at, lit.length ? slalom.lanesOf({ rule: h.rule, lr: h.lr }) : [], 1.2, 0.7, false);
          stroke(ctx, at, lit, 2.4, 1, false);
          crosses(ctx, at, lit, 5);
          if (here && ys[here.lane]) {
            ctx.beginPath();
            ctx.arc(at.x(xs(here.lane)[here.j]), at.y(ys[here.lane][here.j]), 4.5, 0, 7);
            ctx.fillStyle = slalom.colour(lanes.rule[here.lane]);
            ctx.fill();
            ctx.strokeStyle = slalom.css("--card");
            ctx.stroke();
          }
        });
        names(ctx, at, lit.length ? h : null);
      },
      hover: (px, py, at) => {
        const nearest = new Map(); // the sample of each clock that is under the pointer
        let best = null, distance = NEAR, j = 0;
        for (const k of visible) {
          const x = xs(k);
          if (!nearest.has(x)) nearest.set(x, index(px, at, x));
          const i = nearest.get(x), d = Math.abs(at.y(ys[k][i]) - py);
          if (d < distance) [best, distance, j] = [k, d, i];
        }
        if (best === null) leave();
        else tell(best, j, at);
      },
      leave,
      click: () => here && slalom.pin({ rule: lanes.rule[here.lane], lr: lanes.lr[here.lane], lane: here.lane }),
      key: (name, at) => {
        const n = shared().length;
        if (!name.startsWith("Arrow") || !visible.length || !n) return false;
        const now = here && visible.includes(here.lane) ? here : { lane: visible.find((k) => lanes.best[k]) ?? visible[0], j: n - 1 };
        const jump = Math.max(1, Math.round(n / 60));
        if (name === "ArrowLeft" || name === "ArrowRight")
          tell(now.lane, Math.min(n - 1, Math.max(0, now.j + (here ? (name === "ArrowLeft" ? -jump : jump) : 0))), at);
        else {
          const order = visible.filter((k) => Number.isFinite(ys[k][now.j])).sort((a, b) => ys[b][now.j] - ys[a][now.j]);
          const next = order[order.indexOf(now.lane) + (name === "ArrowDown" ? 1 : -1)];
          tell(next ?? now.lane, now.j, at);
        }
        return true;
      },
    };

    let chart = null;
    const info = el("span", {});
    const wholeButton = el("button", { type: "button", class: "link", onclick: () => { view.whole = !view.whole; again(choose, true); } });
    const footer = el("p", { class: "hint" }, info, " ", wholeButton);
    const again = (step, rebuild) => {
      here = null;
      tip.hide();
      step();
      if (rebuild) chart.build();
      else chart.redraw();
      say();
    };
    const say = () => {
      const c = data.curves, stride = view.what === "train" ? c.train_stride : c.val_stride;
      info.textContent = [slalom.count(visible.length, "curve"), stride > 1 ? `${shared().length} of ${slalom.count(shared().at(-1), view.what === "train" ? "step" : "epoch")} shown` : "",
        visible.some((k) => lanes.status[k] === "retired") ? "× marks where a lane was retired" : "",
        outside ? `${slalom.count(outside, "curve")} leave${outside === 1 ? "s" : ""} the top.` : ""].filter(Boolean).join("; ");
      wholeButton.textContent = view.whole ? "Cut at the start's level" : "Show their whole range";
      wholeButton.hidden = !outside && !view.whole;
      logs.hidden = view.what === "metric" && higher;
      slider.hidden = view.what !== "train";
    };
    const logs = slalom.choice("Vertical axis", [[true, "log"], [false, "linear"]], true, (v) => { view.log = v; again(prepare, true); });
    const range = el("input", { type: "range", min: 0, max: 0.98, step: 0.01, value: view.weight, oninput: () => {
      view.weight = Number(range.value);
      weight.textContent = view.weight ? view.weight.toFixed(2) : "off";
      again(prepare, false);
    } });
    const weight = el("output", {}, view.weight.toFixed(2));
    const slider = el("label", { class: "slider" }, "smoothing", range, weight);
    mount.before(el("div", { class: "tools" },
      slalom.choice("Curve", [["train", "train loss"], ["val", "val loss"], ["metric", `val ${metric}`]], "train", (v) => { view.what = v; again(prepare, true); }),
      slalom.choice("Lanes", [[true, "all lanes"], [false, "best lr only"]], true, (v) => { view.all = v; again(choose, true); }), logs,
      data.clock || data.live ? slalom.choice("Horizontal axis", [[false, "steps"], [true, "time"]], false, (v) => { view.time = v; again(choose, true); }) : null, slider));
    mount.after(footer);
    prepare();
    chart = slalom.plot(mount, spec);
    say();
    slalom.on("shown", () => again(choose, false));
    slalom.on("data", () => { // a zoom stays, and so does what is pointed at
      wind();
      if (view.time && !data.clock) view.time = false;
      prepare();
      if (here && !(here.lane < ys.length && here.j < shared().length)) { here = null; tip.hide(); }
      chart.redraw();
      say();
    });
  };
}
