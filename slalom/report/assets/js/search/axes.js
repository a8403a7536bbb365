"use strict";
// Scales and ticks of a search's pictures, as SVG; colours are classes of the page's own variables.
{
  const places = (value) => {
    if (value === null || value === undefined) return "-";
    if (typeof value !== "number") return String(value);
    return Math.abs(value) >= 1e4 || (value !== 0 && Math.abs(value) < 1e-3) ? value.toExponential(1) : String(Number(value.toPrecision(3)));
  };
  slalom.short = places;

  // What stands at a place from 0 to 1 of an axis.
  slalom.valueAt = (axis, u) => {
    if (axis.choices.length) return axis.choices[Math.min(Math.floor(u * axis.choices.length), axis.choices.length - 1)];
    const { low, high } = axis;
    if (axis.scale === "log") return low * Math.pow(high / low, u);
    if (axis.scale === "near_one") return 1 - (1 - low) * Math.pow((1 - high) / (1 - low), u);
    return low + u * (high - low);
  };
  slalom.axisTicks = (axis) =>
    axis.choices.length
      ? axis.choices.map((c, i) => [(i + 0.5) / axis.choices.length, String(c)])
      : [0, 0.5, 1].map((u) => [u, places(slalom.valueAt(axis, u))]);

  // Losses run along a logarithm where all are above 0.
  slalom.lossScale = (values, from, to) => {
    const good = values.filter((v) => v !== null && Number.isFinite(v));
    const log = good.every((v) => v > 0);
    const f = (v) => (log ? Math.log(v) : v);
    const low = Math.min(...good.map(f)), high = Math.max(...good.map(f)), span = high - low || 1;
    const at = (v) => from + ((f(v) - low) / span) * (to - from);
    const back = (share) => (log ? Math.exp(low + share * span) : low + share * span);
    return { at, share: (v) => (f(v) - low) / span, ticks: [0, 0.25, 0.5, 0.75, 1].map((s) => [from + s * (to - from), places(back(s))]) };
  };

  slalom.frame = (width, height, label) => slalom.svg("svg", { class: "drawn", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label });
  slalom.text = (x, y, words, anchor = "middle", extra = {}) =>
    slalom.svg("text", { x, y, "text-anchor": anchor, "font-size": 12, fill: "var(--muted)", ...extra }, words);
  slalom.line = (x1, y1, x2, y2, stroke = "var(--grid)") => slalom.svg("line", { x1, y1, x2, y2, stroke });
  slalom.said = (point) => {
    const parts = slalom.data.search.axes.map((a, i) => (point.values[i] === null ? null : `${a.name} ${places(point.values[i])}`)).filter(Boolean);
    return `trial ${point.number}, ${point.state} after ${point.epoch} epochs: loss ${places(point.loss)}, ${slalom.data.search.metric} ${places(point.metric)}\n${parts.join(", ")}`;
  };
  slalom.dot = (x, y, point, radius = 3.2) => {
    const best = point.number === slalom.data.search.best;
    const fill = best ? "var(--good)" : point.state === "finished" ? "var(--accent)" : "var(--faint)";
    const mark = slalom.svg("circle", { cx: x, cy: y, r: best ? 6 : radius, fill, "fill-opacity": best ? 1 : 0.7, "data-trial": point.number });
    mark.append(slalom.svg("title", {}, slalom.said(point)));
    return mark;
  };
}
