// A slide's cells as its corrections leave them: those of cells.bin, and behind them those that were added by hand.

import { GONE, UNCOUNTED } from "./cell_layer.js";
import { Cells } from "./cells.js";

const BY_HAND = 1e9; // a score that every threshold lets pass

export class CorrectedCells {
  // `found` are the cells of cells.bin, `counting` where cells count, as info.json has it.
  constructor(found, classes, counting) {
    Object.assign(this, { found, counting });
    this.names = classes.map(({ name }) => name);
    this.added = []; // all entries that add a cell, undone ones too
    this.#take(found);
  }

  #take(cells) {
    this.cells = cells;
    this.kind = cells.kind.slice(); // as the run found it, or as it was added
    this.score = cells.score.slice();
    this.places = new Uint32Array(cells.count);
    for (let i = 0; i < cells.count; i++) this.places[cells.index[i]] = i;
    this.touched = [];
  }

  // Make the cells what the record says; true if `cells` is another object now.
  apply(record) {
    const added = record.entries.filter(({ what }) => what === "add");
    const other = added.map(({ id }) => id).join() !== this.added.map(({ id }) => id).join();
    if (other) this.#withAdded(added);
    const { cells } = this;
    for (const i of this.touched) [cells.kind[i], cells.score[i]] = [this.kind[i], this.score[i]];
    const active = record.active;
    const ids = new Set(active.map(({ id }) => id));
    const [flipped, touched, gone] = [new Set(), new Set(), new Set()];
    const uncounted = this.#ignored(active);
    this.added.forEach(({ id, x, y }, k) => {
      const place = this.places[this.found.count + k];
      touched.add(place);
      if (!ids.has(id)) gone.add(place);
      if (this.counting && inPolygons(x, y, this.counting) !== this.counting.within) uncounted.push(place);
    });
    for (const { what, cells: named } of active) {
      if (what !== "flip" && what !== "delete") continue;
      for (const index of named.index) {
        const place = this.#placeOf(index);
        if (place === undefined) continue;
        if (what === "delete") gone.add(place);
        else if (!flipped.delete(place)) flipped.add(place);
        if (what === "flip") cells.score[place] = BY_HAND;
        touched.add(place);
      }
    }
    for (const place of flipped) if (this.kind[place] < 2) cells.kind[place] = 1 - this.kind[place];
    for (const place of gone) cells.kind[place] = GONE;
    for (const place of uncounted) {
      touched.add(place);
      if (cells.kind[place] !== GONE) cells.kind[place] = UNCOUNTED;
    }
    this.touched = [...touched];
    return other;
  }

  // The places of the cells in excluded areas and in regions of class Ignore*, in one list.
  #ignored(active) {
    const shapes = active.filter(({ what, class: kind }) => what === "exclude" || (what === "region" && kind?.startsWith("Ignore")));
    return shapes.flatMap(({ polygon }) =>
      polygons(polygon).flatMap(([shell, ...holes]) => {
        const inHoles = new Set(holes.flatMap((hole) => within(this.cells, hole, () => true)));
        return within(this.cells, shell, (i) => !inHoles.has(i));
      }));
  }

  // What a correction calls the cells at these places of the arrays.
  named(places) {
    const { cells, found } = this;
    const of = (value) => Array.from(places, value);
    return {
      index: of((i) => (cells.index[i] < found.count ? cells.index[i] : -this.added[cells.index[i] - found.count].id)),
      x: of((i) => cells.x[i]),
      y: of((i) => cells.y[i]),
      class: of((i) => this.names[this.kind[i]]),
    };
  }

  // The kinds now of the cells that `named` gave.
  kinds(named) {
    return named.index.map((index) => {
      const place = this.#placeOf(index);
      return place === undefined ? GONE : this.cells.kind[place];
    });
  }

  // Whether the cell at a place was added or flipped by a person.
  byHand(place) { return this.cells.score[place] === BY_HAND; }

  #placeOf(index) {
    if (index >= 0) return this.places[index];
    const k = this.added.findIndex(({ id }) => id === -index);
    return k < 0 ? undefined : this.places[this.found.count + k];
  }

  #withAdded(added) {
    const { found } = this;
    const count = found.count + added.length;
    const [x, y, score, kind] = [new Float32Array(count), new Float32Array(count), new Float32Array(count), new Uint8Array(count)];
    // The arrays of `cells` are in the grid's order; the new ones begin in the file's.
    for (let i = 0; i < this.cells.count; i++) {
      const at = this.cells.index[i];
      if (at >= found.count) continue;
      [x[at], y[at], score[at], kind[at]] = [this.cells.x[i], this.cells.y[i], this.score[i], this.kind[i]];
    }
    added.forEach((entry, k) => {
      const at = found.count + k;
      [x[at], y[at], score[at], kind[at]] = [entry.x, entry.y, BY_HAND, this.names.indexOf(entry.class)];
    });
    this.added = added;
    this.#take(new Cells(x, y, score, kind, found.width, found.height));
  }
}

// The places of the cells within an outline ([[x, y], ...], level-0 px) that `passes(place)`.
export function within(cells, outline, passes) {
  const [xs, ys] = [outline.map(([x]) => x), outline.map(([, y]) => y)];
  const found = [];
  for (const [begin, end] of cells.stretches(Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys))) {
    for (let i = begin; i < end; i++) if (passes(i) && inside(cells.x[i], cells.y[i], xs, ys)) found.push(i);
  }
  return found;
}

// The polygons of a GeoJSON Polygon or MultiPolygon: lists of rings.
function polygons({ type, coordinates }) { return type === "Polygon" ? [coordinates] : coordinates; }

function inPolygons(x, y, shape) {
  const inRing = (ring) => inside(x, y, ring.map(([a]) => a), ring.map(([, b]) => b));
  return polygons(shape).some(([shell, ...holes]) => inRing(shell) && !holes.some(inRing));
}

function inside(x, y, xs, ys) {
  let odd = false;
  for (let a = 0, b = xs.length - 1; a < xs.length; b = a++) {
    if (ys[a] > y !== ys[b] > y && x < ((xs[b] - xs[a]) * (y - ys[a])) / (ys[b] - ys[a]) + xs[a]) odd = !odd;
  }
  return odd;
}
