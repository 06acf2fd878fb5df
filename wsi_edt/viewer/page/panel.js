// The panel beside the slide: classes, the score's slider, and the areas with their numbers. All texts are set as text.

const wanted = (id) => document.getElementById(id);

export function element(name, text = "", className = "") {
  const made = document.createElement(name);
  if (text !== "") made.textContent = text;
  if (className) made.className = className;
  return made;
}

export function say(text) { wanted("message").textContent = text; }

// The list of slides, of which the one numbered `first` is shown; `chosen(number)` is called when one is chosen.
export function listSlides(slides, first, chosen) {
  const list = wanted("slides");
  list.replaceChildren(
    ...slides.map(({ name, case: called }, number) => {
      const option = element("option", called ? `${called} – ${name}` : name);
      option.value = String(number);
      return option;
    }),
  );
  list.value = String(first);
  list.addEventListener("change", () => {
    list.blur(); // else it takes the keys that correct
    chosen(Number(list.value));
  });
}

// A line for each class that may be shown or hidden; returns what is visible, by class, and a way to set the counts.
export function listClasses(classes, changed) {
  const boxes = [];
  const numbers = [];
  const lines = classes.map(({ name, colour }, k) => {
    const line = element("label");
    const swatch = element("span", "", "swatch");
    swatch.style.background = colour;
    boxes[k] = element("input");
    boxes[k].type = "checkbox";
    boxes[k].checked = true;
    boxes[k].addEventListener("change", changed);
    numbers[k] = element("span", "", "count");
    line.append(boxes[k], swatch, element("span", name), numbers[k]);
    return line;
  });
  wanted("classes").replaceChildren(...lines);
  return {
    get visible() { return boxes.map((box) => box.checked); },
    set counts(counts) {
      counts.forEach((count, k) => {
        numbers[k].textContent = count.toLocaleString("en");
        lines[k].hidden = k === 2 && count === 0; // most models tell classes apart
      });
      const [negative, positive] = counts;
      const share = positive + negative ? `${((100 * positive) / (positive + negative)).toFixed(1)} % positive` : "no index";
      wanted("shown").textContent = `${share} of ${(positive + negative).toLocaleString("en")} shown with a class`;
    },
  };
}

// The slider of the score, from the run's threshold on: below it nothing was stored. Calls `moved(threshold)`; returns what sets it.
export function scoreSlider(run, reported, highest, moved) {
  const slider = wanted("threshold");
  slider.step = "any"; // else the value that was reported would be moved to a step
  slider.min = String(run);
  slider.max = String(Math.max(highest, run));
  slider.value = String(reported);
  const tell = () => { wanted("threshold-value").textContent = Number(slider.value).toFixed(3); };
  slider.oninput = () => {
    tell();
    moved(Number(slider.value));
  };
  tell();
  return (value) => {
    slider.value = String(value);
    slider.oninput();
  };
}

// The areas with their numbers, beside those that they had before corrections; `go(area)` is called for one that has a place.
export function listAreas(before, areas, go) {
  // The whole's name says whether something is ignored: it changes with the first area that is excluded.
  const key = ({ kind, name }) => (kind === "whole tissue" ? kind : `${kind} ${name}`);
  const earlier = new Map(before.map((area) => [key(area), area.text.index]));
  const corrected = before !== areas;
  const table = element("table");
  const head = element("thead");
  const titles = element("tr");
  titles.append(element("th", "Area"), ...(corrected ? [element("th", "before"), element("th", "now")] : [element("th", "Ki-67")]), element("th", "cells"));
  head.append(titles);
  const body = element("tbody");
  // An area that corrections took away, such as a field, has no number now.
  const left = new Set(areas.map(key));
  const gone = before.filter((area) => !left.has(key(area))).map((area) => ({ ...area, place: null, outline: null, text: { ...area.text, index: "–", cells: "–", why_no_index: "", decisions: [] } }));
  for (const area of [...areas, ...gone]) {
    const line = element("tr");
    const name = element("th");
    const called = area.label ? `${area.label} ${area.name}` : area.name;
    if (area.place || area.outline) {
      const button = element("button", called);
      button.addEventListener("click", () => go(area));
      name.append(button);
    } else name.textContent = called;
    const was = earlier.get(key(area)) ?? "–";
    if (corrected) line.append(name, element("td", was, "number"));
    else line.append(name);
    const now = element("td", area.text.index, corrected && was !== area.text.index ? "number changed" : "number");
    line.append(now, element("td", area.text.cells, "number"));
    body.append(line);
    for (const words of [area.text.why_no_index, ...area.text.decisions].filter(Boolean)) {
      const why = element("td", words, "why");
      why.colSpan = corrected ? 4 : 3;
      const below = element("tr");
      below.append(why);
      body.append(below);
    }
  }
  table.append(head, body);
  const moved = corrected && areas.some(({ kind }) => kind === "hotspot");
  wanted("areas").replaceChildren(table, ...(moved ? [element("p", "Hotspots are looked for again: before and now may lie elsewhere.", "why")] : []));
}

export function tellModel(info) {
  wanted("counted").textContent = `${info.model}: ${info.what_is_counted}`;
  wanted("research-use").textContent = info.research_use;
}
