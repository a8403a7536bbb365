"use strict";
// A rule's path on a surface, computed here with the rules' own definitions, printed as JavaScript by slalom.engines.printers.js.
{
  const cosine = (degrees) => { // exact at right angles, as in slalom.landscape
    const d = ((degrees % 360) + 360) % 360, exact = { 0: 1, 90: 0, 180: -1, 270: 0 };
    return d in exact ? exact[d] : Math.cos((d * Math.PI) / 180);
  };
  const turn = ([x, y], degrees, [mx, my]) => {
    if (degrees % 360 === 0) return [x, y];
    const c = cosine(degrees), s = cosine(degrees - 90);
    return [mx + c * (x - mx) - s * (y - my), my + s * (x - mx) + c * (y - my)];
  };
  const numbers = (text) => new Float64Array(slalom.bytes(text).buffer);

  // A surface of the catalogue, turned by so many degrees around the middle of its box.
  slalom.surface = (info, angle = 0) => {
    const own = slalom.engine.surfaces[info.name], [x0, x1, y0, y1] = info.box, centre = [(x0 + x1) / 2, (y0 + y1) / 2];
    const straight = (x, y) => turn([x, y], -angle, centre);
    const flat = info.rows ? numbers(info.rows) : null;
    const rows = flat ? Array.from({ length: flat.length / info.columns }, (_, k) => flat.subarray(k * info.columns, (k + 1) * info.columns)) : null;
    const slopes = (x, y, batch) => { // [height, d/dx, d/dy], over the rows of the batch where there are rows
      const [a, b] = straight(x, y);
      let f = 0, ga = 0, gb = 0;
      if (!rows) [f, ga, gb] = own.slopes(a, b);
      else {
        const used = batch ? batch.map((k) => rows[k]) : rows;
        for (const row of used) { const got = own.slopes(a, b, ...row); f += got[0]; ga += got[1]; gb += got[2]; }
        [f, ga, gb] = [f, ga, gb].map((v) => v / used.length);
      }
      const [c, s] = angle % 360 ? [cosine(-angle), cosine(-angle - 90)] : [1, 0];
      return s === 0 && c === 1 ? [f, ga, gb] : [f, c * ga + s * gb, c * gb - s * ga];
    };
    const placed = (points) => points.map((p) => turn(p, angle, centre));
    return {
      info, angle, slopes, height: (x, y) => slopes(x, y)[0], arrived: (x, y) => own.goal(...straight(x, y)) > 0, rows,
      start: placed([info.start])[0], minima: placed(info.minima), saddles: placed(info.saddles),
    };
  };

  // Rows of the data for each step, drawn with replacement: the same for all rules of a picture.
  slalom.batches = (surface, steps, seed) => {
    const { batch } = surface.info;
    if (!batch) return null;
    let a = seed >>> 0;
    const random = () => { // mulberry32
      a = (a + 0x6d2b79f5) >>> 0;
      let t = Math.imul(a ^ (a >>> 15), 1 | a);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
    return Array.from({ length: steps }, () => Array.from({ length: batch }, () => Math.floor(random() * surface.rows.length)));
  };

  // {x, y: one more than the steps that were finite; arrived, lost: the step, or null}
  slalom.walk = (surface, rule, hypers, start, steps, batches = null) => {
    const { begin, advance, rules } = slalom.engine;
    const run = begin(rules[rule], hypers, start), x = [start[0]], y = [start[1]];
    let arrived = null, lost = null;
    for (let t = 1; t <= steps; t++) {
      const [, gx, gy] = surface.slopes(run.p[0], run.p[1], batches && batches[t - 1]);
      advance(rules[rule], hypers, run, [gx, gy]);
      if (!run.p.every((v) => Math.abs(v) < 1e12)) { lost = t; break; } // NaN too
      x.push(run.p[0]);
      y.push(run.p[1]);
      if (arrived === null && surface.arrived(run.p[0], run.p[1])) arrived = t;
    }
    return { x, y, arrived, lost };
  };
}
