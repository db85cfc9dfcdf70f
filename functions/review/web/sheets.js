// Lists, tables and lines of text as tables to edit.

import { fill, make, quoted } from "./dom.js";
import { looks, remarks, stateText, textArea } from "./editor.js";
import { Grid } from "./grid.js";
import { cutting } from "./picture.js";
import { HtmlTable } from "./tables.js";
import { read, shown } from "./values.js";

/**
 * @typedef {import("./draft.js").Entry} Entry
 * @typedef {import("./editor.js").Desk} Desk
 */

const SAMPLE = 200; // rows that the columns' widths are taken from

/** What all of them are: a grid, and what is to say of the value in focus below it. */
class Sheet {
  /**
   * @param {Desk} desk
   * @param {import("./grid.js").GridOf} of
   */
  constructor(desk, of) {
    this.desk = desk;
    this.grid = new Grid(of);
    this.about = make("div", { class: "about" });
    this.element = make("div", { class: "sheet-of-values" }, this.grid.element, this.about);
    /** @type {Entry | null} */
    this.current = null;
    this.element.addEventListener("keydown", this.#move);
  }

  /** @param {KeyboardEvent} event */
  #move = (event) => {
    const step = /** @type {Record<string, number>} */ ({ ArrowUp: -1, ArrowDown: 1 })[event.key];
    const { target } = event;
    if (!step || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || event.isComposing) return;
    if (!(target instanceof HTMLTextAreaElement) || target.value.includes("\n")) return;
    event.preventDefault();
    this.grid.focus(Number(target.dataset.row) + step, Number(target.dataset.column));
  };

  /**
   * @param {Entry} entry
   * @param {{ row: number, column: number, label: string, text: () => string, said: (text: string) => import("./contract.js").Value }} of
   */
  cell(entry, { row, column, label, text, said }) {
    const properties = { "data-row": row, "data-column": column };
    const area = textArea(this.desk, entry, { label, text, said, properties });
    area.addEventListener("focus", () => this.#say(entry));
    return make("td", { class: looks(entry) }, area);
  }

  /** @param {Entry} entry */
  #say(entry) {
    this.current = entry;
    const { image } = this.desk;
    fill(
      this.about,
      make("p", { class: "muted" }, quoted(entry.name), ` · ${stateText(this.desk, entry)}`),
      make("div", { class: "remarks" }, ...remarks(this.desk, entry)),
      image && entry.box && cutting(image, entry.box),
    );
    this.about.className = `about ${looks(entry)}`;
  }

  /** @param {Entry} entry */
  refresh(entry) {
    if (this.current === entry) this.#say(entry);
  }
}

/** Fields that are a list, or the lines of a page. */
export class Rows extends Sheet {
  /**
   * @param {Desk} desk
   * @param {{ title: string, columns: string[], cells: (Entry | undefined)[][], number?: (row: number) => number }} section
   */
  constructor(desk, { title, columns, cells, number = (row) => row + 1 }) {
    const text = (/** @type {Entry} */ entry) => shown(desk.draft.valueOf(entry));
    super(desk, {
      caption: title,
      columns,
      widths: columns.map((name, column) => {
        const seen = cells.slice(0, SAMPLE).map((row) => (row[column] ? text(row[column]).length : 0));
        return Math.max(name.length, ...seen);
      }),
      rows: cells.length,
      number,
      cell: (row, column) => {
        const entry = cells[row]?.[column];
        if (!entry) return make("td", { class: "covered" });
        const said = (/** @type {string} */ typed) => read(typed, entry.machine);
        return this.cell(entry, { row, column, label: entry.name, text: () => text(entry), said });
      },
    });
    this.text = text;
    this.places = new Map(
      cells.flatMap((row, at) => row.map((entry, column) => /** @type {const} */ ([entry?.key ?? "", [at, column]]))),
    );
  }

  /** @param {Entry} entry */
  update(entry) {
    const [row, column] = this.#place(entry);
    const area = this.grid.present.get(row)?.querySelector(`textarea[data-column="${column}"]`);
    if (area instanceof HTMLTextAreaElement) {
      if (area !== document.activeElement) area.value = this.text(entry);
      if (area.parentElement) area.parentElement.className = looks(entry);
    }
    this.refresh(entry);
  }

  /** @param {Entry} entry */
  focus(entry) {
    const [row, column] = this.#place(entry);
    return this.grid.focus(row, column);
  }

  /** @param {Entry} entry */
  #place(entry) {
    return /** @type {[number, number]} */ (this.places.get(entry.key) ?? [-1, -1]);
  }
}

/** A table of table_parsing, whose value is one HTML text. */
export class Table extends Sheet {
  /**
   * @param {Desk} desk
   * @param {Entry} entry
   */
  constructor(desk, entry) {
    const table = new HtmlTable(shown(desk.draft.valueOf(entry)));
    const columns = Array.from({ length: table.columns }, () => "");
    const rows = Array.from({ length: Math.min(SAMPLE, table.rows) }, (_, row) => row);
    super(desk, {
      caption: entry.name,
      columns,
      widths: columns.map((_, column) => Math.max(...rows.map((row) => (table.text(row, column) ?? "").length))),
      rows: table.rows,
      number: (row) => row + 1,
      cell: (row, column) => {
        const { table: now } = this;
        if (now.text(row, column) === null) return make("td", { class: "covered" });
        const said = (/** @type {string} */ typed) => {
          const changed = new HtmlTable(this.table.toString());
          changed.write(row, column, typed);
          return read(changed.toString(), entry.machine);
        };
        const label = `${entry.name}, row ${row + 1}, column ${column + 1}`;
        return this.cell(entry, { row, column, label, text: () => this.table.text(row, column) ?? "", said });
      },
    });
    this.table = table;
    this.entry = entry;
  }

  update() {
    const value = shown(this.desk.draft.valueOf(this.entry));
    if (this.table.toString() !== value) {
      this.table = new HtmlTable(value);
      for (const [row, element] of this.grid.present) this.#write(row, element);
    }
    for (const cell of this.grid.element.querySelectorAll("td:not(.covered)")) cell.className = looks(this.entry);
    this.refresh(this.entry);
  }

  /**
   * @param {number} row
   * @param {HTMLTableRowElement} element
   */
  #write(row, element) {
    for (const area of element.querySelectorAll("textarea")) {
      if (area !== document.activeElement) area.value = this.table.text(row, Number(area.dataset.column)) ?? "";
    }
  }

  focus() {
    const row = Array.from({ length: this.table.rows }, (_, at) => at).find((at) => this.table.text(at, 0) !== null) ?? 0;
    return this.grid.focus(row, 0);
  }
}
