"use strict";
// Each activation: the function and its slope, and what depth does to a signal and to its gradient.
{
  const { el, svg, number } = slalom;
  const W = 200, H = 120;
  const LOW = 1e-6, HIGH = 1e6; // of the picture of depth

  const frame = (label) => svg("svg", { class: "mini", viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": label });
  const path = (xs, ys, kind) => {
    let d = "";
    xs.forEach((x, i) => { if (Number.isFinite(ys[i])) d += `${d ? "L" : "M"}${x.toFixed(1)} ${ys[i].toFixed(1)}`; });
    return svg("path", { class: kind, d });
  };
  const text = (x, y, words, anchor = "start") => svg("text", { x, y, "text-anchor": anchor }, words);

  const shape = (a, x, value, slope) => {
    const node = frame(`${a.name} and its slope from ${x[0]} to ${x.at(-1)}`);
    const X = (v) => ((v - x[0]) / (x.at(-1) - x[0])) * W, Y = (v) => H - 14 - ((v + 2) / 5) * (H - 18);
    node.append(svg("path", { class: "axis", d: `M0 ${Y(0)}H${W}M${X(0)} 2V${H - 12}` }), path(x.map(X), [...slope].map(Y), "slope"), path(x.map(X), [...value].map(Y), "value"),
      text(2, H - 2, String(x[0])), text(X(0), H - 2, "0", "middle"), text(W - 2, H - 2, String(x.at(-1)), "end"), text(X(0) - 4, Y(1) + 3, "1", "end"));
    return node;
  };
  const depth = (a, signal, gradient) => {
    const node = frame(`${a.name}: signal and gradient through ${signal.length - 1} layers`), last = signal.length - 1;
    const X = (k) => 26 + (k / last) * (W - 30), Y = (v) => 6 + ((Math.log10(HIGH) - Math.log10(Math.min(HIGH, Math.max(LOW, v)))) / Math.log10(HIGH / LOW)) * (H - 24);
    const xs = Array.from(signal, (_, k) => X(k));
    for (const [v, words] of [[HIGH, "1e6"], [1, "1"], [LOW, "1e-6"]]) node.append(svg("path", { class: "axis", d: `M26 ${Y(v)}H${W}` }), text(22, Y(v) + 4, words, "end"));
    node.append(path(xs, Array.from(gradient, Y), "slope"), path(xs, Array.from(signal, Y), "value"), text(26, H - 2, "0"), text(W - 2, H - 2, `layer ${last}`, "end"));
    return node;
  };

  slalom.activations = (mount) => {
    const { x, all, ...packed } = slalom.data.activations;
    const [value, slope, signal, gradient] = ["value", "slope", "signal", "gradient"].map((name) => slalom.unpack(packed[name]));
    mount.append(el("div", { class: "acts" }, all.map((a, i) => el("article", { class: "act" }, el("h3", {}, a.name), el("p", { class: "hint" }, a.doc),
      el("div", { class: "minis" }, shape(a, x, value[i], slope[i]), depth(a, signal[i], gradient[i])),
      el("p", { class: "facts" }, `range ${a.range}; flat: ${a.saturates}; for N(0, 1) inputs mean ${Math.abs(a.mean) < 1e-12 ? 0 : number(a.mean, 3)}, gain ${number(a.gain, 4)}`),
      a.pitfalls ? el("p", { class: "hint" }, `Beware: ${a.pitfalls}.`) : null))));
  };
}
