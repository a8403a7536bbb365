"use strict";
// Fills the page, part by part; a part that this page has no place or no data for is left out.
{
  const { data, count } = slalom;
  const at = (id) => document.getElementById(id);
  const part = (id, fill) => at(id) && fill(at(id));
  for (const card of document.querySelectorAll("[data-needs]")) {
    const needed = data[card.dataset.needs];
    if (!needed || needed.length === 0) card.remove();
  }
  slalom.tabs(at("tabs"));
  part("facts", (mount) => {
    const n = data.data || {};
    const sizes = [n.train, n.val, n.test].every(Number.isFinite) ? ` (${n.train} / ${n.val} / ${n.test} rows to train / validate / test)` : "";
    const facts = [["model", data.model], ["data", `${n.name ?? "data"}${sizes}`],
      ["race", `${count(data.lanes.lane.length, "lane")}: ${count(data.rules.length, "rule")}, ${count(data.seeds, "seed")}, ${count(data.epochs, "epoch")}`],
      ["when", data.when]];
    mount.append(...facts.filter(([, v]) => v).map(([k, v]) => slalom.el("span", {}, slalom.el("i", {}, k), v)));
  });
  for (const [id, fill] of [["leaderboard", "leaderboard"], ["legend", "legend"], ["curves", "curves"], ["lr-legend", "legend"], ["lr", "lrChart"],
    ["heat", "heatMaps"], ["range", "rangeTest"], ["schedule", "schedule"], ["findings", "findings"], ["details", "details"], ["downloads", "downloads"]])
    if (slalom[fill]) part(id, slalom[fill]);
  // What lies in another tab is made when it is first seen.
  const later = (tab, id, fill) => {
    let made = false;
    const make = () => { if (!made) { made = true; part(id, fill); } };
    slalom.on(`tab-${tab}`, make);
    if (at(`tab-${tab}`) && !at(`tab-${tab}`).hidden) make();
  };
  later("playground", "playground", slalom.playground);
  later("activations", "activations", slalom.activations);
  document.documentElement.dataset.ready = "yes";
}
