// What the pointer and the keys do: cells one by one, or all within an outline that is drawn freehand or corner by corner.
//
// Without a pointer the cross in the middle of the view stands for it: arrows move the slide below it, the space bar clicks.

import { TWICE_PX } from "./slide_view.js";

const { OpenSeadragon } = window;
const OUTLINED = ["flip-outlined", "delete-outlined", "exclude", "region"];
const KEYS = { f: "flip", d: "delete", F: "flip-outlined", D: "delete-outlined", e: "exclude", r: "region" };
const APART_PX = 3; // CSS px between corners of what is drawn freehand
const TWICE_MS = 350; // two clicks nearer than this in time, and near in place, are one double-click

export class Tools {
  // `does` has what follows: cell(tool, x, y) true if there was one, outline(tool, corners), add(x, y), undo(), redo(), keep().
  constructor(shown, outlines, does) {
    Object.assign(this, { shown, outlines, does, clicked: -TWICE_MS });
    const { viewer } = shown;
    viewer.addHandler("canvas-click", (event) => this.#click(event));
    viewer.addHandler("canvas-double-click", (event) => this.#twice(event));
    viewer.addHandler("canvas-drag", (event) => this.#drag(event));
    viewer.addHandler("canvas-drag-end", (event) => this.#dragged(event));
    viewer.addHandler("canvas-key", (event) => {
      if (/^[a-z]$/i.test(event.originalEvent.key)) event.preventDefaultAction = true; // letters are ours
    });
    window.addEventListener("keydown", (event) => this.#key(event));
    for (const input of this.inputs) input.addEventListener("change", () => this.cancel());
  }

  get inputs() { return [...document.querySelectorAll("input[name=tool]")]; }

  get tool() { return this.inputs.find((input) => input.checked).value; }

  set tool(name) {
    for (const input of this.inputs) input.checked = input.value === name;
    this.cancel();
  }

  get outlining() { return OUTLINED.includes(this.tool); }

  cancel() { this.#draw([]); }

  // End what is being drawn, and do with it what the tool says.
  close() {
    const corners = this.outlines.drawn;
    this.cancel();
    if (corners.length > 2) this.does.outline(this.tool, corners);
  }

  #at({ position }) { return this.shown.toSlide(position.x, position.y); }

  #draw(corners) {
    this.outlines.drawn = corners;
    this.shown.redraw();
  }

  #click(event) {
    if (!event.quick) return;
    const { position } = event;
    const again = performance.now() - this.clicked < TWICE_MS && position.distanceTo(this.clickedAt) <= TWICE_PX;
    [this.clicked, this.clickedAt] = [performance.now(), position];
    if (!again) this.#press(...this.#at(event));
  }

  #press(x, y) {
    this.hit = false;
    if (this.outlining) this.#draw([...this.outlines.drawn, [x, y]]);
    else this.hit = this.does.cell(this.tool, x, y);
  }

  #twice(event) {
    if (this.outlining) this.close();
    else if (!this.hit) this.does.add(...this.#at(event));
  }

  #drag(event) {
    if (!this.outlining) return;
    event.preventDefaultAction = true;
    const corners = this.outlines.drawn;
    const corner = this.#at(event);
    const last = corners.at(-1);
    const { zoom } = this.shown.view;
    if (!last || Math.hypot(corner[0] - last[0], corner[1] - last[1]) * zoom >= APART_PX) this.#draw([...corners, corner]);
  }

  #dragged(event) {
    if (!this.outlining) return;
    event.preventDefaultAction = true;
    this.close();
  }

  #key(event) {
    if (/^(SELECT|TEXTAREA)$/.test(event.target.tagName) || event.target.type === "text") return;
    const mark = event.ctrlKey || event.metaKey;
    const key = event.key;
    if (mark && key.toLowerCase() === "z") this.does[event.shiftKey ? "redo" : "undo"]();
    else if (mark && key === "y") this.does.redo();
    else if (mark || event.altKey) return;
    else if (key === "u") this.does.undo();
    else if (key === "U") this.does.redo();
    else if (KEYS[key]) this.tool = KEYS[key];
    else if (key === "p" || key === "n") document.querySelector(`input[name=added][value=${key === "p" ? "Positive" : "Negative"}]`).checked = true;
    else if (key === "a") this.#middle((x, y) => this.does.add(x, y));
    else if (key === " " && !/^(BUTTON|INPUT)$/.test(event.target.tagName)) this.#middle((x, y) => this.#press(x, y));
    else if (key === "t") this.does.keep();
    else if (key === "Enter" && this.outlines.drawn.length) this.close();
    else if (key === "Escape") this.cancel();
    else return;
    event.preventDefault();
  }

  #middle(act) {
    document.getElementById("cross").hidden = false;
    const { width, height } = this.shown.view;
    act(...this.#at({ position: new OpenSeadragon.Point(width / 2, height / 2) }));
  }
}
