// Draws cells by WebGL 2: a graphics card filters and places the points, however many.

import { attribute, buffer, program, uniforms } from "./gl.js";
import { DENSITY_FRAGMENT, DENSITY_VERTEX, POINT_FRAGMENT, POINT_VERTEX } from "./shaders.js";

export class GlPainter {
  constructor(canvas) {
    this.canvas = canvas;
    this.gl = canvas.getContext("webgl2", { antialias: false, depth: false });
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    canvas.addEventListener("webglcontextrestored", () => {
      [this.kinds, this.places, this.scores] = [];
      this.#prepare();
      if (this.cells) this.show(this.cells);
      if (this.density) this.take(this.density);
    });
    this.#prepare();
  }

  #prepare() {
    const { gl } = this;
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, true);
    this.ofPoints = program(gl, POINT_VERTEX, POINT_FRAGMENT);
    this.ofCloud = program(gl, DENSITY_VERTEX, DENSITY_FRAGMENT);
    this.pointValues = uniforms(gl, this.ofPoints, ["origin", "scale", "size", "threshold", "colours"]);
    this.cloudValues = uniforms(gl, this.ofCloud, ["origin", "scale", "extent"]);
    this.array = gl.createVertexArray();
    this.none = gl.createVertexArray();
    this.texture = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    for (const name of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, name, gl.CLAMP_TO_EDGE);
    for (const name of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, name, gl.LINEAR);
  }

  // Take these cells instead of those before.
  show(cells) {
    const { gl } = this;
    this.cells = cells;
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
    attribute(gl, this.ofPoints, "kind", this.kinds, 1, gl.UNSIGNED_BYTE);
    attribute(gl, this.ofPoints, "place", this.places, 2, gl.FLOAT);
    attribute(gl, this.ofPoints, "score", this.scores, 1, gl.FLOAT);
    gl.bindVertexArray(null);
  }

  // Take over what was changed in `cells.kind` and `cells.score`.
  changed() {
    const { gl } = this;
    for (const [held, values] of [[this.kinds, this.cells.kind], [this.scores, this.cells.score]]) {
      gl.bindBuffer(gl.ARRAY_BUFFER, held);
      gl.bufferSubData(gl.ARRAY_BUFFER, 0, values);
    }
  }

  // Take the density's picture.
  take(density) {
    const { gl } = this;
    this.density = density;
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    const picture = new Uint8Array(density.picture.buffer);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, density.columns, density.rows, 0, gl.RGBA, gl.UNSIGNED_BYTE, picture);
  }

  points(view, stretches, { size, threshold, shades }) {
    const { gl } = this;
    const ratio = this.#begin(view);
    gl.useProgram(this.ofPoints);
    gl.bindVertexArray(this.array);
    this.#place(this.pointValues, view);
    gl.uniform1f(this.pointValues.size, size * ratio);
    gl.uniform1f(this.pointValues.threshold, threshold);
    gl.uniform4fv(this.pointValues.colours, shades.flat());
    for (const [begin, end] of stretches) gl.drawArrays(gl.POINTS, begin, end - begin);
    gl.bindVertexArray(null);
  }

  cloud(view, { columns, rows, side }) {
    const { gl } = this;
    this.#begin(view);
    gl.useProgram(this.ofCloud);
    gl.bindVertexArray(this.none);
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    this.#place(this.cloudValues, view);
    gl.uniform2fv(this.cloudValues.extent, [columns * side, rows * side]);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
  }

  // Clear the canvas, of as many px as the screen has; returns its px per CSS px.
  #begin({ width, height }) {
    const { gl, canvas } = this;
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
    gl.viewport(0, 0, w, h);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    return ratio;
  }

  #place(values, { left, top, zoom, width, height }) {
    this.gl.uniform2fv(values.origin, [left, top]);
    this.gl.uniform2fv(values.scale, [(2 * zoom) / width, (-2 * zoom) / height]);
  }
}
