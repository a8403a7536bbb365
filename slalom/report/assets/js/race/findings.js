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
  // All lanes of a finding at once where it is of one learning rate; else the rule's first of them.
  const light = (f) => slalom.point(f.lr === f.lr_high && f.lanes.length > 1 ? { rule: f.rule, lr: f.lr } : { rule: f.rule, lr: lanes.lr[f.lanes[0]], lane: f.lanes[0] });
  const one = (f) => el("li", {},
    el("button", { type: "button", class: "finding", onmouseenter: () => light(f), onmouseleave: () => slalom.point(null), onfocus: () => light(f), onblur: () => slalom.point(null),
      onclick: () => slalom.pin({ rule: f.rule, lr: lanes.lr[f.lanes[0]] }) },
      el("span", { class: "finding-head" }, slalom.swatch(f.rule), el("b", {}, rules[f.rule]), ` lr ${slalom.lr(f.lr)}${f.lr_high > f.lr ? ` to ${slalom.lr(f.lr_high)}` : ""}: ${f.name}`,
        el("small", {}, ` ${f.lanes.length} of ${slalom.count(f.seeds, "lane")}`)), spark(f)),
    el("details", {}, el("summary", {}, f.remedy || f.symptom),
      el("dl", {}, [["symptom", f.symptom], ["cause", f.cause]].filter(([, v]) => v).map(([k, v]) => [el("dt", {}, k), el("dd", {}, v)]),
        f.evidence.length ? [el("dt", {}, "evidence"), el("dd", {}, el("ul", {}, f.evidence.map((e) => el("li", {}, e))))] : null)));
  const list = (some) => el("ul", { class: "findings" }, some.map(one));
  const folded = (title, hint, make) => { // its curves are drawn when it is first opened
    const node = el("details", { ontoggle: () => node.childElementCount < 3 && node.append(make()) }, el("summary", {}, title), el("p", { class: "hint" }, hint));
    return node;
  };
  slalom.findings = (mount) => {
    const best = findings.filter((f) => f.best), others = findings.filter((f) => !f.best);
    mount.append(best.length ? list(best) : el("p", { class: "hint" }, "Nothing is wrong with any rule at its best learning rate, as far as its curves tell."),
      ...(others.length ? [folded(`At other learning rates (${others.length})`, "A race's outer rates are there to be too low and too high.", () => list(others))] : []));
  };

  // The findings of a rule's best learning rate, for the leaderboard.
  slalom.findingsOf = (row) => findings.filter((f) => f.best && rules[f.rule] === row.rule);
}
