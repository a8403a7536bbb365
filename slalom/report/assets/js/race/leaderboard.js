"use strict";
// The leaderboard: a row a rule, sortable, with spreads, ties in words, and the lr strip.
{
  const { el, svg, data, decimals, spread, fixed, lr } = slalom;
  const { rows, metric, higher } = data;
  let places = {}, most = 0, least = 0;
  const measure = () => {
    places = { val: decimals(rows.map((r) => r.val_metric_sd)), test: decimals(rows.map((r) => r.test_metric_sd)), gap: decimals(rows.map((r) => r.standard_error)) };
    most = Math.max(...rows.filter((r) => r.difference > 0).map((r) => r.difference + (r.standard_error || 0)), 0);
    least = Math.min(...rows.map((r) => r.difference - (r.standard_error || 0)).filter(Number.isFinite), 0);
  };
  const measured = (row) => Number.isFinite(row.test_metric) || Number.isFinite(row.val_metric);
  const standing = (row) => {
    if (!measured(row)) return ["unknown", row.seeds ? "no finite figure" : "no lane finished"];
    if (row.rank === rows[0].rank) return ["leads", rows.length > 1 && rows.slice(1).filter(measured).every((r) => r.tied) ? "first" : "leads"];
    if (row.seeds < 2) return ["unknown", "one seed: cannot tell"];
    return row.tied ? ["tied", "tied with the leader"] : ["behind", "behind the leader"];
  };

  // Behind the leader as a picture: a dot with its standard error; the vertical line is the leader.
  const W = 120;
  const gapAt = (v) => 6 + ((v - least) / (most - least || 1)) * (W - 12);
  const gapPicture = (row, rule) => {
    const node = svg("svg", { class: "gap", viewBox: `0 0 ${W} 20`, "aria-hidden": "true" }, svg("line", { class: "zero", x1: gapAt(0), x2: gapAt(0), y1: 0, y2: 20 }));
    if (!Number.isFinite(row.difference) || !measured(row)) return node;
    const e = row.standard_error || 0, c = gapAt(row.difference);
    const bar = svg("line", { x1: gapAt(row.difference - e), x2: gapAt(row.difference + e), y1: 10, y2: 10, "stroke-width": 2 });
    const dot = svg("circle", { cx: c, cy: 10, r: 4 });
    bar.style.stroke = dot.style.fill = slalom.ownColour(rule);
    node.append(bar, dot);
    return node;
  };

  // title, how to sort by it (null: not), sort so that small comes first?, class, what the cell holds
  const columns = [
    ["#", (r) => r.rank, true, "num rank", (r) => String(r.rank)],
    ["rule", (r) => r.rule, true, "rule", (r, i) => el("span", { class: "rule-name" }, slalom.swatch(i), el("span", { class: "name", title: r.rule }, r.rule))],
    ["best lr", (r) => r.lr, true, "num lr", (r) => !measured(r) ? "–" : [
      el("b", {}, lr(r.lr)), el("small", {}, r.lr_low === r.lr_high ? "this lr alone" : `${lr(r.lr_low)} to ${lr(r.lr_high)}`)]],
    ["learning rates tried", null, true, "strip-cell", (r, i, tell) => slalom.strip(i, tell)],
    [`validation ${metric}`, (r) => r.val_metric, !higher, "num val", (r) => spread(r.val_metric, r.val_metric_sd, places.val)],
    [`test ${metric}`, (r) => r.test_metric, !higher, "num test", (r) => spread(r.test_metric, r.test_metric_sd, places.test)],
    ["behind the leader", (r) => r.difference, true, "num behind", (r) =>
      r === rows[0] ? "–" : spread(r.difference, r.standard_error, places.gap)],
    ["", null, true, "gap-cell", (r, i) => gapPicture(r, i)],
    ["standing", (r) => standing(r)[0], true, "standing", (r) => {
      const [kind, text] = standing(r);
      return [el("span", { class: `badge ${kind}` }, text), r.at_edge && measured(r) ? el("span", { class: "badge edge", title: "The best learning rate is the last one tried: there may be a better one beyond." }, "lr at the grid's edge") : null,
        ...slalom.findingsOf(r).map((f) => el("span", { class: "badge found", title: f.remedy }, `${f.name}${f.lanes.length < f.seeds ? ` (${f.lanes.length} of ${f.seeds})` : ""}`))];
    }],
    ["retired", (r) => r.retired, true, "num gone", (r) => el("span", { class: r.retired ? "" : "none" }, `${r.retired} of ${r.lanes}`)],
  ];

  let by = 0, up = true; // the order that the reader chose outlives the rows
  slalom.leaderboard = (mount) => {
    measure();
    const body = el("tbody");
    const tell = (h) => slalom.point(h);
    const made = rows.map((row) => {
      const rule = slalom.ruleOf(row);
      const node = el("tr", { tabindex: 0, "aria-selected": "false",
        onmouseenter: () => tell({ rule }), onmouseleave: () => tell(null), onfocus: () => tell({ rule }), onblur: () => tell(null),
        onclick: () => slalom.pin({ rule }),
        onkeydown: (event) => {
          if (event.key === "Enter" || event.key === " ") { event.preventDefault(); slalom.pin({ rule }); }
          const other = { ArrowDown: node.nextElementSibling, ArrowUp: node.previousElementSibling }[event.key];
          if (other) { event.preventDefault(); other.focus(); }
        } },
        ...columns.map(([title, , , kind, cell]) => el("td", { class: kind, "data-label": title }, cell(row, rule, tell))));
      return { row, rule, node };
    });
    const heads = columns.map(([title, value, , kind], i) => el("th", { class: kind, scope: "col" },
      value ? el("button", { type: "button", onclick: () => sort(i) }, title) : title, kind === "strip-cell" ? slalom.stripScale() : null));
    const pick = el("select", { "aria-label": "Sort by", onchange: () => sort(Number(pick.value), true) },
      columns.map(([title, value], i) => (value ? el("option", { value: i }, `sorted by ${title === "#" ? "rank" : title}`) : null)));

    const sort = (i, fresh = false) => {
      up = fresh || by !== i ? true : !up;
      by = i;
      order();
    };
    const order = () => {
      const i = by;
      const [, value, ascending] = columns[i];
      const worth = (r) => { const v = value(r); return v === null ? NaN : v; };
      const sign = up === ascending ? 1 : -1;
      const compare = (a, b) => {
        const x = worth(a.row), y = worth(b.row);
        if (typeof x === "string") return sign * (x < y ? -1 : x > y ? 1 : 0);
        if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y); // nothing measured: last
        return sign * (x - y);
      };
      body.append(...[...made].sort((a, b) => compare(a, b) || a.row.rank - b.row.rank).map((m) => m.node));
      heads.forEach((head, j) => (j === i ? head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending") : head.removeAttribute("aria-sort")));
      pick.value = String(i);
    };
    mount.append(el("div", { class: "sorter" }, pick), el("table", {}, el("thead", {}, el("tr", {}, heads)), body));
    order();

    const mark = () => {
      const h = slalom.highlight(), pinned = slalom.pinned();
      for (const { rule, node } of made) {
        node.classList.toggle("lit", Boolean(h) && h.rule === rule);
        node.setAttribute("aria-selected", String(Boolean(pinned) && pinned.rule === rule));
      }
    };
    slalom.on("highlight", mark);
    mark();
    const shade = () => made.forEach(({ rule, node }) => node.classList.toggle("off", !slalom.shown(rule)));
    slalom.on("shown", shade);
    shade();
  };
}
