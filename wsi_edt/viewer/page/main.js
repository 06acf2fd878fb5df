// The page: which slide is shown, and what follows from the slider, the classes and the pointer.

import { CellLayer } from "./cell_layer.js";
import { Cells } from "./cells.js";
import { Correcting } from "./correcting.js";
import { HeatLayer } from "./heat_layer.js";
import { Layers } from "./layers.js";
import { OutlineLayer } from "./outline_layer.js";
import { listAreas, listClasses, listSlides, say, scoreSlider, tellModel } from "./panel.js";
import { SlideView } from "./slide_view.js";
import { json, readOnly } from "./source.js";
import { Tools } from "./tools.js";

const host = document.getElementById("slide");
const label = document.getElementById("under-pointer");
const shown = new SlideView(host);
// What tests and people at the console look at.
const page = { chosen: null, view: shown, heat: null, cells: null, layer: null, correcting: null, ready: false };
window.wsiEdt = page;

const heat = new HeatLayer(shown.viewer.canvas);
const outlines = new OutlineLayer(shown.viewer.canvas);
page.heat = heat;
shown.add(heat);
shown.add(outlines);
const layers = new Layers(shown, heat, outlines);
const correct = (what) => (...details) => page.correcting?.[what](...details);
const keep = () => correct("keep")(page.layer.threshold);
const doing = { cell: correct("cell"), outline: correct("outline"), add: correct("add"), undo: correct("undo"), redo: correct("redo"), keep };
const tools = readOnly ? null : new Tools(shown, outlines, doing);
for (const part of document.querySelectorAll("#correct > :not(ol)")) part.hidden = readOnly;
for (const name of ["undo", "redo", "keep"]) document.getElementById(name).addEventListener("click", () => doing[name]());

async function open(number) {
  page.ready = false;
  label.hidden = true;
  history.replaceState(null, "", `#${number}`); // a reload shows the same slide
  const base = `slide/${number}/`;
  say("");
  if (page.layer) {
    shown.remove(page.layer);
    page.layer.canvas.remove();
  }
  if (page.correcting) page.correcting.closed = true;
  [page.cells, page.layer, page.correcting] = [null, null, null];
  tools?.cancel();
  listAreas([], [], go);
  outlines.show([], []);
  const loading = json(`${base}info.json`);
  const info = await loading;
  const coming = Cells.load(`${base}cells.bin`, info.width, info.height);
  document.title = `${info.name} – wsi-edt`;
  tellModel(info);
  document.getElementById("added").hidden = readOnly || !info.has_classes;
  listAreas(info.areas, info.areas, go);
  outlines.show(info.areas, []);
  layers.open(base);
  const tellGone = ({ gone }) => { document.getElementById("gone").textContent = gone ? `The slide itself isn't shown: ${gone}.` : ""; };
  await shown.open(base, info, async () => tellGone(await json(`${base}info.json`)));
  tellGone(info);
  const layer = new CellLayer(shown.viewer.canvas, info.mpp, info.classes);
  const cells = await coming;
  const most = highest(cells.score);
  layer.show(cells);
  const correcting = new Correcting(base, info, cells, {
    passes: (place) => layer.passes(place),
    zoom: () => shown.view.zoom,
    changed: (other) => {
      page.cells = correcting.cells;
      if (other) layer.show(page.cells);
      else layer.changed();
      const { threshold } = correcting;
      if (threshold !== page.kept) slide(threshold ?? info.threshold.reported);
      page.kept = threshold;
      refilter(layer.threshold);
    },
    scored: ({ revision, report, before, after }) => {
      if (report !== info.report) say("This slide was reported again meanwhile, maybe by other rules: reload the page.");
      listAreas(before, revision ? after : before, go);
      outlines.show(after, correcting.excluded);
      if (page.scored !== null && page.scored !== revision) layers.corrected();
      page.scored = revision;
      shown.redraw();
    },
  });
  Object.assign(page, { cells, layer, info, correcting, kept: undefined, scored: null });
  const classes = listClasses(info.classes, () => refilter(layer.threshold));
  const refilter = (threshold) => {
    classes.counts = layer.filter(threshold, classes.visible);
    shown.redraw();
  };
  const slide = scoreSlider(info.threshold.run, info.threshold.reported, most, refilter);
  refilter(info.threshold.reported);
  await correcting.load();
  shown.add(layer);
  page.ready = true;
}

function highest(scores) {
  let most = 0;
  for (let i = 0; i < scores.length; i++) if (scores[i] > most) most = scores[i];
  return most;
}

function go(area) {
  if (area.place) {
    const { x, y, size_px: size } = area.place;
    shown.fit(x - size / 2, y - size / 2, size, size);
    return;
  }
  const points = area.outline.flat();
  const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  shown.fit(left, top, Math.max(...xs) - left, Math.max(...ys) - top);
}

// Say which cell is under the pointer.
host.addEventListener("pointermove", (event) => {
  const { cells, layer, info, correcting } = page;
  if (!correcting || !layer.drawsPoints) {
    label.hidden = true;
    return;
  }
  const box = host.getBoundingClientRect();
  const [x, y] = shown.toSlide(event.clientX - box.left, event.clientY - box.top);
  const place = correcting.nearest(x, y);
  page.under = place < 0 ? null : { index: cells.index[place], x: cells.x[place], y: cells.y[place], kind: cells.kind[place] };
  label.hidden = place < 0;
  if (place < 0) return;
  const by = correcting.corrected.byHand(place) ? "by hand" : `score ${cells.score[place].toFixed(3)}`;
  label.textContent = `${info.classes[cells.kind[place]].name}, ${by}`;
  label.style.left = `${event.clientX + 14}px`;
  label.style.top = `${event.clientY + 14}px`;
});
if (!readOnly) window.addEventListener("focus", () => correct("look")()?.catch((error) => say(error.message)));
host.addEventListener("pointerleave", () => { label.hidden = true; });

try {
  const { slides } = await json("slides.json");
  // One slide after the other: of those that are chosen while one is loading, the last.
  const show = async (number) => {
    const loading = page.chosen !== null;
    page.chosen = number;
    if (loading) return;
    for (let now = null; now !== page.chosen;) {
      now = page.chosen;
      await open(now).catch((error) => say(String(error.message)));
    }
    page.chosen = null;
  };
  const asked = Number(location.hash.slice(1));
  const first = Number.isInteger(asked) && asked >= 0 && asked < slides.length ? asked : 0;
  listSlides(slides, first, show);
  await show(first);
} catch (error) {
  say(String(error.message));
}
