// Draws cells without a graphics card: stamps a disc for each into an array of px, or enlarges the density's picture.

export class RasterPainter {
  constructor(canvas) {
    this.canvas = canvas;
    this.pen = canvas.getContext("2d", { willReadFrequently: true }); // keeps its px where the processor has them
    this.held = document.createElement("canvas"); // the density's picture
  }

  // Take these cells instead of those before.
  show(cells) { this.cells = cells; }

  // What was changed in `cells` is read from there.
  changed() {}

  // Take the density's picture.
  take({ picture, columns, rows }) {
    [this.held.width, this.held.height] = [columns, rows];
    this.held.getContext("2d", { willReadFrequently: true }).putImageData(new ImageData(picture, columns, rows), 0, 0);
  }

  points({ left, top, zoom, width, height }, stretches, { size, threshold, shades }) {
    this.#sized(width, height);
    const { pixels, cells: { x, y, score, kind } } = this;
    const [w, h] = [this.canvas.width, this.canvas.height];
    pixels.fill(0);
    const stamps = shades.map((shade) => (shade[3] > 0 ? stamp(shade, size) : null));
    const side = stampSide(size);
    const half = side / 2;
    for (const [begin, end] of stretches) {
      for (let i = begin; i < end; i++) {
        const ink = stamps[kind[i]];
        if (!ink || !(score[i] > threshold)) continue;
        const column = Math.round((x[i] - left) * zoom - half);
        const row = Math.round((y[i] - top) * zoom - half);
        const [first, last] = [Math.max(0, -column), Math.min(side, w - column)];
        for (let r = Math.max(0, -row); r < Math.min(side, h - row); r++) {
          let at = (row + r) * w + column + first;
          for (let from = r * side + first; from < r * side + last; from++, at++) {
            if (ink[from] >>> 24 > pixels[at] >>> 24) pixels[at] = ink[from];
          }
        }
      }
    }
    this.pen.putImageData(this.image, 0, 0);
  }

  cloud({ left, top, zoom, width, height }, { columns, rows, side }) {
    this.#sized(width, height);
    this.pen.clearRect(0, 0, width, height);
    this.pen.drawImage(this.held, -left * zoom, -top * zoom, columns * side * zoom, rows * side * zoom);
  }

  #sized(width, height) {
    const [w, h] = [Math.max(1, Math.round(width)), Math.max(1, Math.round(height))];
    if (this.image && this.canvas.width === w && this.canvas.height === h) return;
    [this.canvas.width, this.canvas.height] = [w, h];
    this.image = new ImageData(w, h);
    this.pixels = new Uint32Array(this.image.data.buffer);
  }
}

function stampSide(size) { return Math.ceil(size) + 1; }

// A disc `size` px across in a square, as 0xAABBGGRR; with a white rim where there is room, as shaders.js has it.
function stamp([r, g, b], size) {
  const side = stampSide(size);
  const made = new Uint32Array(side * side);
  for (let at = 0; at < made.length; at++) {
    const far = Math.hypot((at % side) + 0.5 - side / 2, Math.floor(at / side) + 0.5 - side / 2);
    const inside = clamped(size / 2 - far + 0.5);
    const rim = size < 6 ? 0 : clamped(far - (size / 2 - 2) + 0.5);
    const [red, green, blue] = [r, g, b].map((part) => Math.round(255 * (part + (1 - part) * rim)));
    made[at] = (Math.round(255 * inside) << 24) | (blue << 16) | (green << 8) | red;
  }
  return made;
}

function clamped(value) { return Math.min(Math.max(value, 0), 1); }
