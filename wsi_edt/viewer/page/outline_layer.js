// Lines over the slide: regions, hotspots, excluded areas, and the outline that is being drawn.

const COLOURS = { region: "#0b57a4", hotspot: "#a5360b", field: "#6a3d9a", excluded: "#3c4450", drawn: "#c2185b" };
const LONGEST_CAPTION = 36; // letters; the panel has the whole name

export class OutlineLayer {
  constructor(host) {
    this.canvas = document.createElement("canvas");
    this.canvas.className = "cells";
    host.append(this.canvas);
    this.shapes = []; // { rings: [[[x, y], ...], ...], kind, label }
    this.hidden = {}; // by kind of area
    this.drawn = []; // corners of what is being drawn, level-0 px
  }

  // Show the areas of score.json or info.json, and the areas that were excluded (GeoJSON polygons).
  show(areas, excluded) {
    this.shapes = [
      ...areas.flatMap(({ kind, outline, place, label, name }) => {
        if (outline) return [{ rings: outline, kind: "region", label: label ? `${label} ${name}` : name }];
        if (!place) return [];
        const same = areas.filter((other) => other.place && samePlace(other.place, place)); // H1 and D1 may be one disc
        return same[0].name === name ? [{ rings: [around(place)], kind, label: same.map((one) => one.label ?? one.name).join(", ") }] : [];
      }),
      ...excluded.map(({ type, coordinates }) => ({
        rings: type === "Polygon" ? coordinates : coordinates.flat(),
        kind: "excluded",
        label: "excluded",
      })),
    ];
  }

  draw({ left, top, zoom, width, height }) {
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    const pen = this.canvas.getContext("2d", { willReadFrequently: true });
    if (this.canvas.width !== w || this.canvas.height !== h) [this.canvas.width, this.canvas.height] = [w, h];
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.font = "12px system-ui, sans-serif";
    pen.lineJoin = "round";
    const trace = (ring) => ring.forEach(([x, y], k) => pen[k ? "lineTo" : "moveTo"]((x - left) * zoom, (y - top) * zoom));
    for (const { rings, kind, label } of this.shapes) {
      if (this.hidden[kind]) continue;
      pen.beginPath();
      for (const ring of rings) {
        trace(ring);
        pen.closePath();
      }
      if (kind === "excluded") {
        pen.fillStyle = "rgb(60 68 80 / 25%)";
        pen.fill("evenodd");
      }
      stroke(pen, COLOURS[kind], kind === "excluded" ? [6, 4] : []);
      const [x, y] = rings[0].reduce((best, corner) => (corner[1] < best[1] ? corner : best));
      caption(pen, label, (x - left) * zoom, (y - top) * zoom);
    }
    if (this.drawn.length === 0) return;
    pen.beginPath();
    trace(this.drawn);
    if (this.drawn.length > 2) pen.closePath();
    pen.fillStyle = "rgb(194 24 91 / 12%)";
    pen.fill("evenodd");
    stroke(pen, COLOURS.drawn, []);
    pen.fillStyle = COLOURS.drawn;
    const [x, y] = this.drawn.at(-1);
    pen.fillRect((x - left) * zoom - 3, (y - top) * zoom - 3, 6, 6);
  }
}

function samePlace(a, b) { return a.x === b.x && a.y === b.y && a.size_px === b.size_px; }

// The corners of a hotspot or field.
function around({ shape, x, y, size_px: size }) {
  const reach = size / 2;
  if (shape === "square") return [[x - reach, y - reach], [x + reach, y - reach], [x + reach, y + reach], [x - reach, y + reach]];
  return Array.from({ length: 72 }, (_, k) => [x + reach * Math.cos((k * Math.PI) / 36), y + reach * Math.sin((k * Math.PI) / 36)]);
}

function stroke(pen, colour, dashes) {
  pen.setLineDash([]);
  [pen.strokeStyle, pen.lineWidth] = ["rgb(255 255 255 / 80%)", 4];
  pen.stroke();
  pen.setLineDash(dashes);
  [pen.strokeStyle, pen.lineWidth] = [colour, 2];
  pen.stroke();
}

function caption(pen, name, x, y) {
  const text = name.length > LONGEST_CAPTION ? `${name.slice(0, LONGEST_CAPTION - 1)}…` : name;
  pen.setLineDash([]);
  [pen.strokeStyle, pen.lineWidth, pen.fillStyle] = ["rgb(255 255 255 / 90%)", 4, "#1d2430"];
  pen.strokeText(text, x, y - 5);
  pen.fillText(text, x, y - 5);
}
