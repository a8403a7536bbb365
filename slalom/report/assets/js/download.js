"use strict";
// The data as CSV, made in the page. A text that a spreadsheet would run as a formula gets an apostrophe in front.
{
  const { data, curveData } = slalom;
  const { lanes, rules } = data;
  const cell = (value) => {
    if (value === null || Number.isNaN(value)) return "";
    let text = String(value);
    if (typeof value === "string" && /^[=+\-@\t\r]/.test(text)) text = `'${text}`;
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  slalom.csv = (rows) => rows.map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";

  const save = (name, rows) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([slalom.csv(rows)], { type: "text/csv" }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
  slalom.lanesTable = () => {
    const names = Object.keys(lanes);
    return [names, ...lanes.lane.map((_, k) => names.map((name) => (name === "rule" ? rules[lanes.rule[k]] : lanes[name][k])))];
  };
  slalom.curvesTable = () => {
    const head = ["lane", "rule", "lr", "seed", "curve", "step_or_epoch", "value"];
    const rows = [head];
    for (const [name, { x, y }] of Object.entries(curveData))
      y.forEach((curve, k) => curve.forEach((v, j) => {
        if (!Number.isNaN(v)) rows.push([lanes.lane[k], rules[lanes.rule[k]], lanes.lr[k], lanes.seed[k], { train: "train_loss", val: "val_loss", metric: "val_metric" }[name], x[j], Number(v.toPrecision(5))]);
      }));
    return rows;
  };
  slalom.downloads = (mount) => mount.append(
    slalom.el("button", { type: "button", onclick: () => save("lanes.csv", slalom.lanesTable()) }, "Lanes as CSV"),
    slalom.el("button", { type: "button", onclick: () => save("curves.csv", slalom.curvesTable()) }, "Curves as CSV"));
}
