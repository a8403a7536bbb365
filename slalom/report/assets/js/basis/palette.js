"use strict";
// A colour, a dash and a marker for each rule. The 14 colours were searched for the largest smallest distance (OKLab,
// 0.068) in both themes under normal, protan, deutan and tritan sight, each with contrast >= 3 on its background;
// shapes and dashes tell rules apart without colour. More than 14 rules reuse colours with other dashes and markers.
{
  const LIGHT = ["#2258e5", "#c74a49", "#00a57d", "#b18406", "#c868fb", "#4b781a", "#f95e7c", "#235488", "#6b4a2f",
    "#8982c6", "#5c1d63", "#a95997", "#721118", "#2e06ac"];
  const DARK = ["#336cfa", "#c74a49", "#00a57d", "#b18406", "#9f50ca", "#bfe6a1", "#fea9b3", "#a9c7eb", "#f99532",
    "#9b8bfb", "#f9d8fc", "#b791ad", "#ff6362", "#70789e"];
  const DASHES = [[], [8, 3], [2, 3], [9, 3, 2, 3]];
  const SHAPES = ["circle", "square", "up", "diamond", "down", "star", "plus"];
  const n = LIGHT.length;

  slalom.colour = (rule) => (slalom.dark() ? DARK : LIGHT)[rule % n];
  slalom.dash = (rule) => DASHES[(rule + Math.floor(rule / n)) % DASHES.length];
  const shape = (rule) => SHAPES[(rule + 3 * Math.floor(rule / n)) % SHAPES.length];
  const hollow = (rule) => Math.floor(rule / SHAPES.length) % 2 === 1;

  const polygon = (sides, radius, turn, inner = 0) => {
    const points = [];
    const steps = inner ? 2 * sides : sides;
    for (let i = 0; i < steps; i++) {
      const r = inner && i % 2 ? inner : radius;
      const angle = turn + (2 * Math.PI * i) / steps;
      points.push([r * Math.cos(angle), r * Math.sin(angle)]);
    }
    return points;
  };
  const outline = (rule, r) => {
    const up = -Math.PI / 2;
    switch (shape(rule)) {
      case "square": return polygon(4, 1.2 * r, Math.PI / 4);
      case "up": return polygon(3, 1.3 * r, up);
      case "diamond": return polygon(4, 1.3 * r, up);
      case "down": return polygon(3, 1.3 * r, -up);
      case "star": return polygon(5, 1.45 * r, up, 0.6 * r);
      case "plus": {
        const a = 1.2 * r, b = 0.42 * r;
        return [[-b, -a], [b, -a], [b, -b], [a, -b], [a, b], [b, b], [b, a], [-b, a], [-b, b], [-a, b], [-a, -b], [-b, -b]];
      }
      default: return polygon(16, r, 0);
    }
  };
  slalom.marker = (ctx, rule, x, y, r) => {
    ctx.beginPath();
    outline(rule, r).forEach(([a, b], i) => (i ? ctx.lineTo(x + a, y + b) : ctx.moveTo(x + a, y + b)));
    ctx.closePath();
    ctx.fillStyle = hollow(rule) ? slalom.css("--card") : slalom.colour(rule);
    ctx.fill();
    ctx.lineWidth = hollow(rule) ? 1.8 : 1;
    ctx.strokeStyle = hollow(rule) ? slalom.colour(rule) : slalom.css("--card");
    ctx.stroke();
  };

  // A rule's sign in text: a piece of its line with its marker. The colours are CSS variables, so they follow the theme.
  slalom.swatch = (rule) => {
    const line = slalom.svg("line", { x1: 1, x2: 27, y1: 7, y2: 7, "stroke-width": 2.2, "stroke-dasharray": slalom.dash(rule).join(" ") });
    const mark = slalom.svg("polygon", { points: outline(rule, 4.2).map(([a, b]) => `${14 + a},${7 + b}`).join(" ") });
    const own = slalom.ownColour(rule);
    line.style.stroke = own;
    mark.style.stroke = hollow(rule) ? own : "var(--card)";
    mark.style.fill = hollow(rule) ? "var(--card)" : own;
    mark.style.strokeWidth = hollow(rule) ? 1.8 : 1;
    return slalom.svg("svg", { class: "swatch", width: 28, height: 14, viewBox: "0 0 28 14", "aria-hidden": "true" }, line, mark);
  };
  slalom.ownColour = (rule) => `var(--rule-${rule % n})`;
  slalom.on("theme", () => {
    for (let i = 0; i < n; i++) document.documentElement.style.setProperty(`--rule-${i}`, slalom.colour(i));
  });
}
