"use strict";
// What ran and where: notes, retired lanes, plan, data and environment, as text.
{
  const { el, data, count } = slalom;

  const empty = (value) => value === null || value === undefined || value === "" || (typeof value === "object" && !Object.keys(value).length);
  const words = (value) => {
    if (empty(value)) return "–";
    if (typeof value === "boolean") return value ? "yes" : "no";
    if (Array.isArray(value)) {
      const rising = value.length > 6 && value.every((v, i) => typeof v === "number" && (!i || v > value[i - 1]));
      return rising ? `${words(value[0])} to ${words(value.at(-1))} (${value.length} values)` : value.map(words).join(", ");
    }
    if (typeof value === "object")
      return Object.entries(value).filter(([, v]) => !empty(v)).map(([k, v]) => `${k} ${words(v)}`).join(", ");
    if (typeof value !== "number") return value;
    return Number.isInteger(value) ? String(value) : slalom.number(value, 3);
  };
  const lines = (value) => {
    if (!value || typeof value !== "object") return words(value);
    const items = Array.isArray(value) ? value.map((v) => ["", v]) : Object.entries(value).filter(([, v]) => !empty(v));
    if (Array.isArray(value) && !value.some((v) => v && typeof v === "object")) return words(value);
    return el("ul", {}, items.map(([k, v]) => el("li", {}, k ? el("span", { class: "sub" }, `${k} `) : null, words(v))));
  };
  const facts = (table) => {
    const all = Object.entries(table), unset = all.filter(([, v]) => empty(v)).map(([k]) => k.replaceAll("_", " "));
    return el("dl", {}, all.filter(([, v]) => !empty(v)).map(([k, v]) => [el("dt", {}, k.replaceAll("_", " ")), el("dd", {}, lines(v))]),
      unset.length ? [el("dt", {}, "not set"), el("dd", {}, unset.join(", "))] : null);
  };
  const section = (title, open, ...content) => el("details", { open }, el("summary", {}, title), ...content);

  slalom.details = (mount) => {
    const { notes, retired, plan, environment, curves, rules } = data;
    const perRule = rules.map((rule) => [rule, retired.filter((r) => r.rule === rule).length]).filter(([, n]) => n);
    const lane = (r) => el("tr", {}, [r.rule, slalom.lr(r.lr), r.seed, r.step ?? "–", r.reason].map((v) => el("td", {}, String(v))));
    mount.append(...[
      notes.length ? section(`Notes (${notes.length})`, true, el("ul", {}, notes.map((note) => el("li", {}, note)))) : null,
      retired.length ? section(`Retired lanes (${retired.length})`, false,
        el("p", { class: "hint" }, `A lane that turns non-finite stops alone: ${perRule.map(([rule, n]) => `${rule} ${n}`).join(", ")}.`),
        el("div", { class: "scroll" }, el("table", { class: "plain" }, el("thead", {}, el("tr", {}, ["rule", "lr", "seed", "at step", "why"].map((t) => el("th", { scope: "col" }, t)))), el("tbody", {}, retired.map(lane))))) : null,
      section("Plan", false, facts(plan)),
      section("Data", false, facts(data.data)),
      section("Environment", false, facts(environment)),
      section("How to read this page", false, el("ul", {},
        el("li", {}, "Each rule is shown at its own best learning rate, chosen on validation; the test figure is reported, never tuned on."),
        el("li", {}, `± is the standard deviation over ${count(data.seeds, "seed")}. “Behind the leader” is the paired difference on the test set over seeds, ± its standard error; positive is worse.`),
        el("li", {}, "A rule is tied with the leader when that difference cannot be told from chance. The range beside a best learning rate holds the neighbours that validation cannot tell from it."),
        el("li", {}, `Curves are stored in 12 bits a point, within ${slalom.number(100 * curves.error, 2)} % of the exact value.`),
        el("li", {}, "Hover or focus a row, a curve, a cell or a point to find it everywhere; click to keep it, Escape to let go. Drag in a chart to zoom, double click to see all. In a chart the arrow keys walk along the curves."))),
    ].filter(Boolean));
  };
}
