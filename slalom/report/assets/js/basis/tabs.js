"use strict";
// The page's parts as tabs: one is seen at a time, its name stands in the address, arrow keys move along.
{
  slalom.tabs = (mount) => {
    const panels = [...document.querySelectorAll("main[data-tab]")];
    const name = (panel) => panel.id.replace("tab-", "");
    const show = (wanted, focus = false) => {
      const chosen = panels.find((panel) => name(panel) === wanted) || panels[0];
      panels.forEach((panel, i) => {
        panel.hidden = panel !== chosen;
        buttons[i].setAttribute("aria-selected", String(panel === chosen));
        buttons[i].tabIndex = panel === chosen ? 0 : -1;
        if (panel === chosen && focus) buttons[i].focus();
      });
      slalom.emit(`tab-${name(chosen)}`);
    };
    const go = (panel, focus) => {
      history.replaceState(null, "", `#${name(panel)}`);
      show(name(panel), focus);
    };
    const buttons = panels.map((panel, i) => slalom.el("button", { type: "button", role: "tab", id: `to-${name(panel)}`, "aria-controls": panel.id,
      onclick: () => go(panel), onkeydown: (event) => {
        const next = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: panels.length - 1 }[event.key];
        if (next !== undefined) { event.preventDefault(); go(panels[(next + panels.length) % panels.length], true); }
      } }, panel.dataset.tab));
    panels.forEach((panel, i) => { panel.setAttribute("role", "tabpanel"); panel.setAttribute("aria-labelledby", buttons[i].id); });
    mount.append(...buttons);
    mount.hidden = panels.length < 2;
    addEventListener("hashchange", () => show(location.hash.slice(1)));
    show(location.hash.slice(1));
  };
}
