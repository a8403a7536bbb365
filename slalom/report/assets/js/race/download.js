"use strict";
// The race's data as CSV.
{
  const { data, curveData } = slalom;
  const { lanes, rules } = data;
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
    slalom.el("button", { type: "button", onclick: () => slalom.save("lanes.csv", slalom.lanesTable()) }, "Lanes as CSV"),
    slalom.el("button", { type: "button", onclick: () => slalom.save("curves.csv", slalom.curvesTable()) }, "Curves as CSV"));
}
