"use strict";

// Tables: a click on a header sorts by that column, numbers by value; another turns it round.
for (const table of document.querySelectorAll("table.rows")) {
  const headers = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  const sortBy = (header, at) => {
    const order = header.getAttribute("aria-sort") === "descending" ? "ascending" : "descending";
    headers.forEach((other) => other.removeAttribute("aria-sort"));
    header.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    const rows = [...body.rows].map((row) => [row.cells[at] ? row.cells[at].textContent : "", row]);
    const numeric = rows.every(([cell]) => cell === "" || !Number.isNaN(parseFloat(cell)));
    const compare = numeric
      ? (one, other) => (parseFloat(one) || 0) - (parseFloat(other) || 0)
      : (one, other) => (one < other ? -1 : one > other ? 1 : 0);
    rows.sort(([one], [other]) => sign * compare(one, other));
    body.append(...rows.map(([, row]) => row));
  };
  headers.forEach((header, at) => {
    header.addEventListener("click", () => sortBy(header, at));
    header.addEventListener("keydown", (event) => { if (event.key === "Enter") sortBy(header, at); });
  });
}

// Flame graphs: a click makes a frame as wide as the page, with what it called; a click on the lowest shows all again.
for (const graph of document.querySelectorAll("svg.flames")) {
  const boxes = [...graph.children].map((box) => ({
    box, left: parseFloat(box.getAttribute("x")), width: parseFloat(box.getAttribute("width")),
  }));
  for (const chosen of boxes) {
    chosen.box.addEventListener("click", () => {
      const scale = 100 / chosen.width;
      for (const one of boxes) {
        const from = Math.max((one.left - chosen.left) * scale, 0);
        const to = Math.min((one.left + one.width - chosen.left) * scale, 100);
        one.box.setAttribute("display", to - from > 0.01 ? "inline" : "none");
        one.box.setAttribute("x", `${from}%`);
        one.box.setAttribute("width", `${Math.max(to - from, 0)}%`);
      }
    });
  }
}
