"use strict";
// The rules as buttons: click shows or hides one, double click shows it alone.
{
  const { el, data } = slalom;
  slalom.legend = (mount) => {
    const all = [...data.rules.keys()];
    const order = [...data.rows.map(slalom.ruleOf), ...all.filter((i) => !slalom.rowOf(i))];
    const buttons = order.map((rule) => el("button", { type: "button", class: "key", title: "Click: show or hide. Double click: this one alone.",
      onclick: (event) => event.detail < 2 && slalom.toggle(rule), ondblclick: () => slalom.show([rule]),
      onmouseenter: () => slalom.point({ rule }), onmouseleave: () => slalom.point(null),
      onfocus: () => slalom.point({ rule }), onblur: () => slalom.point(null) }, slalom.swatch(rule), data.rules[rule]));
    const every = el("button", { type: "button", class: "key all", onclick: () => slalom.show(slalom.shownCount() === all.length ? [] : all) });
    const update = () => {
      buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(slalom.shown(order[i]))));
      every.textContent = slalom.shownCount() === all.length ? "Hide all" : "Show all";
    };
    const mark = () => {
      const h = slalom.highlight();
      buttons.forEach((button, i) => button.classList.toggle("lit", Boolean(h) && h.rule === order[i]));
    };
    mount.append(...buttons, every);
    slalom.on("shown", update);
    slalom.on("highlight", mark);
    update();
    mark();
  };
}
