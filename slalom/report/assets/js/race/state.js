"use strict";
// What the parts of the page tell each other: which rules are shown, and what the reader points at.
{
  const { lanes, rules, rows } = slalom.data;
  const shown = new Set(rules.keys());
  let known = rules.length;
  slalom.on("data", () => { // a race that runs may bring in rules that it had not begun
    for (; known < rules.length; known++) shown.add(known);
  });
  slalom.shown = (rule) => shown.has(rule);
  slalom.show = (wanted) => {
    shown.clear();
    for (const rule of wanted) shown.add(rule);
    slalom.emit("shown");
  };
  slalom.toggle = (rule) => slalom.show(shown.has(rule) ? [...shown].filter((r) => r !== rule) : [...shown, rule]);
  slalom.shownCount = () => shown.size;

  // A highlight is {rule, lr?, lane?}, or null. A pinned one stays until another is pinned or Escape is pressed.
  let pointed = null, pinned = null;
  const key = (h) => h && [h.rule, h.lr, h.lane].join();
  const set = (next, nextPinned) => {
    const before = key(slalom.highlight());
    const pinBefore = key(pinned);
    pointed = next;
    pinned = nextPinned;
    if (key(slalom.highlight()) !== before || key(pinned) !== pinBefore) slalom.emit("highlight");
  };
  slalom.highlight = () => pointed || pinned;
  slalom.pinned = () => pinned;
  slalom.point = (highlight) => set(highlight, pinned);
  slalom.pin = (highlight) => set(pointed, key(highlight) === key(pinned) ? null : highlight);
  document.addEventListener("keydown", (event) => event.key === "Escape" && set(null, null));

  // The lanes that a highlight means: one lane, all seeds of one lr, or a rule's best lr.
  slalom.lanesOf = (h) => {
    if (!h) return [];
    if (h.lane !== undefined) return [h.lane];
    const found = [];
    for (let k = 0; k < lanes.rule.length; k++)
      if (lanes.rule[k] === h.rule && (h.lr === undefined ? lanes.best[k] : lanes.lr[k] === h.lr)) found.push(k);
    return found;
  };
  slalom.rowOf = (rule) => rows.find((row) => row.rule === rules[rule]);
  slalom.ruleOf = (row) => rules.indexOf(row.rule);
}
