// Corrections on the slide that is shown: what the tools ask for is stored at once, then the cells and the numbers follow.

import { UNCOUNTED } from "./cell_layer.js";
import { CorrectedCells, within } from "./corrected_cells.js";
import { element, say } from "./panel.js";
import { CorrectionsRecord } from "./record.js";
import { json } from "./source.js";

const REACH_UM = 4; // of the pointer around it: neighbours in a dense tumour lie 6 apart
const REACH_PX = 5; // at least, CSS px
const SAME_UM = 1.5; // two nuclei don't lie this near
const GREY = "Cells in grey lie where nothing counts, so that there is nothing to correct. To let them count, undo the excluded area.";
const ADDED_GREY = "The cell is stored, in grey: it lies where nothing counts.";
const MERGED = "This slide was corrected elsewhere meanwhile: the page shows that now, and what you just did, too.";
const LISTED = 8; // of the latest corrections

export class Correcting {
  // `changed(other)` is called after cells changed, `other` being true if they are in another object; `scored(score)` with
  // each new score.json. `passes(place)` says whether a cell is shown, `zoom()` how many CSS px a level-0 px has.
  constructor(base, info, found, { passes, zoom, changed, scored }) {
    Object.assign(this, { base, info, passes, zoom, changed, scored });
    this.record = new CorrectionsRecord(base);
    this.corrected = new CorrectedCells(found, info.classes, info.counting);
  }

  // Whether positive and negative mean something on the slide: without DAB all cells are nuclei.
  get hasClasses() { return this.info.has_classes; }

  get cells() { return this.corrected.cells; }

  // The record's threshold; undefined if it has none.
  get threshold() { return this.record.active.filter(({ what }) => what === "threshold").at(-1)?.value; }

  get excluded() { return this.record.active.filter(({ what }) => what === "exclude").map(({ polygon }) => polygon); }

  async load() {
    await this.record.load();
    this.#follow();
  }

  // Look whether another window corrected; the page follows if so.
  async look() {
    const seen = this.record.revision;
    await this.record.pending;
    await this.record.load();
    if (this.record.revision !== seen) this.#follow();
  }

  // The place of the cell that a pointer at (x, y) means; -1 if there is none.
  nearest(x, y, passes = this.passes) {
    return this.cells.nearest(x, y, Math.max(REACH_UM / this.info.mpp, REACH_PX / this.zoom()), passes);
  }

  // Flip or delete the cell at (x, y); false if there is none.
  cell(tool, x, y) {
    const place = this.nearest(x, y);
    if (place >= 0) this.#change(tool, [place]);
    else if (this.nearest(x, y, this.#isGrey) >= 0) say(GREY);
    return place >= 0;
  }

  #isGrey = (place) => this.cells.kind[place] === UNCOUNTED;

  outline(tool, corners) {
    const polygon = { type: "Polygon", coordinates: [[...corners, corners[0]]] };
    if (tool === "exclude") this.#store({ what: "exclude", polygon });
    else if (tool === "region") this.#makeRegion(polygon);
    else this.#change(tool.replace("-outlined", ""), within(this.cells, corners, this.passes));
  }

  async add(x, y) {
    const isTaken = () => this.#isTaken(x, y);
    if (isTaken()) {
      say("There is a cell already.");
      return;
    }
    const kind = this.hasClasses ? document.querySelector("input[name=added]:checked").value : "Nucleus";
    const made = () => (isTaken() ? null : { what: "add", x, y, class: kind }); // one that was sent before may be stored by then
    await this.#storeMade(made, () => this.nearest(x, y) < 0);
    if (!this.closed && this.cells.nearest(x, y, 1, this.#isGrey) >= 0) say(ADDED_GREY);
  }

  // Whether a cell lies at (x, y), shown or just stored.
  #isTaken(x, y) {
    const reach = SAME_UM / this.info.mpp;
    if (this.cells.nearest(x, y, reach, (place) => this.passes(place) || this.#isGrey(place)) >= 0) return true;
    const gone = this.record.deleted;
    return this.record.active.some((one) => one.what === "add" && !gone.has(-one.id) && Math.hypot(one.x - x, one.y - y) <= reach);
  }

  undo() { this.#again("undo"); }

  redo() { this.#again("redo"); }

  keep(value) { this.#store({ what: "threshold", value }); }

  #again(what) {
    this.#storeMade(() => {
      const entry = this.record.next[what];
      return entry === undefined ? null : { what, entry };
    });
  }

  #change(what, places) {
    const able = what === "flip" ? places.filter((i) => this.corrected.kind[i] < 2) : places;
    if (able.length) this.#storeOf(what, this.corrected.named(able));
    else say(places.length ? "There is nothing to flip: these cells have no class." : "There is no cell in that outline that is shown and counts.");
  }

  #makeRegion(polygon) {
    const field = document.getElementById("region-name");
    const given = field.value.trim();
    field.value = "";
    this.#storeMade(() => ({ what: "region", name: given || this.#freeName(), polygon }), () => true);
  }

  #freeName() {
    const taken = new Set(this.record.entries.map(({ name }) => name));
    for (let k = 1; ; k++) if (!taken.has(`Region ${k}`)) return `Region ${k}`;
  }

  #store(correction) { return this.#storeMade(() => correction, () => true); }

  // Of cells that are gone by then nothing is stored; it means what it meant before others corrected if they are as they were.
  #storeOf(what, cells) {
    const seen = this.corrected.kinds(cells);
    const made = () => (what === "delete" && cells.index.every((index) => this.record.deleted.has(index)) ? null : { what, cells });
    return this.#storeMade(made, () => this.corrected.kinds(cells).every((kind, k) => kind === seen[k]));
  }

  // Store what `made()` gives. If others corrected first, the page shows that, and it is stored if `holds()` even so.
  async #storeMade(made, holds = () => false, told = "") {
    try {
      await this.record.add(made);
      if (!this.closed) say(told);
    } catch (error) {
      say(this.closed ? `${this.info.name}: ${error.message}` : error.message);
      if (!error.stale || this.closed) return;
      this.#follow();
      if (!error.lost && holds()) await this.#storeMade(made, holds, MERGED);
      return;
    }
    this.#follow();
  }

  #follow() {
    if (this.closed) return; // another slide is shown by now
    this.changed(this.corrected.apply(this.record));
    this.#list();
    this.#score();
  }

  // One request at a time; what changed meanwhile is asked for once, after it.
  async #score() {
    this.wanted = true;
    if (this.scoring) return;
    this.scoring = true;
    try {
      while (this.wanted) {
        this.wanted = false;
        const score = await json(`${this.base}score.json`);
        if (!this.closed) this.scored(score);
      }
    } catch (error) {
      say(`The numbers aren't those of these cells: ${error.message}`);
    } finally {
      this.scoring = false;
    }
  }

  #list() {
    const { entries, next } = this.record;
    document.getElementById("undo").disabled = next.undo === undefined;
    document.getElementById("redo").disabled = next.redo === undefined;
    const lines = entries.slice(-LISTED).reverse().map((entry) =>
      element("li", `${entry.id}. ${inWords(entry)} – ${entry.who}, ${new Date(entry.when).toLocaleString("en-GB")}`));
    document.getElementById("history").replaceChildren(...lines);
  }
}

function inWords({ what, cells, class: kind, name, value, entry }) {
  const some = cells ? (cells.index.length === 1 ? "a cell" : `${cells.index.length.toLocaleString("en")} cells`) : "";
  switch (what) {
    case "flip": return `${some} flipped`;
    case "delete": return `${some} deleted`;
    case "add": return `a ${kind.toLowerCase()} cell added`;
    case "exclude": return "an area excluded";
    case "region": return `region ${name}`;
    case "threshold": return `score above ${value.toFixed(3)}`;
    default: return `${what === "undo" ? "undid" : "redid"} ${entry}`;
  }
}
