"use strict";
// Puts the pictures of a search in their places.
{
  const { el } = slalom, data = slalom.data.search, at = (id) => document.getElementById(id);
  const table = () => [["trial", "state", "epoch", "loss", data.metric, ...data.axes.map((a) => a.name)],
    ...data.points.map((p) => [p.number, p.state, p.epoch, p.loss, p.metric, ...p.values])];
  // A picture as wide as its place, drawn again when that changes; returns how to draw it again.
  const drawn = (mount, draw) => {
    let width = 0;
    const again = () => { width = mount.clientWidth; if (width) mount.replaceChildren(draw(Math.max(280, width))); };
    new ResizeObserver(() => Math.abs(mount.clientWidth - width) > 1 && again()).observe(mount);
    again();
    return again;
  };
  slalom.search = () => {
    at("search-tools").append(el("button", { type: "button", onclick: () => slalom.save("trials.csv", table()) }, "Trials as CSV"));
    for (const [name, value] of data.facts) at("search-facts").append(el("span", {}, el("i", {}, name), value));
    for (const text of data.warnings) at("warnings").append(el("li", {}, text));
    if (!data.warnings.length) at("warnings").append(el("li", {}, "nothing"));
    for (const text of data.notes) at("notes").append(el("li", {}, text));
    for (const [name, value] of Object.entries(data.config)) at("config").append(el("dt", {}, name), el("dd", {}, slalom.short(value)));
    const nothing = (id) => at(id).append(el("p", { class: "hint" }, "too few trials to draw it"));
    const important = data.axes.map((a, i) => [a.importance === null ? -1 : a.importance, i]).sort((a, b) => b[0] - a[0]).map(([, i]) => i);
    if (data.points.some((p) => p.loss !== null && p.state !== "diverged")) {
      drawn(at("history"), slalom.history);
      drawn(at("parallel"), slalom.parallel);
      const picture = el("div", {});
      let chosen = important[0];
      const select = el("select", { "aria-label": "hyper", onchange: (event) => { chosen = Number(event.target.value); again(); } }, important.map((i) => el("option", { value: i }, data.axes[i].name)));
      at("slices").append(select, picture);
      const again = drawn(picture, (width) => slalom.slice(width, chosen));
    } else for (const id of ["history", "parallel", "slices"]) nothing(id);
    if (data.axes.some((a) => a.importance !== null)) {
      drawn(at("importance"), slalom.importances);
      at("importance-hint").textContent = `Share of the variance of losses after ${slalom.count(data.epoch, "epoch")} (fANOVA); the line is the bootstrap's standard deviation.`;
    } else nothing("importance");
    if (data.contour) drawn(at("contour"), slalom.contour);
    else nothing("contour");
  };
}
