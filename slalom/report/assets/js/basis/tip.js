"use strict";
// What is said of what is pointed at.
{
  // A box beside a point of the chart: the first line strong, the others plain; all of it text.
  // `anchor`: the element that x and y count from.
  slalom.tip = (mount, anchor = () => mount.querySelector(".u-over")) => {
    const box = slalom.el("div", { class: "tip", role: "status", hidden: true });
    mount.append(box);
    return {
      hide: () => { box.hidden = true; },
      show: (rule, lines, x, y) => {
        box.replaceChildren(...lines.map((line, i) => slalom.el(i ? "div" : "strong", {}, ...(i || rule === null ? [] : [slalom.swatch(rule)]), line)));
        box.hidden = false;
        const plot = anchor();
        const left = plot.offsetLeft + x, top = plot.offsetTop + y;
        const room = mount.clientWidth - box.offsetWidth - 4;
        const side = left + 16 > room ? left - box.offsetWidth - 16 : left + 16;
        box.style.left = `${Math.max(4, Math.min(side, room))}px`;
        box.style.top = `${Math.max(0, Math.min(top - box.offsetHeight / 2, mount.clientHeight - box.offsetHeight))}px`;
      },
    };
  };
}
