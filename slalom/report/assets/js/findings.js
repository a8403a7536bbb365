"use strict";
// What is wrong with which lanes, each with the curve that shows it; pointing at one lights its curves everywhere.
{
  const { el, svg, data, curveData } = slalom;
  const { lanes, rules, findings } = data;
  const W = 96, H = 34;

  const spark = (f) => {
    const node = svg("svg", { class: "spark", viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": "training loss of these lanes" });
    const curves = f.lanes.slice(0, 5).map((k) => curveData.train.y[k]);
    const good = curves.flatMap((c) => [...c].filter((v) => Number.isFinite(v) && v > 0)).map(Math.log);
    if (!good.length) return node;
    const low = good.reduce((a, b) => Math.min(a, b)), high = good.reduce((a, b) => Math.max(a, b)), n = curveData.train.x.length;
    for (const curve of curves) {
      let d = "";
      const skip = Math.max(1, Math.floor(n / W));
      for (let j = 0; j < n; j += skip)
        if (Number.isFinite(curve[j]) && curve[j] > 0) d += `${d ? "L" : "M"}${((j / Math.max(1, n - 1)) * (W - 4) + 2).toFixed(1)} ${(H - 3 - ((Math.log(curve[j]) - low) / (high - low || 1)) * (H - 6)).toFixed(1)}`;
      const path = svg("path", { d });
      path.style.stroke = slalom.ownColour(f.rule);
      node.append(path);
    }
    return node;
  };
  const last = (f) => f.lrs[f.lrs.length - 1];
  const rates = (f) => (f.lrs.length > 1 ? `${slalom.lr(f.lrs[0])} to ${slalom.lr(last(f))}` : slalom.lr(f.lrs[0]));
  const light = (f) => slalom.point({ rule: f.rule, lr: last(f), ...(f.lanes.length === 1 ? { lane: f.lanes[0] } : {}) });
  slalom.findings = (mount) => mount.append(el("ul", { class: "findings" }, findings.map((f) => el("li", {},
    el("button", { type: "button", class: "finding", onmouseenter: () => light(f), onmouseleave: () => slalom.point(null), onfocus: () => light(f), onblur: () => slalom.point(null),
      onclick: () => slalom.pin({ rule: f.rule, lr: last(f) }) },
      el("span", { class: "finding-head" }, slalom.swatch(f.rule), el("b", {}, rules[f.rule]), ` lr ${rates(f)}: ${f.name}`, el("small", {}, ` ${f.lanes.length} of ${f.seeds} ${f.seeds === 1 ? "lane" : "lanes"}`)), spark(f)),
    el("details", {}, el("summary", {}, f.remedy || f.symptom),
      el("dl", {}, [["symptom", f.symptom], ["cause", f.cause]].filter(([, v]) => v).map(([k, v]) => [el("dt", {}, k), el("dd", {}, v)]),
        f.evidence.length ? [el("dt", {}, "evidence"), el("dd", {}, el("ul", {}, f.evidence.map((e) => el("li", {}, e))))] : null))))));

  // The findings of a rule's best learning rate, for the leaderboard.
  slalom.findingsOf = (row) => findings.filter((f) => rules[f.rule] === row.rule && f.lrs.includes(row.lr));
}
