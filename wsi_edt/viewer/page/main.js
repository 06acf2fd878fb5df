// The page: which slide is shown, and what follows from the slider, the classes and the pointer.

import { CellLayer } from "./cell_layer.js";
import { Cells } from "./cells.js";
import { listAreas, listClasses, listSlides, say, scoreSlider, tellModel } from "./panel.js";
import { SlideView } from "./slide_view.js";

const REACH_UM = 6; // of the pointer around it

const host = document.getElementById("slide");
const label = document.getElementById("under-pointer");
const shown = new SlideView(host);
// What tests and people at the console look at.
const page = { view: shown, cells: null, layer: null, ready: false };
window.wsiEdt = page;

async function json(address) {
  const answer = await fetch(address);
  const fields = await answer.json();
  if (!answer.ok) throw new Error(fields.error);
  return fields;
}

async function open(number) {
  page.ready = false;
  const base = `slide/${number}/`;
  say("");
  if (page.layer) {
    shown.remove(page.layer);
    page.layer.canvas.remove();
  }
  [page.cells, page.layer] = [null, null];
  const loading = json(`${base}info.json`);
  const info = await loading;
  const coming = Cells.load(`${base}cells.bin`, info.width, info.height);
  document.title = `${info.name} – wsi-edt`;
  tellModel(info);
  listAreas(info.areas, go);
  await shown.open(base, info);
  say(info.gone ? `The slide itself isn't shown: ${info.gone}.` : "");
  const layer = new CellLayer(shown.viewer.canvas, info.mpp, info.classes);
  const cells = await coming;
  layer.show(cells);
  [page.cells, page.layer, page.info] = [cells, layer, info];
  const classes = listClasses(info.classes, () => refilter(layer.threshold));
  const refilter = (threshold) => {
    classes.counts = layer.filter(threshold, classes.visible);
    shown.redraw();
  };
  scoreSlider(info.threshold.run, info.threshold.reported, highest(cells.score), refilter);
  refilter(info.threshold.reported);
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
  const { cells, layer, info } = page;
  if (!layer || !layer.drawsPoints) {
    label.hidden = true;
    return;
  }
  const box = host.getBoundingClientRect();
  const [x, y] = shown.toSlide(event.clientX - box.left, event.clientY - box.top);
  const place = cells.nearest(x, y, REACH_UM / info.mpp, (i) => layer.passes(i));
  page.under = place < 0 ? null : { index: cells.index[place], x: cells.x[place], y: cells.y[place], kind: cells.kind[place] };
  label.hidden = place < 0;
  if (place < 0) return;
  label.textContent = `${info.classes[cells.kind[place]].name}, score ${cells.score[place].toFixed(3)}`;
  label.style.left = `${event.clientX + 14}px`;
  label.style.top = `${event.clientY + 14}px`;
});
host.addEventListener("pointerleave", () => { label.hidden = true; });

try {
  const { slides } = await json("slides.json");
  const show = (number) => open(number).catch((error) => say(String(error.message)));
  listSlides(slides, show);
  await show(0);
} catch (error) {
  say(String(error.message));
}
