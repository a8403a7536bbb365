"use strict";
// The loss on the line from one network to another: training and validation, the two networks marked.
{
  const { el, svg, number } = slalom;
  const W = 860, H = 320, L = 62, R = 14, T = 12, B = 46;

  slalom.lineBetween = (mount, line) => {
    const all = [...line.train, ...(line.val || [])].filter((v) => v !== null);
    const least = Math.min(...all), most = Math.max(...all), log = least > 0 && most / least > 8;
    const f = (v) => (log ? Math.log(v) : v), low = f(least), span = f(most) - low || 1, [a, b] = [line.at[0], line.at.at(-1)];
    const x = (v) => L + ((v - a) / (b - a)) * (W - L - R), y = (v) => H - B - ((f(v) - low) / span) * (H - T - B);
    const node = svg("svg", { class: "between", viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": "Loss on the line between two networks" });
    const text = (px, py, words, anchor) => svg("text", { x: px, y: py, "text-anchor": anchor }, words);
    for (const v of slalom.ticks(log, least, most, 6)) if (v >= least && v <= most) node.append(svg("path", { class: "axis", d: `M${L} ${y(v)}H${W - R}` }), text(L - 7, y(v) + 4, number(v, 3), "end"));
    [[0, line.names[0]], [1, line.names[1]]].forEach(([v, name], i) => node.append(svg("path", { class: "end", d: `M${x(v)} ${T}V${H - B}` }), text(x(v), H - B + 17 + 16 * i, name, "middle")));
    for (const [kind, values] of [["slope", line.val || []], ["value", line.train]])
      node.append(svg("path", { class: kind, d: values.map((v, i) => (v === null ? "" : `${i && values[i - 1] !== null ? "L" : "M"}${x(line.at[i]).toFixed(1)} ${y(v).toFixed(1)}`)).join("") }));
    mount.append(node, el("p", { class: "hint" }, `Solid: training loss${line.val ? "; dashed: validation loss" : ""}${log ? "; logarithmic" : ""}.`));
  };
}
