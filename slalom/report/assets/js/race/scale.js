"use strict";
// How good a validation metric is among this race's, and the range in which the contest is decided.
{
  slalom.contest = {};
  slalom.lrRange = [0.1, 10];
  const measure = () => {
    const { responses, higher, lanes } = slalom.data;
    const good = responses.flatMap((r) => r.mean).filter(Number.isFinite);
    const sign = higher ? 1 : -1;
    const better = (a, b) => sign * (a - b) > 0;
    const top = good.reduce((a, b) => (better(b, a) ? b : a), good[0]);
    const bottom = good.reduce((a, b) => (better(a, b) ? b : a), good[0]);

    // From the best to four times as far as the worst rule at its best lr: what lies beyond is "bad", not interesting.
    const bests = responses.map((r) => r.mean.filter(Number.isFinite).reduce((a, b) => (a === null || better(b, a) ? b : a), null));
    const worstBest = bests.filter((v) => v !== null).reduce((a, b) => (better(a, b) ? b : a), top);
    const span = Math.min(Math.abs(top - bottom), Math.max(4 * Math.abs(top - worstBest), 0.15 * Math.abs(top - bottom))) || Math.abs(top) || 1;
    Object.assign(slalom.contest, { top, bottom, low: top - sign * span, any: good.length > 0 });
    slalom.goodness = (v) => Math.max(0, Math.min(1, 1 - Math.abs(top - v) / span));

    const every = lanes.lr.filter((v) => v > 0);
    slalom.lrRange.splice(0, 2, ...(every.length ? [Math.min(...every) / 1.5, Math.max(...every) * 1.5] : [0.1, 10]));
    slalom.logLr = every.length === lanes.lr.length;
  };
  measure();
  slalom.on("data", measure);
}
