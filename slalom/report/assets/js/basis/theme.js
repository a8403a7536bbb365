"use strict";
// Light or dark: the system's choice until the reader makes one, which is kept where the browser allows it.
{
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const stored = () => {
    try { return localStorage.getItem("slalom-theme"); } catch { return null; } // file:// may forbid storage
  };
  let chosen = stored(), printing = false;
  slalom.dark = () => !printing && (chosen ? chosen === "dark" : system.matches);
  slalom.printing = () => printing;
  let known = new Map(); // asking the browser costs a look at all styles
  slalom.css = (name) => {
    if (!known.has(name)) known.set(name, getComputedStyle(root).getPropertyValue(name).trim());
    return known.get(name);
  };

  const button = document.getElementById("theme");
  const apply = () => {
    root.dataset.theme = slalom.dark() ? "dark" : "light";
    known = new Map();
    button.textContent = slalom.dark() ? "Light" : "Dark";
    button.setAttribute("aria-label", `Switch to ${slalom.dark() ? "light" : "dark"} colours`);
    slalom.emit("theme");
  };
  button.addEventListener("click", () => {
    chosen = slalom.dark() ? "light" : "dark";
    try { localStorage.setItem("slalom-theme", chosen); } catch { /* lasts for this visit */ }
    apply();
  });
  system.addEventListener("change", apply);
  for (const [event, on] of [["beforeprint", true], ["afterprint", false]])
    addEventListener(event, () => {
      const before = slalom.dark();
      printing = on;
      if (slalom.dark() !== before) apply();
    });
  apply();
}
