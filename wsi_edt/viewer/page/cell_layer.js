// The cells over the slide: points where they can be told apart, their density where they can't.

import { Density } from "./density.js";
import { hasGraphicsCard, rgb } from "./gl.js";
import { GlPainter } from "./gl_painter.js";
import { RasterPainter } from "./raster_painter.js";

const RADIUS_UM = 2.6; // of a point: it leaves the nucleus around it in sight
const SMALLEST_PX = 2.5; // across
const LARGEST_PX = 26;
const MOST_POINTS = 60_000; // in view; more are drawn as density
const DETAIL = 4; // canvas px that a px of the density may be enlarged to before points are better, however many

// What `cells.kind` says of a cell beyond its class.
export const GONE = 3; // deleted: never shown
export const UNCOUNTED = 4; // where nothing counts: shown in grey
const GREY = [0.55, 0.58, 0.62, 1];

export class CellLayer {
  constructor(host, mpp, classes) {
    this.canvas = document.createElement("canvas");
    this.canvas.className = "cells";
    host.append(this.canvas);
    this.mpp = mpp;
    this.shades = [...classes.map(({ colour }) => [...rgb(colour), 1]), [0, 0, 0, 0], GREY];
    this.threshold = 0;
    // Where the processor stands in for a graphics card, WebGL takes 25 ms for each frame of 960 x 800 px, and this 5.
    this.painter = hasGraphicsCard() ? new GlPainter(this.canvas) : new RasterPainter(this.canvas);
  }

  // Show these cells instead of those before.
  show(cells) {
    this.cells = cells;
    this.density = new Density(cells);
    this.unpainted = true;
    this.painter.show(cells);
  }

  // Show cells of a score above the threshold, and the classes (by number) of which `visible` is true; counts of each class.
  filter(threshold, visible) {
    this.threshold = threshold;
    visible.forEach((yes, k) => { this.shades[k][3] = yes ? 1 : 0; });
    this.unpainted = true;
    return this.density.count(threshold);
  }

  // Take over what was changed in `cells.kind` and `cells.score`.
  changed() {
    this.density.changed();
    this.unpainted = true;
    this.painter.changed();
  }

  // Whether the cell at a place of the arrays is shown and counts.
  passes(place) {
    const { score, kind } = this.cells;
    return score[place] > this.threshold && kind[place] < GONE && this.shades[kind[place]][3] > 0;
  }

  // Draw what a view shows: its upper left corner (level-0 px), canvas px per level-0 px, and its size in CSS px.
  draw(view) {
    const { left, top, zoom, width, height } = view;
    const reach = LARGEST_PX / zoom;
    const stretches = this.cells.stretches(left - reach, top - reach, left + width / zoom + reach, top + height / zoom + reach);
    const inView = stretches.reduce((sum, [begin, end]) => sum + end - begin, 0);
    this.drawsPoints = inView <= MOST_POINTS || zoom * this.density.side > DETAIL;
    if (this.drawsPoints) {
      const size = Math.min(Math.max((2 * RADIUS_UM * zoom) / this.mpp, SMALLEST_PX), LARGEST_PX);
      this.painter.points(view, stretches, { size, threshold: this.threshold, shades: this.shades });
      return;
    }
    if (this.unpainted) {
      this.density.count(this.threshold);
      this.density.paint(this.shades);
      this.painter.take(this.density);
      this.unpainted = false;
    }
    this.painter.cloud(view, this.density);
  }
}
