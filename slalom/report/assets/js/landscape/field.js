"use strict";
// A surface's heights on a grid: levels between 0 (lowest) and 1, their picture, contour lines, a mesh in space.
{
  const RAMP = {
    light: ["#b3c7e4", "#b2d8d8", "#cde5c6", "#ecefce", "#fdf7ec"],
    dark: ["#191330", "#1c2f4c", "#1b4a52", "#356148", "#656c34"],
  };
  const LINES = 18, MESH = 46;
  const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));

  // The colour of a level in this theme. Pale in the light one and deep in the dark one, so that paths stand out on it.
  slalom.ramp = () => {
    const stops = RAMP[slalom.dark() ? "dark" : "light"].map(rgb);
    return (level) => {
      const at = Math.max(0, Math.min(1, level)) * (stops.length - 1), i = Math.min(stops.length - 2, Math.floor(at));
      return stops[i].map((v, k) => v + (stops[i + 1][k] - v) * (at - i));
    };
  };

  // Colours of a band of rates, from the lowest to the highest.
  const STRETCH = [[32, 88, 229], [150, 60, 190], [214, 70, 90], [214, 130, 20]], PALE = [[130, 170, 255], [200, 140, 255], [255, 120, 140], [255, 200, 110]];
  slalom.stretch = (k, of) => {
    const stops = slalom.dark() ? PALE : STRETCH, at = (k / Math.max(1, of - 1)) * (stops.length - 1), i = Math.min(stops.length - 2, Math.floor(at));
    return `rgb(${stops[i].map((v, c) => Math.round(v + (stops[i + 1][c] - v) * (at - i))).join()})`;
  };
  slalom.disc = (ctx, x, y, r, colour) => {
    ctx.beginPath();
    ctx.arc(x, y, r, 0, 7);
    ctx.fillStyle = colour;
    ctx.fill();
    ctx.lineWidth = 1.2;
    ctx.strokeStyle = slalom.css("--card");
    ctx.stroke();
  };
  slalom.blob = (colour) => {
    const node = slalom.svg("svg", { class: "swatch", width: 14, height: 14, viewBox: "0 0 14 14", "aria-hidden": "true" }, slalom.svg("circle", { cx: 7, cy: 7, r: 5 }));
    node.firstChild.style.fill = colour;
    return node;
  };

  // {box: [x0, x1, y0, y1], log: heights span decades, n: points a side, height(x, y), or z: n * n of them, row by y}
  slalom.field = ({ box, log, n, height, z }) => {
    const [x0, x1, y0, y1] = box;
    const values = z || Float64Array.from({ length: n * n }, (_, k) =>
      height(x0 + ((x1 - x0) * (k % n)) / (n - 1), y0 + ((y1 - y0) * Math.floor(k / n)) / (n - 1)));
    let least = Infinity, most = -Infinity;
    for (const v of values) if (Number.isFinite(v)) { least = Math.min(least, v); most = Math.max(most, v); }
    const shape = log ? (v) => Math.log1p(Math.max(0, v - least)) : (v) => v - least;
    const top = shape(most) || 1;
    const level = (v) => (Number.isFinite(v) ? Math.max(0, Math.min(1, shape(v) / top)) : 1);
    const levels = Float32Array.from(values, level);
    const between = (table) => (x, y) => { // the points of the grid
      const a = Math.max(0, Math.min(1, (x - x0) / (x1 - x0))) * (n - 1), b = Math.max(0, Math.min(1, (y - y0) / (y1 - y0))) * (n - 1);
      const i = Math.min(n - 2, Math.floor(a)), j = Math.min(n - 2, Math.floor(b)), u = a - i, v = b - j, k = j * n + i;
      return (1 - v) * ((1 - u) * table[k] + u * table[k + 1]) + v * ((1 - u) * table[k + n] + u * table[k + n + 1]);
    };
    return { box, n, level, levels, at: between(levels), value: between(values), least, most };
  };

  // Marching squares: pieces of lines as x, y, x, y in units of the box.
  slalom.contours = ({ n, levels }) => {
    const pieces = [];
    for (let j = 0; j < n - 1; j++)
      for (let i = 0; i < n - 1; i++) {
        const k = j * n + i, corners = [levels[k], levels[k + 1], levels[k + n + 1], levels[k + n]];
        const first = Math.ceil(Math.min(...corners) * LINES - 0.5), last = Math.floor(Math.max(...corners) * LINES - 0.5);
        for (let line = first; line <= last; line++) {
          const c = (line + 0.5) / LINES, cuts = [];
          for (let e = 0; e < 4; e++) {
            const a = corners[e], b = corners[(e + 1) % 4];
            if (a < c === b < c) continue;
            const t = (c - a) / (b - a);
            cuts.push([[i + t, j], [i + 1, j + t], [i + 1 - t, j + 1], [i, j + 1 - t]][e]);
          }
          for (let p = 0; p + 1 < cuts.length; p += 2) pieces.push(...[...cuts[p], ...cuts[p + 1]].map((v) => v / (n - 1)));
        }
      }
    return pieces;
  };

  // Where a point of the surface is in a picture of w by h; view: {deep: in space?, turn, tilt} in radians.
  slalom.camera = (w, h, [x0, x1, y0, y1], view) => {
    const unit = (x, y) => [(x - x0) / (x1 - x0), (y - y0) / (y1 - y0)];
    if (!view.deep) {
      const point = (x, y) => { const [a, b] = unit(x, y); return [a * w, (1 - b) * h]; };
      return { point, back: (px, py) => [x0 + ((x1 - x0) * px) / w, y1 - ((y1 - y0) * py) / h], inside: () => true };
    }
    const [c, s, up, flat] = [Math.cos(view.turn), Math.sin(view.turn), Math.cos(view.tilt), Math.sin(view.tilt)];
    const scale = 1.12 * Math.min(w / 1.42, h / (1.42 * flat + 0.62 * up));
    const point = (x, y, level) => {
      const [a, b] = unit(x, y).map((v) => v - 0.5), z = 0.62 * (level - 0.5), far = a * s + b * c;
      return [w / 2 + (a * c - b * s) * scale, h / 2 - (far * flat + z * up) * scale, far * up - z * flat];
    };
    const inside = (x, y) => { const [a, b] = unit(x, y); return a >= -0.001 && a <= 1.001 && b >= -0.001 && b <= 1.001; };
    return { point, inside, back: null };
  };

  slalom.paintField = (ctx, w, h, field, view, lines) => {
    const colour = slalom.ramp();
    if (view.deep) return mesh(ctx, slalom.camera(w, h, field.box, view), field, colour);
    const { n, levels } = field;
    const small = document.createElement("canvas");
    small.width = small.height = n;
    const picture = new ImageData(n, n);
    for (let j = 0; j < n; j++)
      for (let i = 0; i < n; i++) picture.data.set([...colour(levels[(n - 1 - j) * n + i]), 255], 4 * (j * n + i));
    small.getContext("2d").putImageData(picture, 0, 0);
    ctx.imageSmoothingQuality = "high";
    ctx.drawImage(small, 0.5, 0.5, n - 1, n - 1, 0, 0, w, h);
    ctx.strokeStyle = slalom.css("--ink");
    ctx.globalAlpha = 0.16;
    ctx.lineWidth = 1;
    ctx.beginPath();
    for (let k = 0; k < lines.length; k += 4) {
      ctx.moveTo(lines[k] * w, (1 - lines[k + 1]) * h);
      ctx.lineTo(lines[k + 2] * w, (1 - lines[k + 3]) * h);
    }
    ctx.stroke();
    ctx.globalAlpha = 1;
  };

  const mesh = (ctx, camera, field, colour) => {
    const [x0, x1, y0, y1] = field.box, m = MESH;
    const points = [];
    for (let j = 0; j <= m; j++)
      for (let i = 0; i <= m; i++) {
        const x = x0 + ((x1 - x0) * i) / m, y = y0 + ((y1 - y0) * j) / m, level = field.at(x, y);
        points.push([...camera.point(x, y, level), level]);
      }
    const tiles = [];
    for (let j = 0; j < m; j++)
      for (let i = 0; i < m; i++) {
        const k = j * (m + 1) + i, four = [points[k], points[k + 1], points[k + m + 2], points[k + m + 1]];
        tiles.push([four.reduce((sum, p) => sum + p[2], 0), four, (four[0][3] + four[2][3]) / 2, four[1][3] - four[0][3] + four[3][3] - four[0][3]]);
      }
    ctx.lineWidth = 0.6;
    for (const [, four, level, slope] of tiles.sort((a, b) => b[0] - a[0])) { // the farthest first
      const light = 1 + Math.max(-0.16, Math.min(0.16, 2.2 * slope));
      const [r, g, b] = colour(level).map((v) => Math.round(Math.min(255, v * light)));
      ctx.beginPath();
      four.forEach(([x, y], i) => (i ? ctx.lineTo(x, y) : ctx.moveTo(x, y)));
      ctx.closePath();
      ctx.fillStyle = `rgb(${r},${g},${b})`;
      ctx.fill();
      ctx.strokeStyle = `rgb(${Math.round(r * 0.9)},${Math.round(g * 0.9)},${Math.round(b * 0.9)})`;
      ctx.stroke();
    }
  };
}
