// Where single cells can't be told apart any more: how many lie in each place, in the colours of their classes.
//
// A step of the slider touches only the cells with scores between the old threshold and the new one, and the picture is made
// when it is drawn: most steps of a million cells take a few milliseconds.

const LONGER_SIDE = 1024; // px of the picture
const DENSE = 4; // cells in a px at which it covers the slide as much as it ever does
const LEVELS = 4096; // of scores, by which cells are sorted
const CLASSES = 3; // that are counted; other kinds aren't

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
    this.counted = Array.from({ length: CLASSES }, () => new Uint16Array(this.columns * this.rows));
    this.picture = new Uint8ClampedArray(4 * this.columns * this.rows);
    this.changed();
  }

  // Take over what was changed in `cells.kind` and `cells.score`.
  changed() {
    this.threshold = undefined;
    this.starts = undefined;
  }

  // Count the cells with a score above the threshold: [negative, positive, nucleus].
  count(threshold) {
    if (this.threshold === undefined) this.#countAll(threshold);
    else if (threshold !== this.threshold) this.#move(this.threshold, threshold);
    this.threshold = threshold;
    return [...this.found];
  }

  #countAll(threshold) {
    const { bin, counted } = this;
    const { score, kind, count } = this.cells;
    for (const counts of counted) counts.fill(0);
    this.found = new Array(CLASSES).fill(0);
    for (let i = 0; i < count; i++) {
      const k = kind[i];
      if (k >= CLASSES || !(score[i] > threshold)) continue;
      counted[k][bin[i]]++;
      this.found[k]++;
    }
  }

  #move(from, to) {
    if (!this.starts) this.#sort();
    const { bin, counted, found, sorted } = this;
    const { score, kind } = this.cells;
    const [low, high, more] = from < to ? [from, to, -1] : [to, from, 1];
    const end = this.starts[this.#level(high) + 1];
    for (let at = this.starts[this.#level(low)]; at < end; at++) {
      const i = sorted[at];
      const k = kind[i];
      if (k >= CLASSES || !(score[i] > low) || score[i] > high) continue;
      counted[k][bin[i]] += more;
      found[k] += more;
    }
  }

  #level(score) { return Math.max(0, Math.min(Math.floor(score * LEVELS), LEVELS - 1)); }

  // The cells by the level of their score; level l begins at starts[l].
  #sort() {
    const { score, count } = this.cells;
    this.starts = new Uint32Array(LEVELS + 1);
    for (let i = 0; i < count; i++) this.starts[this.#level(score[i]) + 1]++;
    for (let l = 0; l < LEVELS; l++) this.starts[l + 1] += this.starts[l];
    const next = this.starts.slice(0, -1);
    this.sorted = new Uint32Array(count);
    for (let i = 0; i < count; i++) this.sorted[next[this.#level(score[i])]++] = i;
  }

  // Make the picture of what was counted: RGBA. The colours of the classes are [r, g, b, alpha] each; alpha 0 hides one.
  paint(colours) {
    const { picture } = this;
    const [none, some, plain] = this.counted;
    const [w0, w1, w2] = colours.map(([, , , alpha]) => (alpha > 0 ? 1 : 0));
    const [[r0, g0, b0], [r1, g1, b1], [r2, g2, b2]] = colours;
    for (let s = 0, at = 0; s < none.length; s++, at += 4) {
      const n = none[s] * w0;
      const p = some[s] * w1;
      const o = plain[s] * w2;
      const total = n + p + o;
      if (total === 0) {
        picture[at + 3] = 0;
        continue;
      }
      const share = 255 / total;
      picture[at] = (n * r0 + p * r1 + o * r2) * share;
      picture[at + 1] = (n * g0 + p * g1 + o * g2) * share;
      picture[at + 2] = (n * b0 + p * b1 + o * b2) * share;
      picture[at + 3] = 255 * (0.35 + 0.5 * Math.min(total / DENSE, 1));
    }
  }
}
