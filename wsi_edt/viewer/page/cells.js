// The cells of a slide: the arrays of cells.bin, and a grid over them by which they are found.
//
// A slide has up to millions of cells. Nothing here makes an object of one: places, scores and classes are typed arrays,
// ordered by the grid's squares row by row, so that what lies in a part of a row of squares is one stretch of each array.

import { bytes } from "./source.js";

const PER_SQUARE = 24; // cells on average: a pointer's square is looked through, a view's edge wastes no more than this

export class Cells {
  // x, y (level-0 px) and score are Float32Array, kind is Uint8Array: the arrays of the file, in its order.
  constructor(x, y, score, kind, width, height) {
    this.count = x.length;
    this.width = width;
    this.height = height;
    this.side = squareSide(this.count, width, height); // level-0 px
    this.columns = Math.max(1, Math.ceil(width / this.side));
    this.rows = Math.max(1, Math.ceil(height / this.side));
    this.#order(x, y, score, kind);
  }

  static async load(address, width, height) {
    return Cells.unpacked(await bytes(address), width, height);
  }

  // The cells of the bytes of cells.bin.
  static unpacked(bytes, width, height) {
    const count = new DataView(bytes).getUint32(0, true);
    if (bytes.byteLength !== 4 + 13 * count) throw new Error("the cells didn't come whole");
    const column = (k) => new Float32Array(bytes, 4 + 4 * count * k, count);
    return new Cells(column(0), column(1), column(2), new Uint8Array(bytes, 4 + 12 * count, count), width, height);
  }

  // `starts[s]` is where square s begins, and `index[i]` the place in the file of the i-th cell.
  #order(x, y, score, kind) {
    const { count, columns, rows } = this;
    const square = new Uint32Array(count);
    const starts = new Uint32Array(columns * rows + 1);
    for (let i = 0; i < count; i++) {
      const s = this.row(y[i]) * columns + this.column(x[i]);
      square[i] = s;
      starts[s + 1]++;
    }
    for (let s = 0; s < columns * rows; s++) starts[s + 1] += starts[s];
    const next = starts.slice(0, -1);
    this.starts = starts;
    this.x = new Float32Array(count);
    this.y = new Float32Array(count);
    this.score = new Float32Array(count);
    this.kind = new Uint8Array(count);
    this.index = new Uint32Array(count);
    for (let i = 0; i < count; i++) {
      const place = next[square[i]]++;
      this.x[place] = x[i];
      this.y[place] = y[i];
      this.score[place] = score[i];
      this.kind[place] = kind[i];
      this.index[place] = i;
    }
  }

  column(x) { return clamped(Math.floor(x / this.side), this.columns); }

  row(y) { return clamped(Math.floor(y / this.side), this.rows); }

  // The stretches [first, end) that hold all cells of a rectangle (level-0 px), and few others: one for each row of squares.
  stretches(left, top, right, bottom) {
    const [first, last] = [this.column(left), this.column(right)];
    const found = [];
    for (let row = this.row(top); row <= this.row(bottom); row++) {
      const begin = this.starts[row * this.columns + first];
      const end = this.starts[row * this.columns + last + 1];
      if (end > begin) found.push([begin, end]);
    }
    return found;
  }

  // The cell nearest to a point, within `reach` (level-0 px), of those that `passes(place)`; -1 if there is none.
  nearest(x, y, reach, passes) {
    let [best, least] = [-1, reach * reach];
    for (const [begin, end] of this.stretches(x - reach, y - reach, x + reach, y + reach)) {
      for (let i = begin; i < end; i++) {
        const far = (this.x[i] - x) ** 2 + (this.y[i] - y) ** 2;
        if (far <= least && passes(i)) [best, least] = [i, far];
      }
    }
    return best;
  }
}

function squareSide(count, width, height) {
  return Math.max(Math.sqrt((width * height * PER_SQUARE) / Math.max(count, 1)), 16);
}

function clamped(k, end) { return k < 0 ? 0 : k >= end ? end - 1 : k; }
