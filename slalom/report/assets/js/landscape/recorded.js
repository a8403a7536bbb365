"use strict";
// Landscapes that were recorded: heights on a grid, and the paths that were walked over them, to be played.
{
  const { el, number } = slalom;

  const scene = (s) => {
    const field = slalom.field({ box: s.box, log: s.log, n: s.side, z: slalom.unpack(s.z)[0] });
    const ways = s.ways ? Object.fromEntries(Object.entries(s.ways).map(([name, packed]) => [name, slalom.unpack(packed)])) : null;
    const many = (rule) => s.walks.filter((w) => w.rule === rule);
    const paths = s.walks.map((w, k) => {
      const mine = many(w.rule), band = mine.length > 1, at = mine.indexOf(w);
      const colour = band ? () => slalom.stretch(at, mine.length) : () => slalom.colour(w.colour);
      const end = ways.x[k].findIndex((v, i) => !Number.isFinite(v) || !Number.isFinite(ways.y[k][i]));
      const [x, y, losses] = ["x", "y", "losses"].map((name) => (end < 0 ? ways[name][k] : ways[name][k].slice(0, Math.max(1, end))));
      return { ...w, k, x, y, losses, colour, dash: band ? [] : slalom.dash(w.colour), swatch: () => (band ? slalom.blob(colour()) : slalom.swatch(w.colour)),
        head: band ? (ctx, px, py, r) => slalom.disc(ctx, px, py, r, colour()) : (ctx, px, py, r) => slalom.marker(ctx, w.colour, px, py, r),
        words: (i) => [`${w.rule}, lr ${slalom.lr(w.lr)}`, `step ${s.steps[i]}: ${number(losses[i], 4)} at (${number(x[i], 3)}, ${number(y[i], 3)})`, ...(w.note ? [w.note] : [])] };
    });
    return { field, start: s.start, minima: s.minima, saddles: [], steps: s.steps.length - 1, names: s.steps, paths };
  };

  // A row a path: shown or not, its lr, the loss where it is, how it ended; sorted by who was there first.
  const table = (whole, show, light) => {
    const order = [...whole.paths].sort((a, b) => (a.arrived ?? Infinity) - (b.arrived ?? Infinity) || (a.stopped !== null) - (b.stopped !== null) || a.losses.at(-1) - b.losses.at(-1));
    const rows = order.map((p) => {
      const box = el("input", { type: "checkbox", checked: true, onchange: () => { p.hidden = !box.checked; node.classList.toggle("off", p.hidden); show(); } });
      const now = el("td", { class: "num" }), end = el("td", { class: "end" });
      const node = el("tr", { onmouseenter: () => light(p), onmouseleave: () => light(null) },
        el("td", {}, el("label", { class: "key-row" }, box, p.swatch(), p.rule)), el("td", { class: "num" }, slalom.lr(p.lr)), now, end);
      return { p, node, now, end };
    });
    const every = el("button", { type: "button", onclick: () => {
      const on = !rows.some(({ p }) => !p.hidden);
      for (const { p, node } of rows) { p.hidden = !on; node.classList.toggle("off", !on); node.querySelector("input").checked = on; }
      show();
    } }, "All or none");
    const told = (i) => rows.forEach(({ p, now, end }) => {
      const step = whole.names[i], gone = p.stopped !== null && step >= p.stopped;
      now.textContent = gone ? "–" : number(p.losses[Math.min(i, p.losses.length - 1)], 3);
      end.textContent = gone ? `let go, step ${p.stopped}` : p.arrived !== null && p.arrived <= step ? `there at ${p.arrived}` : "";
      end.className = gone ? "end bad" : "end good";
    });
    const node = el("div", { class: "panel" }, el("table", { class: "walkers" }, el("thead", {}, el("tr", {}, ["rule", "lr", "now", ""].map((t, i) => el("th", { class: i === 1 || i === 2 ? "num" : "", scope: "col" }, t)))), el("tbody", {}, rows.map((r) => r.node))), rows.length > 1 ? el("div", { class: "tools" }, every) : null);
    return { node, told, hover: (p) => rows.forEach((r) => r.node.classList.toggle("lit", r.p === p)), redo: () => rows.forEach(({ p, node: row }) => row.querySelector(".swatch").replaceWith(p.swatch())) };
  };

  const one = (s, alone) => {
    const whole = scene(s), left = el("div", { class: "picture" });
    const shown = () => whole.paths.filter((p) => !p.hidden);
    const list = whole.paths.length ? table(whole, () => show(false), (p) => player.light(p ? shown().indexOf(p) : null)) : null;
    const player = slalom.player(left, { told: (i) => list?.told(i), hover: (k) => list?.hover(k === null ? null : shown()[k]),
      here: (x, y) => [`loss ${number(whole.field.value(x, y), 4)}`, `at (${number(x, 3)}, ${number(y, 3)})`] });
    const show = (fresh) => player.show({ ...whole, paths: shown() }, fresh);
    show(true);
    left.append(el("p", { class: "hint" }, [s.caption, whole.minima.length ? "○ start, + minimum" : whole.paths.length ? "○ start" : "○ the network itself", "in 3-D, drag to turn"].filter(Boolean).join("; ") + "."));
    if (list) slalom.on("theme", list.redo);
    return { player, node: el("div", { class: alone && list ? "play" : "scene" }, left, list ? list.node : null) };
  };

  const csv = (figure) => {
    const rows = [["scene", "rule", "lr", "step", "x", "y", "loss"]];
    figure.scenes.forEach((s, i) => scene(s).paths.forEach((p) => p.x.forEach((v, j) => rows.push([s.caption || i + 1, p.rule, p.lr, s.steps[j], ...[v, p.y[j], p.losses[j]].map((n) => Number(n.toPrecision(6)))]))));
    return rows;
  };

  slalom.landscapes = (mount) => {
    slalom.players = [];
    for (const figure of slalom.data.landscapes) {
      const card = el("section", { class: "card wide" }, el("h2", {}, figure.title), el("p", { class: "hint about" }, figure.about));
      const grid = el("div", { class: figure.scenes.length > 1 ? "scenes" : "" });
      card.append(el("p", { class: "facts" }, figure.facts.map(([name, value]) => el("span", {}, el("i", {}, name), value))), grid);
      mount.append(card);
      for (const s of figure.scenes) {
        const made = one(s, figure.scenes.length === 1);
        slalom.players.push(made.player);
        grid.append(made.node);
      }
      if (figure.line) slalom.lineBetween(grid, figure.line);
      if (figure.scenes.some((s) => s.walks.length)) card.append(el("div", { class: "tools" }, el("button", { type: "button", onclick: () => slalom.save("paths.csv", csv(figure)) }, "Paths as CSV")));
      for (const note of figure.notes) card.append(el("p", { class: "hint" }, note));
    }
  };
}
