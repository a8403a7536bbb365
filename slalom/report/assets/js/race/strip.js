"use strict";
// A rule's learning rates as one strip: a cell per lr, fuller = better; a dot on the best, a bar over its interval.
{
  const { svg, lr, number, lrRange } = slalom;
  const W = 230, H = 30;
  const at = (v) => 4 + ((Math.log(v) - Math.log(lrRange[0])) / Math.log(lrRange[1] / lrRange[0])) * (W - 8);

  slalom.strip = (rule, tell) => {
    const r = slalom.data.responses[rule];
    const node = svg("svg", { class: "strip", viewBox: `0 0 ${W} ${H}`, preserveAspectRatio: "none", role: "img",
      "aria-label": `learning rates tried from ${lr(r.lrs[0])} to ${lr(r.lrs.at(-1))}` });
    if (!slalom.logLr) return node;
    const gaps = r.lrs.slice(1).map((v, i) => at(v) - at(r.lrs[i]));
    const width = Math.max(3, Math.min(18, gaps.length ? Math.min(...gaps) : 18) - 1.5);
    r.lrs.forEach((v, i) => {
      const all = r.finished[i] + r.retired[i];
      const text = r.finished[i]
        ? `${slalom.data.metric} ${number(r.mean[i])}${Number.isFinite(r.sd[i]) ? ` ± ${number(r.sd[i], 2)}` : ""}, ${r.finished[i]} of ${all} seeds finished`
        : `no seed finished`;
      const cell = svg("rect", { x: at(v) - width / 2, y: 9, width, height: H - 12, rx: 2 });
      cell.style.fill = r.finished[i] ? slalom.ownColour(rule) : "transparent";
      cell.style.fillOpacity = 0.1 + 0.9 * slalom.goodness(r.mean[i]) ** 2;
      cell.style.stroke = r.finished[i] ? slalom.ownColour(rule) : "var(--faint)";
      cell.style.strokeOpacity = 0.55;
      const group = svg("g", {}, svg("title", {}, `lr ${lr(v)}: ${text}`), cell);
      if (r.retired[i]) {
        const x = at(v), m = 9 + (H - 12) / 2, d = 3;
        group.append(svg("path", { class: "retired", d: `M${x - d} ${m - d}L${x + d} ${m + d}M${x - d} ${m + d}L${x + d} ${m - d}` }));
      }
      group.addEventListener("mouseenter", () => tell({ rule, lr: v }));
      group.addEventListener("mouseleave", () => tell({ rule }));
      node.append(group);
    });
    if (r.lr !== null) {
      const [a, b, c] = [r.lr_low, r.lr, r.lr_high].map(at);
      node.append(svg("path", { class: "interval", d: `M${a} 2V7M${a} 4.5H${c}M${c} 2V7` }), svg("circle", { class: "chosen", cx: b, cy: 4.5, r: 3.4 }));
    }
    return node;
  };

  // The decades under the strips.
  slalom.stripScale = () => {
    const node = svg("svg", { class: "strip scale", viewBox: `0 0 ${W} 14`, "aria-hidden": "true" });
    if (!slalom.logLr) return node;
    const first = Math.ceil(Math.log10(lrRange[0])), last = Math.floor(Math.log10(lrRange[1]));
    const every = Math.ceil((last - first + 1) / 7);
    for (let d = first; d <= last; d += every)
      node.append(svg("text", { x: at(10 ** d), y: 11, "text-anchor": "middle" }, lr(10 ** d)));
    return node;
  };
}
