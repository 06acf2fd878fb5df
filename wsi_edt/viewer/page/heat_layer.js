// A heat map over the slide, below its cells.

import { json } from "./source.js";

const OPACITY = 0.6;

export class HeatLayer {
  constructor(host) {
    this.canvas = document.createElement("canvas");
    this.canvas.className = "cells";
    this.canvas.hidden = true;
    host.append(this.canvas);
  }

  // Forget the slide before; `base` is the address of the one that is shown now.
  open(base) {
    Object.assign(this, { base, maps: null, shown: null });
    this.canvas.hidden = true;
  }

  // Ask for the maps again when one is shown next: cells were corrected.
  forget() { this.maps = null; }

  // Show a map: "index" or "density", or none by "". Returns it with its scale; null if there is nothing to show.
  async show(name) {
    const asked = { base: this.base };
    this.asked = asked;
    const maps = name ? (this.maps ?? (await json(`${asked.base}heat.json`))) : null;
    const map = (maps && maps[name]) || null;
    const picture = map && (await createImageBitmap(new Blob([unpacked(map.png)], { type: "image/png" })));
    if (asked !== this.asked || asked.base !== this.base) return null; // something else is wanted by now
    if (maps) [this.maps, this.view] = [maps, maps.view];
    this.shown = picture;
    this.canvas.hidden = !picture;
    return map;
  }

  draw({ left, top, zoom, width, height }) {
    if (!this.shown) return;
    const [w, h] = [Math.round(width), Math.round(height)];
    if (this.canvas.width !== w || this.canvas.height !== h) [this.canvas.width, this.canvas.height] = [w, h];
    const pen = this.canvas.getContext("2d", { willReadFrequently: true });
    const { view } = this;
    pen.clearRect(0, 0, w, h);
    pen.globalAlpha = OPACITY;
    pen.drawImage(this.shown, (view.x - left) * zoom, (view.y - top) * zoom, view.width * zoom, view.height * zoom);
  }
}

function unpacked(base64) { return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0)); }
