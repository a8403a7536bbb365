"use strict";
// The page's one global, and how it makes elements: attributes and text nodes only, never markup from a string.
const slalom = { data: JSON.parse(document.getElementById("slalom-data").textContent) };
{
  // How the parts of the page tell each other that something has changed.
  const listeners = {};
  slalom.on = (event, listener) => (listeners[event] ||= []).push(listener);
  slalom.emit = (event) => (listeners[event] || []).forEach((listener) => listener());

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
