// What lies over the slide beside its cells, as the panel chooses it: a heat map, and the outlines of each kind of area.

import { element, say } from "./panel.js";

const wanted = (id) => document.getElementById(id);

export class Layers {
  constructor(shown, heat, outlines) {
    Object.assign(this, { shown, heat, outlines });
    wanted("heat").addEventListener("change", () => {
      wanted("heat").blur(); // else it takes the keys that correct
      this.#heat().catch((error) => say(error.message));
    });
    for (const box of document.querySelectorAll("#layers input[type=checkbox]")) {
      box.addEventListener("change", () => {
        outlines.hidden[box.value] = !box.checked;
        shown.redraw();
      });
    }
  }

  // Another slide is shown.
  open(base) {
    this.heat.open(base);
    wanted("heat").value = "";
    wanted("scale").hidden = true;
  }

  // Cells were corrected.
  corrected() {
    this.heat.forget();
    if (wanted("heat").value) this.#heat().catch((error) => say(error.message));
  }

  async #heat() {
    const name = wanted("heat").value;
    const map = await this.heat.show(name);
    this.shown.redraw();
    if (name !== wanted("heat").value) return;
    wanted("scale").hidden = !name;
    if (!name) return;
    if (!map) {
      wanted("scale").replaceChildren(element("p", "There is nothing to show: too few cells, or no index."));
      return;
    }
    const bar = element("div", "", "bar");
    for (const colour of map.colours) {
      const step = element("span");
      step.style.background = colour;
      bar.append(step);
    }
    const ends = element("div", "", "ends");
    ends.append(element("span", "0"), element("span", `${map.upper.toLocaleString("en")} ${map.unit}`));
    wanted("scale").replaceChildren(bar, ends);
  }
}
