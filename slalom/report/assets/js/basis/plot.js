"use strict";
// One chart: uPlot draws axes and grid and lets the reader drag a zoom; what is inside is painted on two canvases of
// our own, so that pointing at a curve among a thousand repaints that curve alone.
{
  const FONT = '12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';
  const PAPER = 690; // pixels that a chart may be wide in print: A4 or letter, upright

  // Runs `draw` with everything outside the axes cut off.
  slalom.inside = (ctx, at, draw) => {
    ctx.save();
    ctx.beginPath();
    ctx.rect(0, 0, at.w, at.h);
    ctx.clip();
    draw();
    ctx.restore();
  };

  // spec: {height(width), right(width), x: {log, label, values?}, y: {log, label}, ranges() -> {x: [a, b], y: [a, b]},
  //        paint(ctx, place), over(ctx, place), hover(px, py, place), leave(), key(name), name}
  slalom.plot = (mount, spec) => {
    let u = null, zoom = null, wide = 0;
    const base = slalom.el("canvas", { class: "layer" });
    const top = slalom.el("canvas", { class: "layer top" });
    const reset = slalom.el("button", { type: "button", class: "reset", hidden: true, onclick: () => zoomTo(null) }, "Reset zoom");
    const ranges = () => zoom || spec.ranges();

    // Data to pixels of the plotting area, computed here: uPlot's own does the same through more layers.
    const place = () => {
      const { x, y } = ranges();
      const w = u.over.clientWidth, h = u.over.clientHeight;
      const scale = (log, [a, b], from, to) => {
        const f = log ? Math.log : (v) => v;
        const k = (to - from) / (f(b) - f(a));
        return (v) => (log && v <= 0 ? from + 1e4 * Math.sign(from - to) : from + (f(v) - f(a)) * k);
      };
      return { x: scale(spec.x.log, x, 0, w), y: scale(spec.y.log, y, h, 0), w, h, range: { x, y } };
    };
    const layer = (canvas, draw) => {
      const dpr = devicePixelRatio || 1, wrap = u.over.parentElement;
      const w = wrap.clientWidth, h = wrap.clientHeight;
      if (canvas.width !== Math.round(w * dpr) || canvas.height !== Math.round(h * dpr)) {
        canvas.width = Math.round(w * dpr);
        canvas.height = Math.round(h * dpr);
        canvas.style.width = `${w}px`;
        canvas.style.height = `${h}px`;
      }
      const ctx = canvas.getContext("2d");
      ctx.setTransform(dpr, 0, 0, dpr, 0, 0);
      ctx.clearRect(0, 0, w, h);
      // Chromium prints what was just drawn as vectors, in which the clearing of one canvas wipes those below it: on
      // paper the top one holds a picture of all, and the others are hidden.
      if (slalom.printing() && canvas === top) for (const lower of [u.ctx.canvas, base]) ctx.drawImage(lower, 0, 0, w, h);
      ctx.translate(u.over.offsetLeft, u.over.offsetTop);
      ctx.font = FONT;
      ctx.lineJoin = "round";
      draw(ctx, place());
    };
    const over = () => u && layer(top, spec.over);
    const paint = () => {
      layer(base, spec.paint);
      over();
    };
    const zoomTo = (next) => {
      spec.leave();
      zoom = next;
      reset.hidden = !zoom;
      redraw();
    };
    const redraw = () => {
      if (!u) return;
      const { x, y } = ranges();
      u.batch(() => {
        u.setScale("x", { min: x[0], max: x[1] });
        u.setScale("y", { min: y[0], max: y[1] });
      });
      u.redraw(false, true);
    };
    const axis = (extra) => ({
      font: FONT, labelFont: FONT, labelSize: 20, stroke: () => slalom.css("--muted"),
      grid: { stroke: () => slalom.css("--grid"), width: 1 }, ticks: { show: false }, ...extra,
    });
    const build = () => {
      wide = mount.clientWidth;
      if (!wide) return;
      mount.style.setProperty("--print-zoom", Math.min(1, PAPER / wide)); // a canvas does not reflow on paper
      if (u) u.destroy();
      zoom = null;
      reset.hidden = true;
      const { x, y } = ranges();
      const distr = (log) => (log ? 3 : 1);
      const marks = (log, gap) => ({
        splits: (self, side, low, high) => slalom.ticks(log, low, high, Math.floor((side ? self.height - 65 : self.width - 60 - spec.right(wide)) / gap))
          .filter((v) => side || !spec.x.whole || Number.isInteger(v)),
        values: (_, splits) => slalom.tickWords(log, splits),
        filter: (_, splits) => splits, // all of them; uPlot would thin a logarithmic axis again
      });
      u = new uPlot({
        width: wide, height: spec.height(wide), padding: [10, spec.right(wide), 0, 0], legend: { show: false },
        scales: {
          x: { time: false, distr: distr(spec.x.log), range: () => ranges().x },
          y: { distr: distr(spec.y.log), range: () => ranges().y },
        },
        axes: [
          axis({ label: spec.x.label(), size: 30, ...marks(spec.x.log, 56) }),
          axis({ label: spec.y.label(), size: 56, ...marks(spec.y.log, 30) }),
        ],
        series: [{}, { scale: "y", paths: () => null, points: { show: false } }],
        cursor: { points: { show: false }, drag: { x: true, y: true, uni: 24, setScale: false } },
        hooks: {
          draw: [() => u && paint()],
          setSelect: [(self) => {
            const { left, top: t, width, height } = self.select;
            if (width > 4 && height > 4) {
              const at = (scale, p) => self.posToVal(p, scale);
              zoomTo({ x: [at("x", left), at("x", left + width)], y: [at("y", t + height), at("y", t)] });
            }
            if (width || height) self.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          }],
        },
      }, [x, y], mount);
      u.over.parentElement.append(base, top);
      u.over.addEventListener("dblclick", () => zoomTo(null));
      u.over.addEventListener("mousemove", (event) => {
        const box = u.over.getBoundingClientRect();
        spec.hover(event.clientX - box.left, event.clientY - box.top, place());
      });
      u.over.addEventListener("mouseleave", () => spec.leave());
      u.over.addEventListener("click", () => spec.click());
    };
    mount.append(reset);
    mount.tabIndex = 0;
    mount.setAttribute("role", "application");
    mount.setAttribute("aria-label", spec.name);
    mount.addEventListener("keydown", (event) => {
      if (u && event.target === mount && spec.key(event.key, place())) event.preventDefault();
    });
    mount.addEventListener("blur", () => spec.leave());
    new ResizeObserver(() => !slalom.printing() && Math.abs(mount.clientWidth - wide) > 1 && build()).observe(mount);
    slalom.on("theme", () => {
      mount.classList.toggle("flat", slalom.printing());
      if (u) u.redraw(false, true);
    });
    slalom.on("highlight", over);
    build();
    return { build, redraw, over, place: () => place(), fade: (on) => base.classList.toggle("faded", on), base };
  };
}
