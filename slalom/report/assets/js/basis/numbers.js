"use strict";
// Numbers as people read them.
{
  const finite = Number.isFinite;

  // Two significant digits, as short as possible: 3.2e-3, 0.032, 1 (as slalom.figures.format_lr).
  slalom.lr = (v) => {
    if (!finite(v) || v === 0) return String(v);
    v = Number(v.toPrecision(2));
    if (Math.abs(v) >= 0.01 && Math.abs(v) < 1000) return String(v);
    const [digits, exponent] = v.toExponential(1).split("e");
    return `${digits.replace(/\.0$/, "")}e${Number(exponent)}`;
  };
  slalom.number = (v, digits = 4) => {
    if (!finite(v)) return "–";
    if (v === 0) return "0";
    const size = Math.abs(v);
    return size >= 1e5 || size < 1e-4 ? v.toExponential(2) : String(Number(v.toPrecision(digits)));
  };
  slalom.count = (n, one, many = `${one}s`) => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;

  // Decimals that show two digits of the typical spread, the same for a whole column.
  slalom.decimals = (spreads) => {
    const good = spreads.filter((v) => finite(v) && v > 0).sort((a, b) => a - b);
    if (!good.length) return 4;
    return Math.min(6, Math.max(0, 1 - Math.floor(Math.log10(good[good.length >> 1]))));
  };
  slalom.fixed = (v, decimals) => (!finite(v) ? "–" : Math.abs(v) >= 1e6 ? v.toExponential(2) : v.toFixed(decimals));
  slalom.spread = (v, sd, decimals) =>
    finite(sd) ? `${slalom.fixed(v, decimals)} ± ${slalom.fixed(sd, decimals)}` : slalom.fixed(v, decimals);
}
