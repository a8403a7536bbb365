"use strict";
// Fills the page, part by part.
{
  const { data, count } = slalom;
  const at = (id) => document.getElementById(id);
  const n = data.data || {};
  const sizes = [n.train, n.val, n.test].every(Number.isFinite) ? ` (${n.train} / ${n.val} / ${n.test} rows to train / validate / test)` : "";
  const facts = [["model", data.model], ["data", `${n.name ?? "data"}${sizes}`],
    ["race", `${count(data.lanes.lane.length, "lane")}: ${count(data.rules.length, "rule")}, ${count(data.seeds, "seed")}, ${count(data.epochs, "epoch")}`],
    ["when", data.when]];
  at("facts").append(...facts.filter(([, v]) => v).map(([k, v]) => slalom.el("span", {}, slalom.el("i", {}, k), v)));
  slalom.leaderboard(at("leaderboard"));
  slalom.legend(at("legend"));
  slalom.curves(at("curves"));
  slalom.legend(at("lr-legend"));
  slalom.lrChart(at("lr"));
  slalom.details(at("details"));
  slalom.downloads(at("downloads"));
  document.documentElement.dataset.ready = "yes";
}
