// The cells over the slide: points where they can be told apart, their density where they can't.

import { Density } from "./density.js";
import { attribute, buffer, program, rgb, uniforms } from "./gl.js";
import { DENSITY_FRAGMENT, DENSITY_VERTEX, POINT_FRAGMENT, POINT_VERTEX } from "./shaders.js";

const RADIUS_UM = 2.6; // of a point: it leaves the nucleus around it in sight
const SMALLEST_PX = 2.5; // across
const LARGEST_PX = 26;
const MOST_POINTS = 60_000; // in view; more are drawn as density
const DETAIL = 4; // canvas px that a px of the density may be enlarged to before points are better, however many

export class CellLayer {
  constructor(host, mpp, classes) {
    this.canvas = document.createElement("canvas");
    this.canvas.className = "cells";
    host.append(this.canvas);
    this.mpp = mpp;
    this.shades = classes.map(({ colour }) => [...rgb(colour), 1]);
    this.threshold = 0;
    this.gl = this.canvas.getContext("webgl2", { antialias: false, depth: false, alpha: true });
    if (!this.gl) throw new Error("this browser has no WebGL 2, by which cells are drawn");
    this.canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    this.canvas.addEventListener("webglcontextrestored", () => { this.#prepare(); this.show(this.cells); });
    this.#prepare();
  }

  #prepare() {
    const gl = this.gl;
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    this.points = program(gl, POINT_VERTEX, POINT_FRAGMENT);
    this.cloud = program(gl, DENSITY_VERTEX, DENSITY_FRAGMENT);
    this.ofPoints = uniforms(gl, this.points, ["origin", "scale", "size", "threshold", "colours"]);
    this.ofCloud = uniforms(gl, this.cloud, ["origin", "scale", "extent"]);
    this.array = gl.createVertexArray();
    this.none = gl.createVertexArray();
    this.texture = gl.createTexture();
  }

  // Show these cells instead of those before.
  show(cells) {
    const gl = this.gl;
    this.cells = cells;
    if (!cells) return;
    const places = new Float32Array(2 * cells.count);
    for (let i = 0; i < cells.count; i++) {
      places[2 * i] = cells.x[i];
      places[2 * i + 1] = cells.y[i];
    }
    for (const old of [this.kinds, this.places, this.scores]) if (old) gl.deleteBuffer(old);
    gl.bindVertexArray(this.array);
    this.kinds = buffer(gl, cells.kind);
    this.places = buffer(gl, places);
    this.scores = buffer(gl, cells.score);
    attribute(gl, this.points, "kind", this.kinds, 1, gl.UNSIGNED_BYTE);
    attribute(gl, this.points, "place", this.places, 2, gl.FLOAT);
    attribute(gl, this.points, "score", this.scores, 1, gl.FLOAT);
    gl.bindVertexArray(null);
    this.density = new Density(cells);
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    for (const name of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, name, gl.CLAMP_TO_EDGE);
    for (const name of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, name, gl.LINEAR);
  }

  // Show cells of a score above the threshold, and the classes (by number) of which `visible` is true; counts of each class.
  filter(threshold, visible) {
    this.threshold = threshold;
    this.shades = this.shades.map(([r, g, b], k) => [r, g, b, visible[k] ? 1 : 0]);
    return this.repaint();
  }

  // Take over what was changed in `cells.kind` and `cells.score`.
  changed() {
    const gl = this.gl;
    for (const [held, values] of [[this.kinds, this.cells.kind], [this.scores, this.cells.score]]) {
      gl.bindBuffer(gl.ARRAY_BUFFER, held);
      gl.bufferSubData(gl.ARRAY_BUFFER, 0, values);
    }
  }

  // Draw the density anew; counts of each class.
  repaint() {
    const gl = this.gl;
    if (!this.cells) return [0, 0, 0];
    const counts = this.density.paint(this.threshold, this.shades);
    const { columns, rows, picture } = this.density;
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, columns, rows, 0, gl.RGBA, gl.UNSIGNED_BYTE, picture);
    return counts;
  }

  // Whether the cell at a place of the arrays is shown.
  passes(place) {
    const { score, kind } = this.cells;
    return score[place] > this.threshold && kind[place] < 3 && this.shades[kind[place]][3] > 0;
  }

  // Draw what a view shows: its upper left corner (level-0 px), canvas px per level-0 px, and its size in CSS px.
  draw({ left, top, zoom, width, height }) {
    const gl = this.gl;
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.canvas.width !== w || this.canvas.height !== h) [this.canvas.width, this.canvas.height] = [w, h];
    gl.viewport(0, 0, w, h);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    if (!this.cells || this.cells.count === 0) return;
    const scale = [(2 * zoom) / width, (-2 * zoom) / height];
    const reach = LARGEST_PX / zoom;
    const stretches = this.cells.stretches(left - reach, top - reach, left + width / zoom + reach, top + height / zoom + reach);
    const inView = stretches.reduce((sum, [begin, end]) => sum + end - begin, 0);
    this.drawsPoints = inView <= MOST_POINTS || zoom * this.density.side > DETAIL;
    if (this.drawsPoints) this.#drawPoints([left, top], scale, zoom * ratio, stretches);
    else this.#drawDensity([left, top], scale);
  }

  #drawPoints(origin, scale, zoom, stretches) {
    const gl = this.gl;
    gl.useProgram(this.points);
    gl.bindVertexArray(this.array);
    gl.uniform2fv(this.ofPoints.origin, origin);
    gl.uniform2fv(this.ofPoints.scale, scale);
    gl.uniform1f(this.ofPoints.size, Math.min(Math.max((2 * RADIUS_UM * zoom) / this.mpp, SMALLEST_PX), LARGEST_PX));
    gl.uniform1f(this.ofPoints.threshold, this.threshold);
    gl.uniform4fv(this.ofPoints.colours, this.shades.flat());
    for (const [begin, end] of stretches) gl.drawArrays(gl.POINTS, begin, end - begin);
    gl.bindVertexArray(null);
  }

  #drawDensity(origin, scale) {
    const gl = this.gl;
    const { columns, rows, side } = this.density;
    gl.useProgram(this.cloud);
    gl.bindVertexArray(this.none);
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    gl.uniform2fv(this.ofCloud.origin, origin);
    gl.uniform2fv(this.ofCloud.scale, scale);
    gl.uniform2fv(this.ofCloud.extent, [columns * side, rows * side]);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
  }
}
