// A table that the engine wrote as HTML, as cells to edit. It is read by the browser's parser into a document of its
// own, which loads and runs nothing, and no element of it ever enters the page.

const MOST_SPAN = 1_000;
const TAG = /<[a-z][^>]*>/gi;

/**
 * Handlers would not run in a document of its own either; the browser's policy reports them all the same.
 * @param {string} tag
 */
const harmless = (tag) => tag.replaceAll(/\son\w+\s*=/gi, " data-was=");

/**
 * `covered`: the span of a cell that begins elsewhere lies here.
 * @typedef {{ element: HTMLTableCellElement, covered: boolean }} Cell
 */

export class HtmlTable {
  /** @param {string} html */
  constructor(html) {
    this.parsed = new DOMParser().parseFromString(html.replaceAll(TAG, harmless), "text/html");
    this.begins = this.parsed.body.innerHTML;
    this.html = html;
    /** @type {(Cell | undefined)[][]} */
    this.cells = [];
    const rows = this.parsed.querySelectorAll("tr");
    this.rows = rows.length;
    rows.forEach((row, number) => this.#add(row, number));
    this.columns = Math.max(0, ...this.cells.map((row) => row.length));
  }

  /**
   * @param {HTMLTableRowElement} row
   * @param {number} number
   */
  #add(row, number) {
    // The span of an earlier row may have begun this one.
    const line = (this.cells[number] ??= []);
    let column = 0;
    for (const element of row.cells) {
      while (line[column]) column += 1;
      const [high, wide] = [within(element.rowSpan), within(element.colSpan)];
      for (let down = 0; down < high && number + down < this.rows; down++) {
        for (let right = 0; right < wide; right++) {
          (this.cells[number + down] ??= [])[column + right] ??= { element, covered: down + right > 0 };
        }
      }
      column += wide;
    }
  }

  /**
   * @param {number} row
   * @param {number} column
   * @returns {string | null}  null where nothing can stand
   */
  text(row, column) {
    const cell = this.cells[row]?.[column];
    return cell && !cell.covered ? written(cell.element) : null;
  }

  /**
   * @param {number} row
   * @param {number} column
   * @param {string} text
   */
  write(row, column, text) {
    const cell = this.cells[row]?.[column];
    if (!cell || cell.covered || written(cell.element) === text) return;
    const lines = text.split("\n").flatMap((line, index) => (index ? [this.parsed.createElement("br"), line] : [line]));
    cell.element.replaceChildren(...lines);
  }

  /** The whole, as it came if nothing of it was written anew. */
  toString() {
    const now = this.parsed.body.innerHTML;
    return now === this.begins ? this.html : now;
  }
}

/** @param {HTMLTableCellElement} cell */
function written(cell) {
  const copy = /** @type {HTMLElement} */ (cell.cloneNode(true));
  for (const line of copy.querySelectorAll("br")) line.replaceWith("\n");
  return copy.textContent ?? "";
}

/** @param {number} span  0 is to the end */
const within = (span) => Math.min(MOST_SPAN, Math.max(1, span));

/**
 * Cells of two tables that are not the same.
 * @param {HtmlTable} one
 * @param {HtmlTable} other
 */
export function differences(one, other) {
  const found = [];
  for (let row = 0; row < Math.max(one.rows, other.rows); row++) {
    for (let column = 0; column < Math.max(one.columns, other.columns); column++) {
      const [mine, theirs] = [one.text(row, column), other.text(row, column)];
      if (mine !== theirs) found.push({ row, column, mine: mine ?? "", theirs: theirs ?? "" });
    }
  }
  return found;
}
