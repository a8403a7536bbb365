"use strict";
// Puts the pictures of a search in their places.
{
  const { el } = slalom, data = slalom.data.search, at = (id) => document.getElementById(id);
  const table = () => [["trial", "state", "epoch", "loss", data.metric, ...data.axes.map((a) => a.name)],
    ...data.points.map((p) => [p.number, p.state, p.epoch, p.loss, p.metric, ...p.values])];
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
      at("history").append(slalom.history());
      at("parallel").append(slalom.parallel());
      const picture = el("div", {}), show = (k) => picture.replaceChildren(slalom.slice(Number(k)));
      const select = el("select", { "aria-label": "hyper", onchange: (event) => show(event.target.value) }, important.map((i) => el("option", { value: i }, data.axes[i].name)));
      at("slices").append(select, picture);
      show(important[0]);
    } else for (const id of ["history", "parallel", "slices"]) nothing(id);
    if (data.axes.some((a) => a.importance !== null)) {
      at("importance").append(slalom.importances());
      at("importance-hint").textContent = `Share of the variance of losses after ${data.epoch} epochs (fANOVA); the line is the bootstrap's standard deviation.`;
    } else nothing("importance");
    if (data.contour) at("contour").append(slalom.contour());
    else nothing("contour");
  };
}
