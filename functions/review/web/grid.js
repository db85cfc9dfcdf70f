// A table of values that can be edited. All rows have one height, and only those in sight are in the document: a page
// of five thousand lines costs what forty do.

import { make, quoted } from "./dom.js";

/**
 * `columns` without a name have no heads; `widths` are in characters. `number` is what a row is called. `cell` makes a
 * cell; its text area has the data `row` and `column`.
 * @typedef {object} GridOf
 * @property {string} caption
 * @property {string[]} columns
 * @property {number[]} widths
 * @property {number} rows
 * @property {(row: number) => number} number
 * @property {(row: number, column: number) => HTMLTableCellElement} cell
 */

const ROW = 36; // pixels, as in page.css
const BEYOND = 8; // rows above and below those in sight, so that Tab finds them
const NARROWEST = 5; // characters
const WIDEST = 44;

export class Grid {
  /** @param {GridOf} of */
  constructor(of) {
    this.of = of;
    /** @type {Map<number, HTMLTableRowElement>} */
    this.present = new Map();
    this.above = make("tr", { class: "spacer", "aria-hidden": "true" });
    this.below = make("tr", { class: "spacer", "aria-hidden": "true" });
    this.body = make("tbody", {}, this.above, this.below);
    const named = of.columns.some(Boolean);
    const heads = of.columns.map((name) => make("th", { scope: "col" }, quoted(name)));
    const head = named && make("thead", {}, make("tr", {}, make("td"), ...heads));
    const widths = [String(of.number(of.rows - 1)).length, ...of.widths].map((width) =>
      Math.min(WIDEST, Math.max(NARROWEST, width + 3)),
    );
    const columns = widths.map((width, column) => {
      const made = make("col");
      // The last takes what is left.
      if (column < widths.length - 1) made.style.width = `${width}ch`;
      return made;
    });
    this.table = make(
      "table",
      { "aria-rowcount": of.rows + (named ? 1 : 0), "aria-label": of.caption },
      make("colgroup", {}, ...columns),
      head,
      this.body,
    );
    this.table.style.width = `max(100%, ${widths.reduce((sum, width) => sum + width, 0)}ch)`;
    this.head = named ? 1 : 0;
    this.element = make("div", { class: "grid", onscroll: () => this.draw() }, this.table);
    new ResizeObserver(() => this.draw()).observe(this.element);
  }

  /** The rows in sight, and the one that has the focus. */
  draw() {
    const { scrollTop, clientHeight } = this.element;
    const seen = clientHeight || 600; // before it is laid out
    const first = Math.max(0, Math.floor(scrollTop / ROW) - BEYOND);
    const last = Math.min(this.of.rows - 1, Math.ceil((scrollTop + seen) / ROW) + BEYOND);
    for (const [row, element] of this.present) {
      if ((row < first || row > last) && !element.contains(document.activeElement)) {
        element.remove();
        this.present.delete(row);
      }
    }
    for (let row = first; row <= last; row++) if (!this.present.has(row)) this.present.set(row, this.#row(row));
    const rows = [...this.present.keys()].sort((one, other) => one - other);
    this.#place(rows, first, last);
  }

  /**
   * A row that keeps the focus out of sight stands among the spacers.
   * @param {number[]} rows
   * @param {number} first
   * @param {number} last
   */
  #place(rows, first, last) {
    const kept = rows.filter((row) => row < first || row > last);
    const before = kept.filter((row) => row < first).length;
    height(this.above, (first - before) * ROW);
    height(this.below, (this.of.rows - 1 - last - (kept.length - before)) * ROW);
    let after = /** @type {Element} */ (this.above);
    for (const row of rows) {
      const element = /** @type {HTMLTableRowElement} */ (this.present.get(row));
      // An element that is moved loses the focus.
      if (after.nextElementSibling !== element) after.after(element);
      after = element;
    }
  }

  /** @param {number} row */
  #row(row) {
    const cells = this.of.columns.map((_, column) => this.of.cell(row, column));
    const number = make("th", { scope: "row" }, String(this.of.number(row)));
    return make("tr", { "aria-rowindex": row + 1 + this.head }, number, ...cells);
  }

  /**
   * Brings a cell into sight and gives it the focus.
   * @param {number} row
   * @param {number} column
   */
  focus(row, column) {
    if (row < 0 || row >= this.of.rows) return false;
    const top = row * ROW;
    const { element } = this;
    const room = element.clientHeight - ROW * (this.head + 1);
    if (top < element.scrollTop || top > element.scrollTop + room) element.scrollTop = top - room / 2;
    this.draw();
    const cell = this.present.get(row)?.querySelector(`[data-column="${column}"]`);
    if (!(cell instanceof HTMLElement)) return false;
    cell.focus({ preventScroll: true });
    cell.scrollIntoView({ block: "nearest", inline: "nearest" });
    return true;
  }
}

/**
 * @param {HTMLElement} row
 * @param {number} pixels
 */
function height(row, pixels) {
  row.style.height = `${pixels}px`;
  row.hidden = pixels === 0;
}
