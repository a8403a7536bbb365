"use strict";
// The pictures of a search: history, importance, parallel coordinates, slices, contour.
{
  const data = slalom.data.search;
  const good = data.points.filter((p) => p.loss !== null && p.state !== "diverged");
  const losses = good.map((p) => p.loss);
  const sorted = [...losses].sort((a, b) => a - b);
  const cap = sorted[Math.max(0, Math.ceil(sorted.length * 0.95) - 1)]; // a few that exploded would flatten the rest
  const seen = (v) => Math.min(v, cap);

  slalom.history = (W) => {
    const H = 300, L = 52, B = H - 30, svg = slalom.frame(W, H, "loss of each trial in the order they were asked for");
    const scale = slalom.lossScale(losses.map(seen), B, 14), last = Math.max(1, ...data.points.map((p) => p.number));
    const x = (n) => L + (n / last) * (W - L - 12);
    for (const [y, words] of scale.ticks) svg.append(slalom.line(L, y, W - 8, y), slalom.text(L - 6, y + 4, words, "end"));
    svg.append(slalom.text(W / 2, H - 6, "trial"), slalom.text(L, H - 6, "0"), slalom.text(W - 2, H - 6, String(last), "end"));
    let best = Infinity, path = "";
    for (const p of [...good].sort((a, b) => a.number - b.number)) {
      svg.append(slalom.dot(x(p.number), scale.at(seen(p.loss)), p));
      if (p.state !== "finished" || p.loss >= best) continue;
      path += path ? `H${x(p.number)}V${scale.at(seen(p.loss))}` : `M${x(p.number)} ${scale.at(seen(p.loss))}`;
      best = p.loss;
    }
    if (path) svg.append(slalom.svg("path", { d: `${path}H${W - 12}`, fill: "none", stroke: "var(--good)", "stroke-width": 1.8 }));
    return svg;
  };

  slalom.importances = (W) => {
    const rows = data.axes.filter((a) => a.importance !== null).sort((a, b) => b.importance - a.importance);
    const L = 16 + 8.2 * Math.max(8, ...rows.map((a) => a.name.length)), R = W - 50, svg = slalom.frame(W, Math.max(rows.length, 1) * 24 + 8, "importance of each hyper");
    const most = Math.max(0.01, ...rows.map((a) => a.importance + (a.spread || 0)));
    rows.forEach((a, i) => {
      const y = 6 + i * 24, w = (v) => (Math.max(v, 0) / most) * (R - L);
      svg.append(
        slalom.text(L - 8, y + 13, a.name, "end", { fill: "var(--ink)" }),
        slalom.svg("rect", { x: L, y: y + 3, width: w(a.importance), height: 13, fill: "var(--accent)", "fill-opacity": 0.75 }),
        slalom.line(L + w(a.importance - a.spread), y + 9.5, L + w(a.importance + a.spread), y + 9.5, "var(--ink)"),
        slalom.text(W - 4, y + 13, a.importance.toFixed(2), "end"),
      );
    });
    return svg;
  };

  slalom.parallel = (room) => {
    const W = Math.max(room, 70 * (data.axes.length + 1)), H = 330, T = 14, B = H - 42, svg = slalom.frame(W, H, "a line a trial over all hypers");
    const axes = [...data.axes.keys(), -1], gap = (W - 120) / Math.max(axes.length - 1, 1);
    const scale = slalom.lossScale(losses.map(seen), B, T), x = (i) => 60 + i * gap;
    const y = (p, i) => (axes[i] < 0 ? scale.at(seen(p.loss)) : p.places[axes[i]] === null ? null : B - p.places[axes[i]] * (B - T));
    for (const p of [...good].sort((a, b) => b.loss - a.loss)) {
      let d = "", open = false;
      axes.forEach((_, i) => {
        const at = y(p, i);
        if (at !== null) d += `${open ? "L" : "M"}${x(i).toFixed(1)} ${at.toFixed(1)}`;
        open = at !== null || open;
      });
      const best = p.number === data.best, share = 1 - scale.share(seen(p.loss));
      const style = { fill: "none", stroke: best ? "var(--good)" : "var(--ink)", "stroke-width": best ? 2.6 : 1, "stroke-opacity": best ? 1 : 0.04 + 0.4 * share ** 3 };
      svg.append(slalom.svg("path", { d, ...style }, slalom.svg("title", {}, slalom.said(p))));
    }
    axes.forEach((k, i) => {
      svg.append(slalom.line(x(i), T, x(i), B, "var(--line)"), slalom.text(x(i), H - 6 - 13 * (i % 2), k < 0 ? "loss" : data.axes[k].name, "middle", { fill: "var(--ink)" }));
      const ticks = k < 0 ? scale.ticks.filter((_, j) => j % 2 === 0) : slalom.axisTicks(data.axes[k]).map(([u, w]) => [B - u * (B - T), w]);
      for (const [at, words] of ticks) svg.append(slalom.text(x(i) + 4, at + 4, words, "start", { "font-size": 10 }));
    });
    return svg;
  };

  slalom.slice = (W, k) => {
    const H = 290, L = 52, B = H - 40, axis = data.axes[k], svg = slalom.frame(W, H, `loss against ${axis.name}`);
    const scale = slalom.lossScale(losses.map(seen), B, 12);
    for (const [y, words] of scale.ticks) svg.append(slalom.line(L, y, W - 8, y), slalom.text(L - 6, y + 4, words, "end"));
    for (const [u, words] of slalom.axisTicks(axis)) svg.append(slalom.text(L + 10 + u * (W - L - 30), H - 24, words));
    svg.append(slalom.text(W / 2, H - 6, axis.name, "middle", { fill: "var(--ink)" }));
    for (const p of good) if (p.places[k] !== null) svg.append(slalom.dot(L + 10 + p.places[k] * (W - L - 30), scale.at(seen(p.loss)), p));
    return svg;
  };

  slalom.contour = (W) => {
    const c = data.contour, H = Math.round(Math.min(400, 0.9 * W)), L = 58, B = H - 42, T = 8, R = W - 10, n = c.loss.length, svg = slalom.frame(W, H, "expected loss over two hypers");
    const scale = slalom.lossScale(c.loss.flat(), 0, 1), w = (R - L) / n, h = (B - T) / n;
    c.loss.forEach((row, j) => row.forEach((v, i) => {
      const cell = { x: L + i * w, y: B - (j + 1) * h, width: w, height: h, "shape-rendering": "crispEdges", fill: "var(--accent)", "fill-opacity": 0.06 + 0.84 * (1 - scale.share(v)) };
      svg.append(slalom.svg("rect", cell));
    }));
    const [a, b] = [data.axes[c.first], data.axes[c.second]];
    for (const [u, words] of slalom.axisTicks(a)) svg.append(slalom.text(L + u * (R - L), H - 26, words));
    for (const [u, words] of slalom.axisTicks(b)) svg.append(slalom.text(L - 6, B - u * (B - T) + 4, words, "end"));
    svg.append(slalom.text((L + R) / 2, H - 6, a.name, "middle", { fill: "var(--ink)" }), slalom.text(12, 20, b.name, "start", { fill: "var(--ink)", transform: `rotate(-90 12 20) translate(-${H / 2} 0)` }));
    for (const p of good) if (p.places[c.first] !== null && p.places[c.second] !== null)
      svg.append(slalom.dot(L + p.places[c.first] * (R - L), B - p.places[c.second] * (B - T), p, 2.2));
    return svg;
  };
}
