// One page: its image, its values, and the way from one doubtful value to the next.

import { announce } from "./announce.js";
import { fill, make, quoted } from "./dom.js";
import { Draft } from "./draft.js";
import { Card } from "./editor.js";
import { notice } from "./frame.js";
import { Rows, Table } from "./sheets.js";
import { lineNumber, ranks, sections } from "./values.js";
import { clock, counted, isBroken, reasonText } from "./words.js";

/**
 * @typedef {import("./contract.js").Page} Page
 * @typedef {import("./contract.js").Value} Value
 * @typedef {import("./draft.js").Entry} Entry
 * @typedef {import("./editor.js").Desk} Desk
 * @typedef {import("./draft.js").Progress} Progress
 * @typedef {import("./api.js").Refusal} Refusal
 * @typedef {import("./values.js").Section<Entry>} Section
 * @typedef {{ focus: (entry: Entry) => boolean, update: (entry: Entry) => void }} Place  where a value is edited
 */

/**
 * @typedef {object} PageOf
 * @property {import("./api.js").Api} api
 * @property {import("./kept.js").Kept} kept
 * @property {import("./frame.js").Frame} frame
 * @property {import("./picture.js").Picture} picture
 * @property {boolean} readonly
 * @property {() => void} ended  nothing on it is doubtful any more, and Enter was pressed
 */

/** @implements {Desk} */
export class PageView {
  /**
   * @param {Page} page
   * @param {PageOf} of
   */
  constructor(page, of) {
    const { api, kept, readonly } = of;
    this.page = page;
    this.of = of;
    this.readonly = readonly;
    /** @type {Map<string, Place>} */
    this.places = new Map();
    /** @type {Entry | null} */
    this.current = null;
    this.retried = false;
    this.#showImage(page.image);
    this.draft = new Draft(api, kept, page, { changed: this.#changed, progressed: this.#progressed });
    const parts = sections([...this.draft.entries.values()], ranks(page.results));
    /** @type {Entry[]} */
    this.order = parts.flatMap((part) => part.entries);
    fill(of.frame.sections, ...parts.map((part) => this.#section(part)));
    of.frame.values.scrollTo(0, 0);
    this.#mark();
    this.#count();
  }

  get image() {
    return this.of.picture.image;
  }

  /** Values that nobody has looked at, or that have two. */
  get open() {
    return this.order.filter(({ key, state, theirs }) => theirs || (state === "doubtful" && !this.draft.unsaved.has(key)));
  }

  /** Values that were looked at, and break a rule all the same. */
  get broken() {
    return this.order.filter(({ state, reasons }) => state !== "doubtful" && isBroken(reasons));
  }

  /** What is being typed is said, and sent. */
  close() {
    this.rest();
    return this.draft.close();
  }

  rest() {
    const { activeElement } = document;
    if (activeElement instanceof HTMLElement && this.of.frame.values.contains(activeElement)) activeElement.blur();
  }

  // ── The image ──

  /** @param {Page["image"]} image */
  #showImage(image) {
    const { picture, frame } = this.of;
    const { page, name } = this.page;
    const known = image?.width && image.height ? { url: image.url, width: image.width, height: image.height } : null;
    picture.show(known, `Page ${page} of ${name}`);
    if (!known) fill(frame.notices.page, notice("warning", "This page has no image: it could not be rendered, or its image has expired."));
  }

  /** Links to images end: a fresh one is asked for, once. */
  async renewImage() {
    if (this.retried) return this.#sayImageFailed();
    this.retried = true;
    try {
      const { image } = await this.of.api.page(this.page.document_id, this.page.page);
      this.#showImage(image);
    } catch {
      this.#sayImageFailed();
    }
  }

  #sayImageFailed() {
    const again = () => {
      this.retried = false;
      fill(this.of.frame.notices.page);
      void this.renewImage();
    };
    fill(this.of.frame.notices.page, notice("warning", "The page image could not be loaded.", "Try again", again));
  }

  #mark() {
    const boxes = this.order.flatMap((entry) => {
      if (!entry.box) return [];
      /** @type {import("./picture.js").BoxState} */
      const calm = entry.kind === "field" ? "sound" : "line";
      const state = entry.state === "sure" ? calm : entry.state;
      return [{ location: entry.box, state, pick: () => this.focus(entry) }];
    });
    this.of.picture.mark(boxes);
  }

  // ── The values ──

  /** @param {Section} part */
  #section(part) {
    const head = make("h2", {}, quoted(part.title));
    if (part.kind === "values") {
      const cards = part.entries.map((entry) => new Card(this, entry));
      for (const card of cards) this.places.set(card.entry.key, card);
      return make("section", {}, head, ...cards.map((card) => card.element));
    }
    const sheet = this.#sheet(part);
    for (const { key } of part.entries) this.places.set(key, sheet);
    return make("section", {}, head, sheet.element);
  }

  /** @param {Exclude<Section, { kind: "values" }>} part */
  #sheet(part) {
    if (part.kind === "table") return new Table(this, part.entries[0]);
    if (part.kind === "rows") return new Rows(this, part);
    const { title, entries } = part;
    const number = (/** @type {number} */ row) => (entries[row] ? lineNumber(entries[row]) : row + 1);
    return new Rows(this, { title, columns: [""], cells: entries.map((entry) => [entry]), number });
  }

  #count() {
    const left = this.open.length;
    const said = left ? `${counted(left, "value")} to check on this page` : "Nothing left to check on this page";
    const reasons = this.draft.reasons.map((reason) => make("li", {}, reasonText(reason)));
    const list = reasons.length > 0 && make("ul", { class: "reasons", "aria-label": "Of the page" }, ...reasons);
    fill(this.of.frame.summary, make("strong", {}, said), list);
  }

  /** @param {Entry[]} entries */
  #changed = (entries) => {
    if (!this.order) return; // the first are said while the page is made
    for (const entry of entries) {
      this.places.get(entry.key)?.update(entry);
      if (entry.theirs) announce(`${entry.name}: another value was saved in the meantime. Choose one.`);
    }
    this.#mark();
    this.#count();
  };

  // ── From value to value ──

  /** @param {Entry} entry */
  focused(entry) {
    this.current = entry;
    this.of.picture.light(entry.box);
  }

  /**
   * @param {Entry} entry
   * @param {Value} value
   */
  typed(entry, value) {
    this.draft.check(entry, value, () => {
      this.places.get(entry.key)?.update(entry);
      const broken = entry.reasons.find(({ code }) => code === "rule");
      announce(broken ? `${entry.name}: ${reasonText(broken)}` : `${entry.name} keeps the rules`);
    });
  }

  /**
   * @param {Entry} entry
   * @param {Value} value
   */
  say(entry, value) {
    void this.draft.say(entry, value);
  }

  /**
   * @param {Entry} entry
   * @param {Value} value
   */
  accept(entry, value) {
    const news = entry.state === "doubtful" || entry.theirs || value !== this.draft.valueOf(entry);
    if (news && !this.readonly) this.say(entry, value);
    if (!this.goOn(entry)) this.of.ended();
  }

  leave() {
    this.of.frame.values.focus();
  }

  /**
   * To the next doubtful value after this one, the first again after the last.
   * @param {Entry | null} [from]
   * @param {1 | -1} [step]
   * @returns {boolean} whether there is one
   */
  goOn(from = this.current, step = 1) {
    const { order } = this;
    const open = new Set(this.open);
    const start = from ? order.indexOf(from) : step > 0 ? -1 : order.length;
    for (let away = 1; away <= order.length; away++) {
      const entry = order[(start + step * away + 2 * order.length) % order.length];
      if (entry && open.has(entry)) return this.focus(entry);
    }
    return false;
  }

  /** @param {Entry | null | undefined} [entry] */
  focus(entry = this.current ?? this.order[0]) {
    return entry ? (this.places.get(entry.key)?.focus(entry) ?? false) : false;
  }

  // ── Saving ──

  /**
   * @param {Progress} progress
   * @param {Refusal | null} refusal
   */
  #progressed = (progress, refusal) => {
    const { saved, notices } = this.of.frame;
    if (progress === "saving") {
      saved.textContent = "Saving …";
      return;
    }
    saved.textContent = progress === "saved" ? `Saved ${clock(new Date().toISOString())}` : "Not saved";
    const was = notices.saving.hasChildNodes();
    fill(notices.saving, this.#unsaved(progress, refusal));
    if (was && progress === "saved") announce("All corrections are saved.");
  };

  /**
   * @param {Progress} progress
   * @param {Refusal | null} refusal
   */
  #unsaved(progress, refusal) {
    const { waiting } = this.draft;
    const kept = `${counted(waiting, "correction is", "corrections are")} kept in this browser`;
    const again = () => void this.draft.flush();
    if (progress === "conflicting") return notice("warning", `Another has saved other values: ${counted(waiting, "value")} to choose.`);
    if (progress === "waiting") return notice("warning", `Not saved. ${refusal?.message} ${kept}, and sent as soon as it can be.`, "Try now", again);
    if (progress === "refused") return notice("error", `Not saved. ${refusal?.said} ${kept}.`, "Try again", again);
    return null;
  }
}
