"use strict";
// A range test: loss over learning rate, its three phases shaded, what is suggested marked.
{
  const { el, data, inside, number, lr } = slalom;
  slalom.rangeTest = (mount) => {
    const r = data.range_test, finite = r.loss.filter((v) => v !== null);
    const value = (v) => (v === null ? Infinity : v);
    const low = Math.min(...finite), drop = Number.isFinite(r.initial_loss) ? r.initial_loss - low : 0;
    const top = drop > 0 ? r.initial_loss + 0.5 * drop : Math.max(...finite);
    const span = top - low || Math.abs(top) || 1;
    const logs = r.lrs.every((v) => v > 0);
    const tip = slalom.tip(mount);
    let here = null;
    const phase = (v) => (r.slow_below !== null && v < r.slow_below ? "too slow" : r.diverging_from !== null && v >= r.diverging_from ? "diverging" : "useful");
    const tell = (i, at) => {
      here = i;
      const spread = r.low[i] !== null && r.high[i] !== null && r.low[i] !== r.high[i] ? `, over seeds ${number(r.low[i])} to ${number(r.high[i])}` : "";
      tip.show(null, [`lr ${lr(r.lrs[i])}: ${phase(r.lrs[i])}`, `${r.by} ${r.loss[i] === null ? "diverged" : number(r.loss[i])}${spread}`], at.x(r.lrs[i]), Math.max(0, Math.min(at.h, at.y(value(r.loss[i])))));
      chart.over();
    };
    const leave = () => { here = null; tip.hide(); chart?.over(); };
    const line = (ctx, at, values) => {
      let on = false;
      values.forEach((v, i) => {
        const x = at.x(r.lrs[i]), y = Math.max(-9e3, at.y(value(v)));
        if (!Number.isFinite(y)) { if (on) ctx.lineTo(x, -9); on = false; return; }
        if (on) ctx.lineTo(x, y); else ctx.moveTo(x, y);
        on = true;
      });
    };
    const spec = {
      x: { log: logs, label: () => "learning rate" }, y: { log: false, label: () => r.by }, name: "Range test: loss over learning rate. Arrow keys left and right move along it.",
      height: (w) => Math.round(Math.min(340, Math.max(240, w * 0.5))), right: () => 14,
      ranges: () => ({ x: [r.lrs[0] / (logs ? 1.2 : 1), r.lrs.at(-1) * 1.2], y: [low - 0.06 * span, top + 0.04 * span] }),
      paint: (ctx, at) => inside(ctx, at, () => {
        const x = (v, edge) => (v === null ? edge : Math.max(0, Math.min(at.w, at.x(v))));
        const from = x(r.slow_below, 0), to = x(r.diverging_from, at.w);
        for (const [a, b, colour, text] of [[0, from, "--phase-slow", "too slow"], [from, to, "--phase-useful", "useful"], [to, at.w, "--phase-bad", "diverging"]]) {
          if (b - a < 1) continue;
          ctx.fillStyle = slalom.css(colour);
          ctx.fillRect(a, 0, b - a, at.h);
          if (b - a < ctx.measureText(text).width + 8) continue;
          ctx.fillStyle = slalom.css("--muted");
          ctx.textAlign = "center";
          ctx.fillText(text, (a + b) / 2, 14);
        }
        ctx.strokeStyle = ctx.fillStyle = slalom.css("--accent");
        if (r.low.some((v, i) => v !== r.high[i])) {
          ctx.globalAlpha = 0.35;
          ctx.lineWidth = 1;
          for (const edge of [r.low, r.high]) { ctx.beginPath(); line(ctx, at, edge); ctx.stroke(); }
          ctx.globalAlpha = 1;
        }
        ctx.lineWidth = 2;
        ctx.beginPath();
        line(ctx, at, r.loss);
        ctx.stroke();
        if (r.interval) {
          const [a, b] = r.interval.map(at.x);
          ctx.strokeStyle = slalom.css("--ink");
          ctx.lineWidth = 1.6;
          ctx.beginPath();
          ctx.moveTo(a, at.h - 9); ctx.lineTo(b, at.h - 9);
          for (const end of [a, b]) { ctx.moveTo(end, at.h - 13); ctx.lineTo(end, at.h - 5); }
          ctx.stroke();
        }
        if (r.suggestion !== null) {
          const a = at.x(r.suggestion), text = `suggested ${lr(r.suggestion)}`, right = a + 8 + ctx.measureText(text).width < at.w;
          ctx.strokeStyle = ctx.fillStyle = slalom.css("--ink");
          ctx.lineWidth = 1.2;
          ctx.setLineDash([4, 3]);
          ctx.beginPath();
          ctx.moveTo(a, 22); ctx.lineTo(a, at.h);
          ctx.stroke();
          ctx.setLineDash([]);
          ctx.textAlign = right ? "left" : "right";
          ctx.fillText(text, a + (right ? 6 : -6), 32);
        }
        ctx.textAlign = "left";
      }),
      over: (ctx, at) => {
        if (here === null) return;
        ctx.beginPath();
        ctx.arc(at.x(r.lrs[here]), Math.max(0, at.y(value(r.loss[here]))), 5, 0, 7);
        ctx.fillStyle = slalom.css("--accent");
        ctx.fill();
      },
      hover: (px, _, at) => {
        let best = 0;
        r.lrs.forEach((v, i) => { if (Math.abs(at.x(v) - px) < Math.abs(at.x(r.lrs[best]) - px)) best = i; });
        tell(best, at);
      },
      leave, click: () => {},
      key: (name, at) => {
        if (name !== "ArrowLeft" && name !== "ArrowRight") return false;
        tell(Math.max(0, Math.min(r.lrs.length - 1, here === null ? 0 : here + (name === "ArrowLeft" ? -1 : 1))), at);
        return true;
      },
    };
    let chart = null;
    mount.before(el("p", { class: "hint" }, `${r.optimizer}, ${r.method}. ${r.advice}`));
    chart = slalom.plot(mount, spec);
    const others = Object.entries(r.suggestions).filter(([, v]) => v !== null);
    if (others.length) mount.after(el("p", { class: "hint" }, `By rule: ${others.map(([k, v]) => `${k} ${lr(v)}`).join(", ")}.`));
  };
}
