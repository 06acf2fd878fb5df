// Where single cells can't be told apart any more: how many lie in each place, in the colours of their classes.

const LONGER_SIDE = 1024; // px of the picture
const DENSE = 4; // cells in a px at which it covers the slide as much as it ever does

export class Density {
  constructor(cells) {
    this.cells = cells;
    const side = Math.max(cells.width, cells.height) / LONGER_SIDE; // level-0 px a px
    this.side = Math.max(side, 1);
    this.columns = Math.max(1, Math.ceil(cells.width / this.side));
    this.rows = Math.max(1, Math.ceil(cells.height / this.side));
    this.bin = new Uint32Array(cells.count); // of each cell: it never changes, and the filter does
    for (let i = 0; i < cells.count; i++) {
      const column = Math.min(Math.floor(Math.max(cells.x[i], 0) / this.side), this.columns - 1);
      const row = Math.min(Math.floor(Math.max(cells.y[i], 0) / this.side), this.rows - 1);
      this.bin[i] = row * this.columns + column;
    }
    this.counted = [0, 1, 2].map(() => new Uint16Array(this.columns * this.rows));
    this.picture = new Uint8Array(4 * this.columns * this.rows);
  }

  // The picture for a threshold and the colours of the classes ([r, g, b, alpha] each, alpha 0 hides one): RGBA, premultiplied.
  // Returns how many cells of each class pass.
  paint(threshold, colours) {
    const { cells, bin, counted, picture } = this;
    const found = [0, 0, 0];
    for (const counts of counted) counts.fill(0);
    const { score, kind, count } = cells;
    for (let i = 0; i < count; i++) {
      const k = kind[i];
      if (k < 3 && score[i] > threshold) {
        found[k]++;
        counted[k][bin[i]]++;
      }
    }
    const shades = colours.map(([r, g, b, a]) => (a > 0 ? [r, g, b] : null));
    const [none, some, plain] = counted;
    for (let s = 0, at = 0; s < none.length; s++, at += 4) {
      const parts = [shades[0] ? none[s] : 0, shades[1] ? some[s] : 0, shades[2] ? plain[s] : 0];
      const total = parts[0] + parts[1] + parts[2];
      if (total === 0) {
        picture[at] = picture[at + 1] = picture[at + 2] = picture[at + 3] = 0;
        continue;
      }
      const alpha = 0.35 + 0.5 * Math.min(total / DENSE, 1);
      const share = (255 * alpha) / total;
      for (let c = 0; c < 3; c++) {
        let value = 0;
        for (let k = 0; k < 3; k++) if (parts[k] > 0) value += parts[k] * shades[k][c];
        picture[at + c] = value * share;
      }
      picture[at + 3] = 255 * alpha;
    }
    return found;
  }
}
