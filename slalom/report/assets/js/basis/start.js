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
  part("downloads", slalom.downloads);
  const { later } = slalom;
  later(() => part("curves", slalom.curves));
  later(() => fill("legend", slalom.legend));
  later(() => part("lr", slalom.lrChart));
  later(() => fill("lr-legend", slalom.legend));
  later(() => fill("findings", slalom.findings));
  later(() => fill("heat", slalom.heatMaps));
  later(() => part("range", data.range_test && slalom.rangeTest));
  later(() => part("schedule", data.schedule && slalom.schedule));
  later(() => fill("details", slalom.details));
  // What lies in another tab is made when it is first seen.
  const seen = (tab, id, fill) => {
    let made = false;
    const make = () => { if (!made) { made = true; part(id, fill); } };
    slalom.on(`tab-${tab}`, make);
    if (at(`tab-${tab}`) && !at(`tab-${tab}`).hidden) make();
  };
  seen("landscape", "landscapes", slalom.landscapes);
  seen("search", "history", slalom.search);
  seen("playground", "playground", slalom.playground);
  seen("activations", "activations", slalom.activations);
  later(() => { performance.mark("slalom-ready"); document.documentElement.dataset.ready = "yes"; });
  slalom.begin();
}
