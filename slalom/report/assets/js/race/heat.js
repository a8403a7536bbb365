"use strict";
// Learning rate by another hyper: a table whose cells are shaded by how good they are; each tells its numbers.
{
  const { el, data, number, lr } = slalom;

  const words = (map, cell) => {
    const all = cell.finished + cell.retired;
    const figure = Number.isFinite(cell.mean) ? `${data.metric} ${number(cell.mean)}${Number.isFinite(cell.sd) ? ` ± ${number(cell.sd, 2)}` : ""}` : "no figure";
    return [`lr ${lr(cell.lr)}, ${map.hyper} ${lr(cell.value)}`, `validation ${figure}`, `${cell.finished} of ${all} seeds finished`];
  };

  const one = (map) => {
    const means = map.cells.map((c) => c.mean).filter(Number.isFinite);
    const [least, most] = [Math.min(...means), Math.max(...means)];
    const goodness = (v) => (most > least ? (data.higher ? v - least : most - v) / (most - least) : 1);
    const best = means.length ? map.cells.find((c) => c.mean === (data.higher ? most : least)) : null;
    const find = (value, rate) => map.cells.find((c) => c.value === value && c.lr === rate);
    const said = el("p", { class: "hint told", role: "status" });
    const rest = best ? `Best: ${words(map, best).join(", ")}.` : "No lane finished.";
    said.textContent = rest;
    const cells = [];
    const tell = (cell) => {
      said.textContent = cell ? `${words(map, cell).join(", ")}.` : rest;
      slalom.point(cell ? { rule: cell.rule, lr: cell.lr } : null);
    };
    const box = (value, rate) => {
      const cell = find(value, rate);
      if (!cell) return el("td", { class: "cell none" });
      const share = Number.isFinite(cell.mean) ? goodness(cell.mean) : 0;
      const text = Number.isFinite(cell.mean) ? number(cell.mean, 3) : "×";
      const node = el("td", { class: `cell${cell === best ? " best" : ""}${share > 0.8 ? " strong" : ""}`, tabindex: cells.length ? -1 : 0, title: words(map, cell).join("\n"),
        "aria-label": words(map, cell).join(", "), onmouseenter: () => tell(cell), onmouseleave: () => tell(null), onfocus: () => tell(cell), onblur: () => tell(null),
        onclick: () => slalom.pin({ rule: cell.rule, lr: cell.lr }),
        onkeydown: (event) => {
          const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key] || [];
          if (dx === undefined) { if (event.key === "Enter") slalom.pin({ rule: cell.rule, lr: cell.lr }); return; }
          event.preventDefault();
          const next = cells.find((c) => c.cell === find(map.values[map.values.indexOf(value) + dy], map.lrs[map.lrs.indexOf(rate) + dx]));
          if (!next) return;
          cells.forEach((c) => { c.node.tabIndex = c === next ? 0 : -1; });
          next.node.focus();
        } }, text);
      node.style.setProperty("--share", `${Math.round(100 * share)}%`);
      cells.push({ cell, node });
      return node;
    };
    const head = el("tr", {}, el("th", { scope: "col" }, map.hyper.replaceAll("_", " ")), map.lrs.map((rate) => el("th", { class: "num", scope: "col" }, lr(rate))));
    const lines = [...map.values].reverse().map((value) => el("tr", {}, el("th", { class: "num", scope: "row" }, lr(value)), map.lrs.map((rate) => box(value, rate))));
    const table = el("div", { class: "scroll-x" }, el("table", { class: "heat" }, el("thead", {}, head), el("tbody", {}, lines)));
    slalom.on("highlight", () => {
      const h = slalom.highlight();
      for (const { cell, node } of cells) node.classList.toggle("lit", Boolean(h) && h.rule === cell.rule && (h.lr === undefined || h.lr === cell.lr));
    });
    return el("div", { class: "heat-map" }, el("h3", {}, `${map.name}: validation ${data.metric}, learning rate by ${map.hyper.replaceAll("_", " ")}`), table, said);
  };
  slalom.heatMaps = (mount) => mount.append(...data.heat_maps.map(one));
}
