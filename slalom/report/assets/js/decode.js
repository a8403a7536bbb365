"use strict";
// Curves out of their 12 bits a point; the format is described in slalom/report/pack.py.
{
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

  slalom.unpack = ({ lanes, points, codes, ranges, linear }) => {
    const packed = bytes(codes);
    const bounds = new DataView(bytes(ranges).buffer);
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
  slalom.curveData = { train: {}, val: {}, metric: {} };
  const decode = () => {
    const c = slalom.data.curves, { train, val, metric } = slalom.curveData;
    Object.assign(train, { x: c.train_steps, y: slalom.unpack(c.train_loss) });
    Object.assign(val, { x: c.val_epochs, y: slalom.unpack(c.val_loss) });
    Object.assign(metric, { x: c.val_epochs, y: slalom.unpack(c.val_metric) });
  };
  if (slalom.data.curves) decode();
  slalom.on("data", decode);
}
