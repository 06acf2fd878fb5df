// The record of what was corrected on a slide, as corrections.json has it: entries are only ever added to it.

import { json, SILENT } from "./source.js";

const LATE = "This slide was corrected elsewhere meanwhile. What you just did wasn't stored; the page shows the other corrections now.";
const LOST = "Corrections that this page had stored are gone: corrections.json was removed or replaced meanwhile. What you just did wasn't stored.";

export class CorrectionsRecord {
  // `base` is the slide's address.
  constructor(base) {
    this.base = base;
    this.entries = [];
    this.pending = Promise.resolve();
  }

  get revision() { return this.entries.length; }

  async load() {
    this.entries = (await json(`${this.base}corrections.json`)).entries;
  }

  // Store the correction that `made()` gives once those before it are stored; none if it gives none. An error says why it isn't stored; its `stale` is true if others
  // came first: those are loaded by then.
  add(made) {
    const seen = this.entries;
    const stored = this.pending.then(() => {
      if (this.entries !== seen) throw late(); // one that was sent before it found the record changed
      const correction = made();
      return correction && this.#store(correction);
    });
    this.pending = stored.catch(() => {});
    return stored;
  }

  async #store(correction) {
    let answer;
    try {
      answer = await fetch(`${this.base}corrections`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ revision: this.revision, entry: correction }),
      });
    } catch {
      throw new Error(`That isn't stored: ${SILENT}`);
    }
    const fields = await answer.json();
    if (answer.status === 409) {
      const seen = this.revision;
      await this.load();
      throw late(this.revision < seen ? LOST : LATE);
    }
    if (!answer.ok) throw new Error(`That isn't stored: ${fields.error}`);
    this.entries.push({ id: fields.revision, who: fields.who, when: fields.when, ...correction });
  }

  // The entries that count, without undo and redo themselves.
  get active() {
    const states = new Map();
    for (const { id, what, entry } of this.entries) {
      if (what === "undo") states.set(entry, false);
      else if (what === "redo") states.set(entry, true);
      else states.set(id, true);
    }
    return this.entries.filter(({ id }) => states.get(id));
  }

  // The indices of the cells that are deleted, as corrections name them.
  get deleted() { return new Set(this.active.filter(({ what }) => what === "delete").flatMap(({ cells }) => cells.index)); }

  // The ids that the next undo and the next redo would name; undefined if there is none.
  get next() {
    const [done, undone] = [[], []];
    for (const { id, what, entry } of this.entries) {
      if (what === "undo") undone.push(...done.splice(done.indexOf(entry), 1));
      else if (what === "redo") done.push(...undone.splice(undone.indexOf(entry), 1));
      else {
        done.push(id);
        undone.length = 0;
      }
    }
    return { undo: done.at(-1), redo: undone.at(-1) };
  }
}

function late(words = LATE) { return Object.assign(new Error(words), { stale: true, lost: words === LOST }); }
