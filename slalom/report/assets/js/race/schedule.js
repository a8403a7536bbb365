"use strict";
// The race's schedule: the factor on the learning rate over the steps, and the momentum where it moves that too.
{
  const { el, data, inside, number } = slalom;
  slalom.schedule = (mount) => {
    const s = data.schedule, tip = slalom.tip(mount);
    const most = Math.max(1e-12, ...s.factor);
    let here = null;
    const tell = (i, at) => {
      here = i;
      tip.show(null, [`step ${s.steps[i] + 1}`, `lr × ${number(s.factor[i], 3)}`, ...(s.momentum ? [`momentum ${number(s.momentum[i], 3)}`] : [])], at.x(s.steps[i] + 1), at.y(s.factor[i]));
      chart.over();
    };
    const stroke = (ctx, at, values, colour, dash) => {
      ctx.beginPath();
      values.forEach((v, i) => (i ? ctx.lineTo(at.x(s.steps[i] + 1), at.y(v)) : ctx.moveTo(at.x(s.steps[i] + 1), at.y(v))));
      ctx.setLineDash(dash);
      ctx.lineWidth = 2;
      ctx.strokeStyle = slalom.css(colour);
      ctx.stroke();
      ctx.setLineDash([]);
    };
    const spec = {
      x: { log: false, whole: true, label: () => "training step" }, y: { log: false, label: () => "factor on the learning rate" },
      name: "The schedule over the race. Arrow keys left and right move along it.", height: () => 220, right: () => 14,
      ranges: () => ({ x: [0, Math.max(2, s.steps.at(-1) + 1)], y: [0, 1.06 * Math.max(most, ...(s.momentum || [0]))] }),
      paint: (ctx, at) => inside(ctx, at, () => {
        if (s.momentum) stroke(ctx, at, s.momentum, "--muted", [5, 4]);
        stroke(ctx, at, s.factor, "--accent", []);
      }),
      over: (ctx, at) => {
        if (here === null) return;
        ctx.beginPath();
        ctx.arc(at.x(s.steps[here] + 1), at.y(s.factor[here]), 4.5, 0, 7);
        ctx.fillStyle = slalom.css("--accent");
        ctx.fill();
      },
      hover: (px, _, at) => {
        let best = 0;
        s.steps.forEach((v, i) => { if (Math.abs(at.x(v + 1) - px) < Math.abs(at.x(s.steps[best] + 1) - px)) best = i; });
        tell(best, at);
      },
      leave: () => { here = null; tip.hide(); chart?.over(); }, click: () => {},
      key: (name, at) => {
        if (name !== "ArrowLeft" && name !== "ArrowRight") return false;
        tell(Math.max(0, Math.min(s.steps.length - 1, here === null ? 0 : here + (name === "ArrowLeft" ? -3 : 3))), at);
        return true;
      },
    };
    let chart = null;
    mount.before(el("p", { class: "hint" }, `${s.spec}: ${s.formula}${s.momentum ? "; dashed: the momentum" : ""}`));
    chart = slalom.plot(mount, spec);
  };
}
