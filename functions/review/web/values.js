// Values as a person sees and types them, and the sections in which they are shown.

/**
 * @typedef {import("./contract.js").Field} Field
 * @typedef {import("./contract.js").Value} Value
 */

/**
 * A list of objects, or of values, is a table: `cells[row][column]`.
 * @template {Field} T
 * @typedef {{ kind: "values", title: string, entries: T[] }
 *   | { kind: "rows", title: string, columns: string[], cells: (T | undefined)[][], entries: T[] }
 *   | { kind: "lines", title: string, entries: T[] }
 *   | { kind: "table", title: string, entries: [T] }} Section
 */

/** @param {Value} value */
export const shown = (value) => (value === null ? "" : String(value));

/**
 * What was typed, in the kind of the machine's value: a number stays one, and nothing at all is null.
 * @param {string} text
 * @param {Value} machine
 * @returns {Value}
 */
export function read(text, machine) {
  if (text === shown(machine)) return machine;
  if (text.trim() === "") return null;
  if (typeof machine === "number" && String(Number(text)) === text.trim()) return Number(text);
  if (typeof machine === "boolean" && ["true", "false"].includes(text.trim())) return text.trim() === "true";
  return text;
}

/** @param {{ task: string, pointer: string }} of */
export const keyOf = ({ task, pointer }) => `${task} ${pointer}`;

/** @param {string} pointer  RFC 6901 */
const steps = (pointer) =>
  pointer
    .split("/")
    .slice(1)
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));

/**
 * The list, the row and the column of a value that lies in the innermost list around it; null: in none.
 * @param {Field} field
 */
function cellOf(field) {
  const path = steps(field.pointer);
  const at = path.findLastIndex((step, index) => index > 1 && /^\d+$/.test(step));
  if (field.kind !== "field" || at < 0) return null;
  return {
    list: path.slice(1, at).join(" › "),
    of: `${field.task} ${path.slice(0, at).join("/")}`,
    row: Number(path[at]),
    column: path.slice(at + 1).join(" › "),
  };
}

/**
 * Sections that hold something doubtful come first, and single values before tables, tables before lines.
 * @template {Field} T
 * @param {readonly T[]} fields  the doubtful ones first
 * @param {(field: T) => number} rank  in which order the engine wrote them
 * @returns {Section<T>[]}
 */
export function sections(fields, rank) {
  /** @type {T[]} */
  const single = [];
  /** @type {T[]} */
  const lines = [];
  /** @type {Map<string, Extract<Section<T>, { kind: "rows" }>>} */
  const lists = new Map();
  /** @type {Section<T>[]} */
  const tables = [];
  let doubtful = 0;
  const written = [...fields].sort((one, other) => rank(one) - rank(other));
  for (const field of written) {
    const cell = cellOf(field);
    if (cell) {
      const list = lists.get(cell.of) ?? { kind: "rows", title: cell.list, columns: [], cells: [], entries: [] };
      lists.set(cell.of, list);
      if (!list.columns.includes(cell.column)) list.columns.push(cell.column);
      (list.cells[cell.row] ??= [])[list.columns.indexOf(cell.column)] = field;
    } else if (field.kind === "table") tables.push({ kind: "table", title: field.name, entries: [field] });
    else if (field.kind === "line") lines.push(field);
    else if (field.state === "doubtful") single.splice(doubtful++, 0, field);
    else single.push(field);
  }
  for (const list of lists.values()) {
    list.cells = Array.from(list.cells, (row) => row ?? []);
    list.entries = list.cells.flatMap((row) => row.filter((cell) => cell !== undefined));
  }
  lines.sort((one, other) => lineNumber(one) - lineNumber(other));
  /** @type {Section<T>[]} */
  const all = [
    ...(single.length ? [{ kind: /** @type {const} */ ("values"), title: "Values", entries: single }] : []),
    ...lists.values(),
    ...tables,
    ...(lines.length ? [{ kind: /** @type {const} */ ("lines"), title: "Lines of text", entries: lines }] : []),
  ];
  const calm = (/** @type {Section<T>} */ one) => (one.entries.some(({ state }) => state === "doubtful") ? 0 : 1);
  return all.sort((one, other) => calm(one) - calm(other));
}

/**
 * A page's values in the order in which the engine wrote them: that of its results' fields.
 * @param {Record<string, { fields?: unknown }>} results  by task
 * @returns {(field: { task: string, pointer: string }) => number}
 */
export function ranks(results) {
  /** @type {Map<string, number>} */
  const places = new Map();
  const walk = (/** @type {unknown} */ value, /** @type {string} */ at) => {
    if (typeof value !== "object" || value === null) places.set(at, places.size);
    else for (const [name, member] of Object.entries(value)) walk(member, `${at}/${escaped(name)}`);
  };
  for (const [task, { fields }] of Object.entries(results)) walk(fields, `${task} /fields`);
  return (field) => places.get(keyOf(field)) ?? places.size;
}

/** @param {string} name  RFC 6901 */
const escaped = (name) => name.replaceAll("~", "~0").replaceAll("/", "~1");

/** @param {Field} line */
export const lineNumber = (line) => Number(steps(line.pointer)[1] ?? 0) + 1;
