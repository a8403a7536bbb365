"use strict";
// What each method gains over the baseline: a row a method, the largest gain first, a dot with its standard error.
{
  const { el, svg, data, spread, decimals, fixed, lr } = slalom;
  const WORDS = { baseline: ["leads", "baseline"], helps: ["leads", "helps"], hurts: ["behind", "hurts"], tie: ["tied", "tie"] };

  slalom.comparison = (mount) => {
    if (!data.comparison) return; // a live page has one at its end
    const { rows } = data.comparison, W = 160;
    const ends = rows.flatMap((r) => [r.gain - (r.standard_error || 0), r.gain + (r.standard_error || 0)]).filter(Number.isFinite);
    const low = Math.min(0, ...ends), high = Math.max(0, ...ends);
    const x = (v) => 6 + ((v - low) / (high - low || 1)) * (W - 12);
    const places = decimals(rows.map((r) => r.standard_error)), test = decimals(rows.map((r) => r.test_metric_sd));
    const picture = (r, rule) => {
      const node = svg("svg", { class: "gap", viewBox: `0 0 ${W} 20`, "aria-hidden": "true" }, svg("line", { class: "zero", x1: x(0), x2: x(0), y1: 0, y2: 20 }));
      if (r.verdict === "baseline" || !Number.isFinite(r.gain)) return node;
      const e = r.standard_error || 0;
      const bar = svg("line", { x1: x(r.gain - e), x2: x(r.gain + e), y1: 10, y2: 10, "stroke-width": 2 }), dot = svg("circle", { cx: x(r.gain), cy: 10, r: 4 });
      bar.style.stroke = dot.style.fill = slalom.ownColour(rule);
      node.append(bar, dot);
      return node;
    };
    const cells = (r) => {
      const rule = data.rules.indexOf(r.rule), [kind, text] = WORDS[r.verdict] || ["unknown", r.verdict];
      return [r.method, el("span", { class: `badge ${kind}` }, text),
        r.verdict === "baseline" || !Number.isFinite(r.gain) ? "–" : spread(r.gain, r.standard_error, places), picture(r, rule),
        spread(r.test_metric, r.test_metric_sd, test),
        [slalom.swatch(rule), ` ${r.rule}`, r.tried > 1 ? el("small", {}, ` of ${fixed(r.tried, 0)} strengths`) : null], lr(r.lr)];
    };
    const row = (r) => {
      const rule = data.rules.indexOf(r.rule), light = () => slalom.point({ rule });
      return el("tr", { tabindex: 0, onmouseenter: light, onmouseleave: () => slalom.point(null), onfocus: light, onblur: () => slalom.point(null),
        onclick: () => slalom.pin({ rule }) }, cells(r).map((c) => el("td", {}, c)));
    };
    const heads = ["method", "", "gain", "", `test ${data.metric}`, "picked on validation", "lr"];
    mount.append(el("div", { class: "scroll" }, el("table", { class: "plain" },
      el("thead", {}, el("tr", {}, heads.map((t) => el("th", { scope: "col" }, t)))), el("tbody", {}, rows.map(row)))));
  };
}
