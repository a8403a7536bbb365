"use strict";
// The page's one global, and how it makes elements: attributes and text nodes only, never markup from a string.
const slalom = { data: JSON.parse(document.getElementById("slalom-data").textContent) };
{
  // Columns of few different values come as those values and which of them each row has.
  const decoded = (data) => {
    for (const [name, column] of Object.entries(data.lanes || {}))
      if (!Array.isArray(column)) data.lanes[name] = column.rows.map((k) => column.values[k]);
    return data;
  };
  decoded(slalom.data);

  // How the parts of the page tell each other that something has changed.
  const listeners = {};
  let recorder = null;
  slalom.on = (event, listener) => {
    (listeners[event] ||= []).push(listener);
    recorder?.push([event, listener]);
  };
  slalom.emit = (event) => [...(listeners[event] || [])].forEach((listener) => listener());

  // Fills a part of the page now, and again whenever the data has changed; what it listened to before is let go.
  slalom.fill = (mount, make) => {
    let mine = [];
    const again = () => {
      for (const [event, listener] of mine) listeners[event].splice(listeners[event].indexOf(listener), 1);
      mine = recorder = [];
      mount.replaceChildren();
      make(mount);
      recorder = null;
    };
    again();
    slalom.on("data", again);
  };

  // New data, put into the arrays and objects that every part already holds.
  const into = (old, fresh) => {
    if (Array.isArray(old)) {
      old.length = 0;
      for (const item of fresh) old.push(item);
      return;
    }
    for (const key of Object.keys(old)) if (!(key in fresh)) delete old[key];
    for (const [key, value] of Object.entries(fresh)) put(old, key, value);
  };
  const put = (holder, key, value) => {
    const old = holder[key], both = old && value && typeof old === "object" && typeof value === "object";
    if (both && Array.isArray(old) === Array.isArray(value)) into(old, value);
    else holder[key] = value;
  };
  slalom.refresh = (fresh) => {
    for (const [key, value] of Object.entries(decoded(fresh))) put(slalom.data, key, value);
    slalom.emit("data");
  };

  // What can wait until the page is first painted: one thing at a time, so that the reader's hand comes between. Before it is
  // printed, all of it.
  const waiting = [];
  const next = () => {
    waiting.shift()?.();
    if (waiting.length) setTimeout(next);
  };
  slalom.later = (make) => waiting.push(make);
  slalom.rest = () => { while (waiting.length) waiting.shift()(); };
  slalom.begin = () => {
    let begun = false;
    const go = () => { if (!begun) { begun = true; next(); } };
    requestAnimationFrame(() => setTimeout(go));
    setTimeout(go, 150); // a tab behind others is never painted
  };
  addEventListener("beforeprint", slalom.rest);

  const fill = (node, props, children) => {
    for (const [name, value] of Object.entries(props || {})) {
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (value === true) node.setAttribute(name, "");
      else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
    }
    node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
    return node;
  };
  slalom.el = (tag, props, ...children) => fill(document.createElement(tag), props, children);
  slalom.svg = (tag, props, ...children) =>
    fill(document.createElementNS("http://www.w3.org/2000/svg", tag), props, children);

  // A row of buttons of which one is on: how the page offers a choice between a few things.
  slalom.choice = (label, options, chosen, onchange) => {
    const group = slalom.el("div", { class: "choice", role: "group", "aria-label": label });
    for (const [value, text] of options) {
      const button = slalom.el("button", { type: "button", "aria-pressed": String(value === chosen) }, text);
      button.addEventListener("click", () => {
        for (const other of group.children) other.setAttribute("aria-pressed", String(other === button));
        onchange(value);
      });
      group.append(button);
    }
    return group;
  };
}
