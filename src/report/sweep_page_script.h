// What moves in a sweep's page: sorting by a column, and showing only runs whose line holds some text. The
// pictures follow the table, and tell what it is sorted by. It reads the page and nothing else.
#pragma once

#include <string_view>

namespace leco {

inline constexpr std::string_view kSweepPageScript = R"(
"use strict";
(() => {
  const table = document.getElementById("runs"), body = table.tBodies[0], rows = [...body.rows];
  const pictures = document.getElementById("pictures");
  const pictureOf = new Map([...(pictures ? pictures.children : [])].map(figure => [figure.dataset.run, figure]));
  const words = new Intl.Collator("en", { numeric: true });
  const valueIn = (row, column) => row.cells[column].dataset.value ?? row.cells[column].textContent;

  // What has no value comes last either way.
  function order(column, isNumber, sign) {
    return (a, b) => {
      const left = valueIn(a, column), right = valueIn(b, column);
      if (left === "" || right === "") return (left === "") - (right === "");
      return sign * (isNumber ? Number(left) - Number(right) : words.compare(left, right));
    };
  }
  function tellBelowPictures(header) {
    const column = header.cellIndex, title = header.textContent;
    for (const [run, figure] of pictureOf) {
      const value = document.getElementById(run).cells[column].textContent;
      figure.querySelector("span").textContent = column > 0 ? `${title} ${value}` : "";
    }
  }
  function sortBy(header) {
    const sign = header.ariaSort === "ascending" ? -1 : 1;
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
    const sorted = [...rows].sort(order(header.cellIndex, header.dataset.kind === "number", sign));
    body.append(...sorted);
    tellBelowPictures(header);
    if (pictures) pictures.append(...sorted.map(row => pictureOf.get(row.id)).filter(Boolean));
  }
  for (const header of table.tHead.rows[0].cells) {
    const button = header.querySelector("button");
    if (button) button.addEventListener("click", () => sortBy(header));
  }

  const filter = document.getElementById("filter"), input = filter.querySelector("input");
  const told = filter.querySelector("output");
  const texts = rows.map(row => row.textContent.toLowerCase());
  filter.hidden = false;
  input.addEventListener("input", () => {
    const wanted = input.value.toLowerCase();
    let count = 0;
    rows.forEach((row, i) => {
      row.hidden = !texts[i].includes(wanted);
      count += !row.hidden;
      const picture = pictureOf.get(row.id);
      if (picture) picture.hidden = row.hidden;
    });
    told.value = wanted ? `${count} of ${rows.length}` : "";
  });
})();
)";

}  // namespace leco
