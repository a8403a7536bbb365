"use strict";
// The playground: surface, rules, learning rates and momentum under the hand, every path computed here as they move.
{
  const { el, number } = slalom;
  const RADFORD = ["sgd", "momentum", "nag", "adagrad", "adadelta", "rmsprop", "adam"]; // as in the animations of 2014
  const BAND = [-1, -0.75, -0.5, -0.25, 0, 0.25, 0.5, 0.75, 1]; // decades around the middle
  const BOUND = { one: [-5, 2], own: [-1.5, 1.5], band: [-1.5, 1.5] }; // of the slider, in decades

  slalom.playground = (mount) => {
    const { surfaces, rules } = slalom.data.playground;
    const byName = new Map(rules.map((r) => [r.name, r]));
    const state = { surface: surfaces[0], angle: 0, shown: new Set(RADFORD.filter((r) => byName.has(r))), mode: "own",
      decades: { own: 0, one: -2, band: 0 }, banded: "momentum", momentum: null, steps: surfaces[0].steps, start: null, seed: 1 };
    let scene = null, surface = null, rows = [], fieldOf = "";

    // What the catalogue picked by hand for this surface; the rule's own default where it picked none.
    const own = (name) => state.surface.lrs[name] ?? byName.get(name).hypers.lr;
    const hypers = (name, lr) => {
      const rule = byName.get(name), set = { ...rule.hypers, lr };
      if (state.momentum !== null && rule.momentum) set[rule.momentum] = state.momentum;
      return set;
    };
    const between = (k) => slalom.stretch(k, BAND.length);
    // The walkers of the picture: {key, rule, lr, colour, dash, head}
    const walkers = () => {
      const scale = 10 ** state.decades[state.mode];
      if (state.mode === "band")
        return BAND.map((decades, k) => ({ key: k, rule: state.banded, lr: own(state.banded) * scale * 10 ** decades, colour: () => between(k), dash: [],
          head: (ctx, x, y, r) => slalom.disc(ctx, x, y, r, between(k)) }));
      return rules.filter((r) => state.shown.has(r.name)).map((r) => ({ key: r.name, rule: r.name, lr: state.mode === "own" ? own(r.name) * scale : scale,
        colour: () => slalom.colour(r.colour), dash: slalom.dash(r.colour), head: (ctx, x, y, size) => slalom.marker(ctx, r.colour, x, y, size) }));
    };

    const update = (fresh = false) => {
      surface = slalom.surface(state.surface, state.angle);
      const key = `${state.surface.name} ${state.angle}`;
      const field = fieldOf === key ? scene.field : slalom.field({ box: state.surface.box, log: state.surface.log, n: surface.rows ? 48 : 96, height: surface.height });
      fieldOf = key;
      const start = state.start || surface.start, batches = slalom.batches(surface, state.steps, state.seed);
      const paths = walkers().map((w) => ({ ...w, ...slalom.walk(surface, w.rule, hypers(w.rule, w.lr), start, state.steps, batches) }));
      for (const p of paths)
        p.words = (step) => [`${byName.get(p.rule).label}, lr ${slalom.lr(p.lr)}`, `step ${step}: f(${number(p.x[step], 3)}, ${number(p.y[step], 3)}) = ${number(surface.height(p.x[step], p.y[step]), 3)}`];
      scene = { field, start, minima: surface.minima, saddles: surface.saddles, steps: state.steps, paths };
      table();
      player.show(scene, fresh);
      say();
    };

    // A row a path: its sign, its lr, where it is at the step shown, and how it ended.
    const body = el("tbody");
    const table = () => {
      rows = [];
      const line = (p, name, sign, box) => {
        const cells = { f: el("td", { class: "num" }), end: el("td", { class: "end" }) };
        const k = p ? scene.paths.indexOf(p) : null;
        const node = el("tr", { class: p ? "" : "off", onmouseenter: () => player.light(k), onmouseleave: () => player.light(null) },
          el("td", {}, el("label", { class: "key-row" }, box, sign, name)), el("td", { class: "num" }, p ? slalom.lr(p.lr) : ""), cells.f, cells.end);
        if (p) rows.push({ p, ...cells, node });
        return node;
      };
      if (state.mode === "band") {
        body.replaceChildren(...scene.paths.map((p) => line(p, byName.get(state.banded).label, slalom.blob(p.colour()), null)));
      } else body.replaceChildren(...rules.map((r) => {
        const box = el("input", { type: "checkbox", "data-rule": r.name, onchange: () => { if (box.checked) state.shown.add(r.name); else state.shown.delete(r.name); update(); mount.querySelector(`[data-rule="${r.name}"]`)?.focus(); } });
        box.checked = state.shown.has(r.name);
        return line(scene.paths.find((p) => p.rule === r.name), r.label, slalom.swatch(r.colour), box);
      }));
    };
    const told = (step) => {
      for (const { p, f, end } of rows) {
        const i = Math.min(step, p.x.length - 1), gone = p.lost !== null && step >= p.lost;
        f.textContent = gone ? "–" : number(surface.height(p.x[i], p.y[i]), 3);
        end.textContent = gone ? `exploded, step ${p.lost}` : p.arrived !== null && p.arrived <= step ? `there at ${p.arrived}` : "";
        end.className = gone ? "end bad" : "end good";
      }
    };
    const hover = (k) => rows.forEach(({ p, node }) => node.classList.toggle("lit", scene.paths.indexOf(p) === k));

    // -- what the reader may set -----------------------------------------------------------------------------------
    const about = el("p", { class: "hint about" });
    const say = () => {
      about.replaceChildren(el("code", {}, `f(x, y) = ${state.surface.text}`), ` ${state.surface.about}. A method is there when ${state.surface.goal}.`);
      const ends = BOUND[state.mode];
      [rate.min, rate.max, rate.value] = [...ends, state.decades[state.mode]];
      const v = 10 ** state.decades[state.mode];
      rateSaid.textContent = state.mode === "one" ? slalom.lr(v) : `× ${slalom.lr(v)}`;
      rateName.textContent = { own: "all rates", one: "learning rate", band: "the band" }[state.mode];
      kept.textContent = { own: "Each rule at a rate picked by hand for this surface, to show what it is known for; not tuned, so no contest.",
        one: "The same rate for every rule. Fair to none: a rate means something else to each.",
        band: "One rule over two decades of rates: what a rate does." }[state.mode];
      band.hidden = state.mode !== "band";
      noise.hidden = !surface.rows;
      momentumSaid.textContent = state.momentum === null ? "as it is" : String(state.momentum);
    };
    const slider = (label, props, apply) => {
      const input = el("input", { type: "range", "aria-label": label, ...props, oninput: () => apply(Number(input.value)) });
      return input;
    };
    const rateName = el("span"), rateSaid = el("output"), momentumSaid = el("output"), stepsSaid = el("output", {}, String(state.steps));
    const rate = slider("Learning rate", { id: "play-lr", step: 0.05 }, (v) => { state.decades[state.mode] = v; update(); });
    const momentum = slider("Momentum", { id: "play-momentum", min: 0, max: 0.99, step: 0.01, value: 0.9 }, (v) => { state.momentum = v; update(); });
    const steps = slider("Steps", { id: "play-steps", min: 20, max: 1000, step: 10, value: state.steps }, (v) => { state.steps = v; stepsSaid.textContent = String(v); update(true); });
    const kept = el("p", { class: "hint" });
    const pick = el("select", { id: "play-surface", "aria-label": "Surface", onchange: () => {
      state.surface = surfaces.find((s) => s.name === pick.value);
      state.start = null;
      state.steps = state.surface.steps;
      steps.value = String(state.steps);
      stepsSaid.textContent = steps.value;
      update(true);
    } }, surfaces.map((s) => el("option", { value: s.name }, s.title)));
    const angles = slalom.choice("Rotation", [[0, "upright"], [45, "turned by 45°"]], 0, (v) => { state.angle = v; state.start = null; update(true); });
    const modes = slalom.choice("Learning rates", [["own", "each its own"], ["one", "one for all"], ["band", "a band"]], "own", (v) => { state.mode = v; update(); });
    const bandPick = el("select", { "aria-label": "Rule of the band", onchange: () => { state.banded = bandPick.value; update(); } },
      rules.map((r) => el("option", { value: r.name, selected: r.name === state.banded }, r.label)));
    const band = el("label", { class: "slider" }, "rule", bandPick);
    const noise = el("button", { type: "button", onclick: () => { state.seed += 1; update(); } }, "Draw other batches");
    const again = el("button", { type: "button", onclick: () => {
      Object.assign(state, { decades: { own: 0, one: -2, band: 0 }, momentum: null, start: null, steps: state.surface.steps });
      momentum.value = "0.9";
      steps.value = String(state.steps);
      stepsSaid.textContent = steps.value;
      update(true);
    } }, "Reset");

    const left = el("div", { class: "picture" });
    const right = el("div", { class: "panel" }, modes, band,
      el("label", { class: "slider wide" }, rateName, rate, rateSaid), el("label", { class: "slider wide" }, el("span", {}, "momentum"), momentum, momentumSaid),
      el("label", { class: "slider wide" }, el("span", {}, "steps"), steps, stepsSaid), el("div", { class: "tools" }, again, noise), kept,
      el("table", { class: "walkers" }, el("thead", {}, el("tr", {}, ["rule", "lr", "f now", ""].map((t, i) => el("th", { class: i === 1 || i === 2 ? "num" : "", scope: "col" }, t)))), body));
    mount.append(el("div", { class: "tools" }, pick, angles), about, el("div", { class: "play" }, left, right));
    const player = slalom.player(left, { told, hover, pick: (x, y) => { state.start = [x, y]; update(); } });
    left.append(el("p", { class: "hint" }, "Click the flat picture to start somewhere else. ○ start, + minimum. In 3-D, drag to turn."));
    update(true);
    slalom.on("theme", () => state.mode === "band" && table());
    slalom.play = { state, update, player, scene: () => scene };
  };
}
