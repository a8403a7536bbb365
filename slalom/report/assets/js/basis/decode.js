"use strict";
// Curves out of their 12 bits a point; the format is described in slalom/report/pack.py.
{
  slalom.unpack = ({ lanes, points, codes, ranges, linear }) => {
    const packed = slalom.bytes(codes);
    const bounds = new DataView(slalom.bytes(ranges).buffer);
    const isLinear = new Set(linear);
    const special = [NaN, 0, Infinity, -Infinity];
    const code = (i) => {
      const at = 3 * (i >> 1);
      return i & 1 ? (packed[at + 1] >> 4) | (packed[at + 2] << 4) : packed[at] | ((packed[at + 1] & 15) << 8);
    };
    return Array.from({ length: lanes }, (_, k) => {
      const low = bounds.getFloat32(8 * k, true);
      const step = (bounds.getFloat32(8 * k + 4, true) - low) / 4091;
      const curve = new Float64Array(points);
      for (let j = 0; j < points; j++) {
        const c = code(k * points + j);
        const level = low + step * (c - 4);
        curve[j] = c < 4 ? special[c] : isLinear.has(k) ? level : Math.exp(level);
      }
      return curve;
    });
  };
  // Each kind of curve is decoded when it is first asked for.
  const kinds = { train: ["train_steps", "train_loss"], val: ["val_epochs", "val_loss"], metric: ["val_epochs", "val_metric"] };
  let decoded = {};
  slalom.curveData = Object.defineProperties({}, Object.fromEntries(Object.entries(kinds).map(([kind, [x, y]]) =>
    [kind, { enumerable: true, get: () => (decoded[kind] ||= { x: slalom.data.curves[x], y: slalom.unpack(slalom.data.curves[y]) }) }])));
  slalom.on("data", () => { decoded = {}; });
}
