"use strict";
// Paths on a surface that play: flat or in space, scrubbed, slower or faster, turned by the hand. Two canvases: the surface
// below, which is painted when the view changes, and the paths above it, painted at every frame.
{
  const { el } = slalom;
  const SPEEDS = [[0.25, "¼×"], [0.5, "½×"], [1, "1×"], [2, "2×"], [4, "4×"]];
  const SECONDS = 8; // that a play takes at 1×, whatever the number of steps
  const TILT = 0.62;

  // scene: {field, start: [x, y], minima, saddles, steps, paths: [{name, colour(), dash, x, y, words(step)}]}
  // `names`: which step each is, where not all were kept.
  // options: {pick(x, y): called for a click on the flat picture, told(step), hover(index or null), here(x, y): words for a place}
  slalom.player = (mount, options) => {
    const view = { deep: false, turn: -0.65, tilt: TILT };
    let scene = null, lines = [], now = 0, speed = 1, playing = 0, lit = null, width = 0, height = 0;
    const base = el("canvas", {}), top = el("canvas", { class: "over" });
    const stage = el("div", { class: "stage", tabindex: 0, role: "application",
      "aria-label": "Paths on the surface. Space plays and pauses, arrow keys left and right move by a step; in space, up and down turn the surface." }, base, top);
    const tip = slalom.tip(stage, () => base);

    const canvas = (node) => {
      const dpr = devicePixelRatio || 1;
      if (node.width !== Math.round(width * dpr)) node.width = Math.round(width * dpr);
      if (node.height !== Math.round(height * dpr)) node.height = Math.round(height * dpr);
      const ctx = node.getContext("2d");
      ctx.setTransform(dpr, 0, 0, dpr, 0, 0);
      ctx.clearRect(0, 0, width, height);
      ctx.lineJoin = ctx.lineCap = "round";
      return ctx;
    };
    const camera = () => slalom.camera(width, height, scene.field.box, view);
    const place = (at, x, y) => at.point(x, y, view.deep ? scene.field.at(x, y) : 0);
    const paint = () => {
      if (!scene || !width) return;
      slalom.paintField(canvas(base), width, height, scene.field, view, lines);
      frame();
    };
    const along = (path, step) => { // where it is at a step, between two of them too
      const last = path.x.length - 1, i = Math.min(last, Math.floor(step)), u = Math.min(step, last) - i, j = Math.min(last, i + 1);
      return [path.x[i] + u * (path.x[j] - path.x[i]), path.y[i] + u * (path.y[j] - path.y[i])];
    };
    const trace = (ctx, at, path) => {
      ctx.beginPath();
      let on = false;
      const put = (x, y) => {
        if (!at.inside(x, y)) { on = false; return; }
        const [px, py] = place(at, x, y), a = Math.max(-4e3, Math.min(4e3, px)), b = Math.max(-4e3, Math.min(4e3, py));
        if (on) ctx.lineTo(a, b);
        else ctx.moveTo(a, b);
        on = true;
      };
      for (let i = 0; i <= Math.min(now, path.x.length - 1); i++) put(path.x[i], path.y[i]);
      put(...along(path, now));
    };
    const mark = (ctx, at, [x, y], draw) => {
      if (!at.inside(x, y)) return;
      const [px, py] = place(at, x, y);
      ctx.beginPath();
      draw(px, py);
      ctx.lineWidth = 3.5;
      ctx.strokeStyle = slalom.css("--card");
      ctx.stroke();
      ctx.lineWidth = 1.5;
      ctx.strokeStyle = slalom.css("--ink");
      ctx.stroke();
    };
    const frame = () => {
      if (!scene || !width) return;
      const ctx = canvas(top), at = camera();
      const cross = (d) => (px, py) => { ctx.moveTo(px - d, py); ctx.lineTo(px + d, py); ctx.moveTo(px, py - d); ctx.lineTo(px, py + d); };
      for (const m of scene.minima) mark(ctx, at, m, cross(6));
      if (scene.start) mark(ctx, at, scene.start, (px, py) => ctx.arc(px, py, 5, 0, 7));
      const order = [...scene.paths.keys()].sort((a, b) => (a === lit) - (b === lit));
      for (const k of order) {
        const path = scene.paths[k], strong = lit === null || lit === k;
        ctx.globalAlpha = strong ? 1 : 0.22;
        trace(ctx, at, path);
        ctx.lineWidth = lit === k ? 6 : 4;
        ctx.strokeStyle = slalom.css("--card");
        const alpha = ctx.globalAlpha;
        ctx.globalAlpha = 0.55 * alpha;
        ctx.stroke();
        ctx.globalAlpha = alpha;
        ctx.setLineDash(path.dash);
        ctx.lineWidth = lit === k ? 3.2 : 2;
        ctx.strokeStyle = path.colour();
        ctx.stroke();
        ctx.setLineDash([]);
      }
      for (const k of order) { // the heads above all lines
        const path = scene.paths[k], [x, y] = along(path, now);
        if (!at.inside(x, y) || Math.abs(x) > 1e6 || Math.abs(y) > 1e6) continue;
        const [px, py] = place(at, x, y);
        ctx.globalAlpha = lit === null || lit === k ? 1 : 0.3;
        path.head(ctx, px, py, lit === k ? 6.5 : 5);
      }
      ctx.globalAlpha = 1;
    };

    const whole = () => Math.round(now);
    const go = (step) => {
      now = Math.max(0, Math.min(scene.steps, step));
      scrub.value = String(whole());
      const name = (i) => (scene.names ? scene.names[i] : i); // of a path of which not all steps are kept
      said.textContent = `step ${name(whole())} of ${name(scene.steps)}`;
      frame();
      options.told(whole());
    };
    let before = 0;
    const tick = (time) => {
      if (!playing) return;
      const passed = Math.min(0.1, (time - before) / 1000);
      before = time;
      go(now + (passed * speed * scene.steps) / SECONDS);
      if (now >= scene.steps) pause();
      else playing = requestAnimationFrame(tick);
    };
    const pause = () => { cancelAnimationFrame(playing); playing = 0; play.textContent = "Play"; };
    const start = () => {
      if (now >= scene.steps) go(0);
      before = performance.now();
      play.textContent = "Pause";
      playing = requestAnimationFrame(tick);
    };
    const swap = () => (playing ? pause() : start());

    const play = el("button", { type: "button", class: "primary", onclick: swap }, "Play");
    const scrub = el("input", { type: "range", min: 0, max: 1, step: 1, value: 0, "aria-label": "Step", oninput: () => { pause(); go(Number(scrub.value)); } });
    const said = el("output", { class: "step" });
    const speeds = el("select", { "aria-label": "Speed", onchange: () => { speed = Number(speeds.value); } },
      SPEEDS.map(([v, text]) => el("option", { value: v, selected: v === 1 }, text)));
    const turning = el("input", { type: "range", min: -180, max: 180, step: 1, value: -37, "aria-label": "Turn the surface", oninput: () => { view.turn = (Number(turning.value) * Math.PI) / 180; paint(); } });
    const turner = el("label", { class: "slider", hidden: true }, "turn", turning);
    const deep = (on) => { view.deep = on; turner.hidden = !on; stage.classList.toggle("deep", on); tip.hide(); paint(); };
    const tools = el("div", { class: "tools" }, play, el("label", { class: "scrub" }, scrub, said), speeds,
      slalom.choice("View", [[false, "2-D"], [true, "3-D"]], false, deep), turner);
    mount.append(tools, stage);

    const nearest = (px, py) => {
      const at = camera();
      let best = null, distance = 14;
      scene.paths.forEach((path, k) => {
        for (let i = 0; i <= Math.min(now, path.x.length - 1); i++) {
          if (!at.inside(path.x[i], path.y[i])) continue;
          const [x, y] = place(at, path.x[i], path.y[i]), d = Math.hypot(x - px, y - py);
          if (d < distance) [best, distance] = [[k, i, x, y], d];
        }
      });
      return best;
    };
    const light = (k) => { if (k !== lit) { lit = k; frame(); options.hover(k); } };
    const local = (event) => { const r = base.getBoundingClientRect(); return [event.clientX - r.left, event.clientY - r.top]; };
    let held = null;
    stage.addEventListener("pointerdown", (event) => { held = { x: event.clientX, y: event.clientY, moved: false, turn: view.turn, tilt: view.tilt }; });
    stage.addEventListener("pointermove", (event) => {
      if (!scene) return;
      if (held && view.deep) {
        const dx = event.clientX - held.x, dy = event.clientY - held.y;
        if (Math.hypot(dx, dy) > 3) { held.moved = true; stage.setPointerCapture(event.pointerId); }
        view.turn = held.turn + dx / 160;
        view.tilt = Math.max(0.12, Math.min(1.45, held.tilt + dy / 220));
        turning.value = String(Math.round(((((view.turn * 180) / Math.PI + 180) % 360) + 360) % 360 - 180));
        paint();
        return;
      }
      const found = nearest(...local(event));
      light(found ? found[0] : null);
      const at = camera(), [px, py] = local(event);
      if (found) tip.show(null, scene.paths[found[0]].words(found[1]), found[2], found[3]);
      else if (options.here && at.back) tip.show(null, options.here(...at.back(px, py)), px, py);
      else tip.hide();
    });
    stage.addEventListener("pointerup", (event) => {
      const at = scene && camera();
      if (held && !held.moved && at && at.back && Math.hypot(event.clientX - held.x, event.clientY - held.y) < 4) options.pick?.(...at.back(...local(event)));
      held = null;
    });
    stage.addEventListener("pointerleave", () => { held = null; tip.hide(); light(null); });
    stage.addEventListener("keydown", (event) => {
      const turned = { ArrowUp: 0.1, ArrowDown: -0.1 }[event.key], moved = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (event.key === " ") swap();
      else if (moved) { pause(); go(whole() + moved); }
      else if (turned && view.deep) { view.turn += turned; paint(); }
      else return;
      event.preventDefault();
    });
    const fit = () => {
      const w = stage.clientWidth;
      if (!w || w === width) return;
      width = w;
      height = Math.round(Math.min(560, Math.max(260, w * 0.66)));
      for (const node of [base, top]) { node.style.width = `${width}px`; node.style.height = `${height}px`; }
      paint();
    };
    new ResizeObserver(fit).observe(stage);
    slalom.on("theme", paint);
    return {
      // `fresh`: another surface, or another number of steps; else the picture stays at its step.
      show: (next, fresh) => {
        const other = !scene || scene.field !== next.field;
        scene = next;
        scrub.max = String(scene.steps);
        for (const node of [play, scrub.parentElement, speeds]) node.hidden = !scene.steps; // nothing moves
        if (other) lines = slalom.contours(scene.field);
        fit();
        if (other) paint();
        if (fresh) { pause(); go(scene.steps); }
        else go(now);
      },
      light, step: whole, go: (step) => { pause(); go(step); }, view,
    };
  };
}
