"use strict";
// Validation metric against learning rate: a line a rule, mean and spread over seeds; the chosen lr with its interval.
{
  const { el, data, inside, contest } = slalom;
  const { responses, rules, metric, higher } = data;

  slalom.lrChart = (mount) => {
    const view = { relative: false, whole: false };
    const shift = (r) => (view.relative && r.lr ? r.lr : 1);
    const drawn = (i) => slalom.shown(i) && !(view.relative && !responses[i].lr);

    const tip = slalom.tip(mount);
    let here = null;
    const tell = (rule, i, at) => {
      const r = responses[rule];
      here = { rule, i };
      slalom.point({ rule, lr: r.lrs[i] });
      const lines = [rules[rule], `lr ${slalom.lr(r.lrs[i])}${r.lrs[i] === r.lr ? ", the best" : ""}`,
        `validation ${metric} ${slalom.number(r.mean[i])}${Number.isFinite(r.sd[i]) ? ` ± ${slalom.number(r.sd[i], 2)}` : ""}`,
        `${r.finished[i]} of ${r.finished[i] + r.retired[i]} seeds finished`];
      if (r.lrs[i] === r.lr) lines.push(`as good: ${slalom.lr(r.lr_low)} to ${slalom.lr(r.lr_high)}`);
      tip.show(rule, lines, at.x(r.lrs[i] / shift(r)), Math.min(at.y(r.mean[i]), at.h));
    };
    const leave = () => { here = null; tip.hide(); slalom.point(null); };

    const line = (ctx, at, rule, width, strong) => {
      const r = responses[rule], x = r.lrs.map((v) => at.x(v / shift(r)));
      ctx.strokeStyle = slalom.colour(rule);
      ctx.setLineDash(slalom.dash(rule));
      ctx.lineWidth = width;
      ctx.beginPath();
      let on = false;
      r.mean.forEach((v, i) => {
        if (!Number.isFinite(v)) { on = false; return; }
        if (on) ctx.lineTo(x[i], at.y(v));
        else ctx.moveTo(x[i], at.y(v));
        on = true;
      });
      ctx.stroke();
      ctx.setLineDash([]);
      const bar = (px, v, sd, w, cap) => {
        if (!Number.isFinite(sd)) return;
        ctx.lineWidth = w;
        ctx.beginPath();
        ctx.moveTo(px, at.y(v - sd)); ctx.lineTo(px, at.y(v + sd));
        for (const end of [v - sd, v + sd]) { ctx.moveTo(px - cap, at.y(end)); ctx.lineTo(px + cap, at.y(end)); }
        ctx.stroke();
      };
      r.mean.forEach((v, i) => {
        if (!Number.isFinite(v)) return;
        const chosen = r.lrs[i] === r.lr;
        ctx.strokeStyle = slalom.colour(rule); // a marker leaves its own behind
        bar(x[i], v, r.sd[i], chosen || strong ? 1.6 : 1, chosen ? 4 : 2.5);
        if (chosen) {
          const [a, b] = [at.x(r.lr_low / shift(r)), at.x(r.lr_high / shift(r))];
          ctx.lineWidth = strong ? 3 : 1.3;
          ctx.beginPath();
          ctx.moveTo(a, at.y(v)); ctx.lineTo(b, at.y(v));
          for (const end of [a, b]) { ctx.moveTo(end, at.y(v) - 5); ctx.lineTo(end, at.y(v) + 5); }
          ctx.stroke();
        }
        slalom.marker(ctx, rule, x[i], at.y(v), chosen ? 6 : 3);
      });
    };

    const spec = {
      x: { log: slalom.logLr, label: () => (view.relative ? "learning rate ÷ the rule's best" : "learning rate") },
      y: { log: false, label: () => `validation ${metric}` },
      name: "Validation metric against learning rate. Arrow keys left and right move along a rule, up and down to the next rule.",
      height: (w) => Math.round(Math.min(460, Math.max(300, w * 0.5))),
      right: () => 14,
      ranges: () => {
        let low = view.whole ? contest.bottom : contest.low, high = contest.top;
        if (!contest.any) [low, high] = [0, 1];
        const chosen = responses.flatMap((r, k) => (drawn(k) ? r.mean.map((v, i) => (r.lrs[i] === r.lr ? [v - (r.sd[i] || 0), v + (r.sd[i] || 0)] : [])) : [])).flat().filter(Number.isFinite);
        [low, high] = [Math.min(low, high, ...chosen), Math.max(low, high, ...chosen)];
        const pad = 0.04 * (high - low) || Math.abs(high) || 1;
        const xs = responses.filter((r, k) => drawn(k)).flatMap((r) => r.lrs.map((v) => v / shift(r)));
        let [a, b] = xs.length ? [Math.min(...xs), Math.max(...xs)] : slalom.lrRange;
        if (slalom.logLr) [a, b] = [a / 1.4, b * 1.4];
        else [a, b] = [a - 0.05 * (b - a || 1), b + 0.05 * (b - a || 1)];
        return { x: [a, b], y: [low - pad, high + pad] };
      },
      paint: (ctx, at) => inside(ctx, at, () => {
        for (const rule of [...rules.keys()].reverse()) if (drawn(rule)) line(ctx, at, rule, 1.5, false);
      }),
      over: (ctx, at) => {
        const h = slalom.highlight();
        const lit = h && drawn(h.rule) ? h : null;
        chart?.fade(Boolean(lit));
        if (!lit) return;
        inside(ctx, at, () => {
          line(ctx, at, lit.rule, 2.6, true);
          const r = responses[lit.rule], i = r.lrs.indexOf(lit.lr);
          if (i < 0 || !Number.isFinite(r.mean[i])) return;
          ctx.beginPath();
          ctx.arc(at.x(r.lrs[i] / shift(r)), at.y(r.mean[i]), 9, 0, 7);
          ctx.lineWidth = 2;
          ctx.strokeStyle = slalom.css("--ink");
          ctx.stroke();
        });
      },
      hover: (px, py, at) => {
        let best = null, distance = 30;
        responses.forEach((r, rule) => drawn(rule) && r.mean.forEach((v, i) => {
          const d = Math.hypot(at.x(r.lrs[i] / shift(r)) - px, at.y(v) - py);
          if (d < distance) [best, distance] = [[rule, i], d];
        }));
        if (best) tell(...best, at);
        else leave();
      },
      leave,
      click: () => here && slalom.pin({ rule: here.rule, lr: responses[here.rule].lrs[here.i] }),
      key: (name, at) => {
        const order = [...data.rows.map(slalom.ruleOf), ...rules.keys()].filter((rule, i, all) => drawn(rule) && all.indexOf(rule) === i);
        if (!name.startsWith("Arrow") || !order.length) return false;
        const start = (rule) => Math.max(0, responses[rule].lrs.indexOf(responses[rule].lr));
        let { rule, i } = here && drawn(here.rule) ? here : { rule: order[0], i: start(order[0]) };
        if (here && (name === "ArrowLeft" || name === "ArrowRight"))
          i = Math.min(responses[rule].lrs.length - 1, Math.max(0, i + (name === "ArrowLeft" ? -1 : 1)));
        else if (here) {
          rule = order[Math.min(order.length - 1, Math.max(0, order.indexOf(rule) + (name === "ArrowDown" ? 1 : -1)))];
          i = start(rule);
        }
        tell(rule, i, at);
        return true;
      },
    };
    let chart = null;
    const wholeText = () => (view.whole ? "whole range" : "near the best");
    const tools = el("div", { class: "tools" },
      slalom.choice("Horizontal axis", [[false, "learning rate"], [true, "÷ the rule's best"]], false, (v) => { view.relative = v; chart.build(); }),
      !contest.any || contest.low === contest.bottom ? null : slalom.choice("Vertical axis", [[false, "near the best"], [true, "whole range"]], false, (v) => { view.whole = v; chart.build(); }));
    mount.before(tools);
    chart = slalom.plot(mount, spec);
    slalom.on("shown", () => { leave(); chart.redraw(); });
    slalom.on("data", () => { here = null; tip.hide(); chart.redraw(); });
  };
}
