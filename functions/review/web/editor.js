// One value: its text to edit, and what there is to say of it.

import { fill, make, quoted } from "./dom.js";
import { cutting } from "./picture.js";
import { differences, HtmlTable } from "./tables.js";
import { read, shown } from "./values.js";
import { clock, isBroken, reasonText, STATES } from "./words.js";

/**
 * @typedef {import("./draft.js").Entry} Entry
 * @typedef {import("./contract.js").Value} Value
 */

/**
 * What values are edited on.
 * @typedef {object} Desk
 * @property {import("./draft.js").Draft} draft
 * @property {import("./picture.js").PageImage | null} image
 * @property {boolean} readonly
 * @property {(entry: Entry) => void} focused
 * @property {(entry: Entry, value: Value) => void} typed
 * @property {(entry: Entry, value: Value) => void} say  saves
 * @property {(entry: Entry, value: Value) => void} accept  saves, and goes on
 * @property {() => void} leave
 */

const MOST_DIFFERENCES = 8;

/** @param {Entry} entry */
export const looks = (entry) =>
  [entry.state, entry.theirs && "conflicting", isBroken(entry.reasons) && "broken"].filter(Boolean).join(" ");

/**
 * A text that is saved when it is left, and accepted by Enter.
 * @param {Desk} desk
 * @param {Entry} entry
 * @param {{ label: string, text: () => string, said: (text: string) => Value, long?: boolean, properties?: object }} of
 *   `text` as it stands, `said` the entry's value if it were this text; `long`: Enter is a new line
 */
export function textArea(desk, entry, { label, text, said, long = false, properties = {} }) {
  const area = make("textarea", {
    rows: 1,
    dir: "auto",
    placeholder: "—",
    spellcheck: "false",
    autocomplete: "off",
    "aria-label": label,
    ...(desk.readonly ? { readonly: true } : {}),
    ...properties,
  });
  area.value = text();
  const changed = () => area.value !== text();
  area.addEventListener("focus", () => desk.focused(entry));
  area.addEventListener("input", () => desk.typed(entry, said(area.value)));
  area.addEventListener("blur", () => !desk.readonly && changed() && desk.say(entry, said(area.value)));
  area.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "Escape") {
      event.stopPropagation();
      if (!changed()) return desk.leave();
      area.value = text();
      desk.typed(entry, said(area.value));
    } else if (event.key === "Enter" && !event.shiftKey && !event.altKey && (!long || event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      desk.accept(entry, said(area.value));
    }
  });
  return area;
}

export class Card {
  /**
   * @param {Desk} desk
   * @param {Entry} entry
   */
  constructor(desk, entry) {
    this.desk = desk;
    this.entry = entry;
    const id = `value-${entry.key.replaceAll(/[^\w]/g, (sign) => `-${sign.charCodeAt(0)}-`)}`;
    const long = entry.kind !== "field";
    this.rendered = this.#text();
    this.area = textArea(desk, entry, {
      label: entry.name,
      text: this.#text,
      said: (text) => read(text, entry.machine),
      long,
      properties: { id, "aria-describedby": `${id}-about`, rows: Math.min(20, this.#text().split("\n").length) },
    });
    this.area.addEventListener("focus", () => this.#cut(true));
    this.area.addEventListener("blur", () => this.#cut(false));
    this.state = make("span", { class: "state" });
    this.about = make("div", { id: `${id}-about`, class: "remarks" });
    this.cut = make("div", { class: "cut" });
    this.element = make(
      "div",
      { class: "value" },
      make("div", { class: "top" }, make("label", { for: id }, quoted(entry.name)), this.state),
      this.area,
      this.about,
      this.cut,
    );
    this.update();
  }

  #text = () => shown(this.desk.draft.valueOf(this.entry));

  update() {
    const { entry, area } = this;
    const text = this.#text();
    // What is being typed is not overwritten.
    if (area.value === this.rendered && text !== this.rendered) area.value = text;
    this.rendered = text;
    this.element.className = `value ${entry.kind} ${looks(entry)}`;
    this.state.textContent = stateText(this.desk, entry);
    area.setAttribute("aria-invalid", String(isBroken(entry.reasons)));
    fill(this.about, ...remarks(this.desk, entry));
  }

  focus() {
    this.area.focus({ preventScroll: true });
    this.area.select();
    this.element.scrollIntoView({ block: "nearest" });
    return true;
  }

  /** @param {boolean} on */
  #cut(on) {
    const { image } = this.desk;
    fill(this.cut, on && image && this.entry.box && cutting(image, this.entry.box));
  }
}

/**
 * @param {Desk} desk
 * @param {Entry} entry
 */
export function stateText(desk, entry) {
  if (entry.theirs) return "another value was saved";
  if (desk.draft.unsaved.has(entry.key)) return "not saved yet";
  return `${STATES[entry.state]}${isBroken(entry.reasons) && entry.state !== "doubtful" ? ", breaks a rule" : ""}`;
}

/**
 * Why it is doubtful, what the machine had read, what another has saved.
 * @param {Desk} desk
 * @param {Entry} entry
 * @returns {Node[]}
 */
export function remarks(desk, entry) {
  const nodes = [];
  if (entry.reasons.length) {
    nodes.push(make("ul", { class: "reasons" }, ...entry.reasons.map((reason) => make("li", {}, reasonText(reason)))));
  }
  const value = desk.draft.valueOf(entry);
  if (value !== entry.machine && entry.kind !== "table") {
    const machine = shown(entry.machine);
    nodes.push(make("p", { class: "machine" }, "The machine read: ", machine ? quoted(machine) : "nothing"));
  }
  if (entry.theirs) nodes.push(choice(desk, entry, entry.theirs, value));
  return nodes;
}

/**
 * @param {Desk} desk
 * @param {Entry} entry
 * @param {import("./contract.js").Correction} theirs
 * @param {Value} mine
 */
function choice(desk, entry, theirs, mine) {
  const choose = (/** @type {"mine" | "theirs"} */ whose) => () => desk.draft.choose(entry, whose);
  return make(
    "div",
    { class: "others", role: "group", "aria-label": `Two values of ${entry.name}` },
    make("p", {}, quoted(theirs.by), ` saved this at ${clock(theirs.at)}, while you had it open.`),
    ...(entry.kind === "table" ? cells(mine, theirs.value) : both(mine, theirs.value)),
    make(
      "div",
      { class: "choice" },
      make("button", { type: "button", onclick: choose("mine") }, "Keep mine"),
      make("button", { type: "button", onclick: choose("theirs") }, "Take theirs"),
    ),
  );
}

/**
 * @param {Value} mine
 * @param {Value} theirs
 */
const both = (mine, theirs) => [
  make("p", {}, "Theirs: ", quoted(shown(theirs) || "nothing")),
  make("p", {}, "Yours: ", quoted(shown(mine) || "nothing")),
];

/**
 * @param {Value} mine
 * @param {Value} theirs
 */
function cells(mine, theirs) {
  const found = differences(new HtmlTable(shown(mine)), new HtmlTable(shown(theirs)));
  return found
    .slice(0, MOST_DIFFERENCES)
    .map((one) =>
      make("p", {}, `Row ${one.row + 1}, column ${one.column + 1}: theirs `, quoted(one.theirs), ", yours ", quoted(one.mine)),
    );
}
