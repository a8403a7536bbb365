"use strict";
// Where an axis has its ticks: round numbers, as many as there is room for; 1-2-5 steps within the decades of a log axis.
{
  const linear = (low, high, most) => {
    const raw = (high - low) / Math.max(1, most);
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw * 0.999) ?? raw;
    const ticks = [];
    for (let i = Math.ceil(low / step - 1e-9); i * step <= high * (1 + 1e-12) + step * 1e-9; i++) ticks.push(Number((i * step).toPrecision(12)));
    return ticks;
  };
  slalom.ticks = (log, low, high, room) => {
    const most = Math.max(2, room);
    if (!(high > low)) return [low];
    if (!log || high / low < 8) return linear(low, high, most);
    const first = Math.floor(Math.log10(low)), last = Math.ceil(Math.log10(high));
    const inside = (steps, every) => {
      const ticks = [];
      for (let d = first; d <= last; d += every)
        for (const m of steps) {
          const v = Number(`${m}e${d}`);
          if (v >= low * 0.9999 && v <= high * 1.0001) ticks.push(v);
        }
      return ticks;
    };
    for (const steps of [[1, 2, 5], [1, 3], [1]]) {
      const ticks = inside(steps, 1);
      if (ticks.length <= most) return ticks;
    }
    return inside([1], Math.ceil((last - first) / most));
  };
  slalom.tickWords = (log, ticks) => {
    if (log && ticks.at(-1) / ticks[0] >= 8) return ticks.map(slalom.lr);
    const step = ticks.length > 1 ? ticks[1] - ticks[0] : Math.abs(ticks[0]) || 1;
    const size = Math.max(...ticks.map(Math.abs));
    if (size >= 1e5 || step < 1e-6) return ticks.map((v) => slalom.number(v, 3));
    return ticks.map((v) => v.toFixed(Math.max(0, -Math.floor(Math.log10(step * 1.0001)))));
  };
}
