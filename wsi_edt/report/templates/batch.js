(() => {
  "use strict";
  const table = document.querySelector("table"), body = table.tBodies[0], rows = [...body.rows];
  const form = document.querySelector(".filters"), shown = form.querySelector("output"), again = form.querySelector(".again");
  const heads = [...table.tHead.rows[0].cells];
  const words = new Intl.Collator("en", { numeric: true });
  const points = new Map([...document.querySelectorAll(".plot a")].map((point) => [point.getAttribute("href"), point]));

  const cellAt = (row, column) => {
    let at = 0;
    for (const cell of row.cells) {
      if (at === column) return cell;
      at += cell.colSpan;
    }
  };

  // A row that failed has a message instead of values: it comes last either way.
  const valueOf = (row, column, kind) => {
    const cell = cellAt(row, column);
    if (!cell || cell.colSpan > 1) return undefined;
    if (kind === "text") return cell.textContent.trim() || undefined;
    return cell.dataset.v && Number(cell.dataset.v); // "place" too: in words, but sorted by where the index lies
  };

  const sort = (head, column) => {
    const kind = head.dataset.sort, now = head.getAttribute("aria-sort");
    const first = kind === "number" ? "descending" : "ascending";
    const wanted = now === null ? first : now === "ascending" ? "descending" : "ascending";
    heads.forEach((one) => one.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", wanted);
    const sign = wanted === "ascending" ? 1 : -1;
    const keyed = [...body.rows].map((row) => [valueOf(row, column, kind), row]);
    keyed.sort(([a], [b]) => {
      if (a === undefined || b === undefined) return (a === undefined) - (b === undefined);
      return sign * (kind === "text" ? words.compare(a, b) : a - b);
    });
    body.append(...keyed.map(([, row]) => row));
    again.hidden = false;
  };

  const reset = () => {
    heads.forEach((one) => one.removeAttribute("aria-sort"));
    body.append(...rows);
    again.hidden = true;
  };

  const filter = () => {
    const wanted = form.elements.words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      const fits = wanted.every((word) => text.includes(word)) &&
        (!form.elements.status.value || row.dataset.status === form.elements.status.value) &&
        (!form.elements.look.checked || "look" in row.dataset);
      row.hidden = !fits;
      count += fits;
      const link = row.querySelector("a"), point = link && points.get(link.getAttribute("href"));
      if (point) point.style.display = fits ? "" : "none";
    }
    shown.textContent = count === rows.length ? "" : `${count} of ${rows.length} shown`;
  };

  heads.forEach((head, column) => {
    if (!head.dataset.sort) return;
    // No button element: browsers leave those out of the heads that they repeat on each printed page.
    const button = document.createElement("span");
    button.tabIndex = 0;
    button.setAttribute("role", "button");
    button.append(...head.childNodes);
    button.addEventListener("click", () => sort(head, column));
    button.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      sort(head, column);
    });
    head.append(button);
  });
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  again.addEventListener("click", reset);
  form.hidden = false;
  filter(); // a browser keeps what was typed when a page is loaded again
})();
