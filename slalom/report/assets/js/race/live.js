"use strict";
// A page that is live: the server tells, over one stream of events, all data again whenever the race has gone on.
{
  const { el, data } = slalom;
  const words = el("span"), dot = el("i", { class: "dot" });
  const line = el("p", { id: "live", role: "status", "data-state": "waiting" }, dot, words);
  document.getElementById("facts").after(line);

  const say = (state, text) => { line.dataset.state = state; words.textContent = text; };
  const progress = () => {
    const l = data.live;
    const parts = [l.ended ? "The race has ended" : l.epoch ? `Epoch ${l.epoch} of ${l.epochs}` : "The race is about to begin",
      `${slalom.count(l.done, "lane")} of ${l.lanes} done`, l.retired ? `${l.retired} retired` : ""];
    say(l.ended ? "ended" : "live", parts.filter(Boolean).join(", ") + (l.ended ? "." : ". Ranked by validation so far; the test part is opened at the end."));
  };
  progress();

  const source = new EventSource(`events${location.search}`);
  const heard = (name, act) => source.addEventListener(name, (event) => act(JSON.parse(event.data)));
  heard("race", (fresh) => { slalom.refresh(fresh); progress(); });
  heard("bye", () => { source.close(); say("ended", `${words.textContent} The server has gone; the page keeps what it shows.`); });
  source.onopen = progress;
  source.onerror = () => say("lost", source.readyState === EventSource.CLOSED ? "The server has gone; the page keeps what it shows." : "The connection is lost; trying again.");
}
