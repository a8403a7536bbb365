"use strict";
// Fills the page, part by part; a part that this page has no place or no data for is left out.
{
  const { data, count } = slalom;
  const at = (id) => document.getElementById(id);
  const part = (id, make) => make && at(id) && make(at(id));
  const hide = () => { // cards that have nothing to show; in a live page they may come to have something
    for (const card of document.querySelectorAll("[data-needs]")) {
      const needed = data[card.dataset.needs];
      card.hidden = !needed || needed.length === 0;
      if (card.hidden && !data.live) card.remove();
    }
  };
  hide();
  slalom.on("data", hide);
  slalom.tabs(at("tabs"));
  const facts = (mount) => {
    const n = data.data || {};
    const sizes = [n.train, n.val, n.test].every(Number.isFinite) ? ` (${n.train} / ${n.val} / ${n.test} rows to train / validate / test)` : "";
    const told = [["model", data.model], ["data", `${n.name ?? "data"}${sizes}`],
      ["race", `${count(data.lanes.lane.length, "lane")}: ${count(data.rules.length, "rule")}, ${count(data.seeds, "seed")}, ${count(data.epochs, "epoch")}`],
      ["when", data.when]];
    mount.append(...told.filter(([, v]) => v).map(([k, v]) => slalom.el("span", {}, slalom.el("i", {}, k), v)));
  };
  // Charts redraw themselves when the data changes; what is made of elements is made again.
  const fill = (id, make) => part(id, make && ((mount) => slalom.fill(mount, make)));
  fill("facts", facts);
  fill("verdict", data.verdict !== undefined && ((mount) => mount.append(data.verdict)));
  fill("comparison", slalom.comparison);
  fill("leaderboard", slalom.leaderboard);
  fill("legend", slalom.legend);
  part("curves", slalom.curves);
  fill("lr-legend", slalom.legend);
  part("lr", slalom.lrChart);
  fill("heat", slalom.heatMaps);
  part("range", data.range_test && slalom.rangeTest);
  part("schedule", data.schedule && slalom.schedule);
  fill("findings", slalom.findings);
  fill("details", slalom.details);
  part("downloads", slalom.downloads);
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
