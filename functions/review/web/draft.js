// A page's values while a person works on them: what was read, what was typed, what is saved, and what met another's.
//
// Nothing that was typed is lost: it is kept in the browser until the server has it, and a value of another's that
// stands in its way is put beside it, for the person to choose.

import { Refusal } from "./api.js";
import { keyOf } from "./values.js";

/**
 * @typedef {import("./contract.js").Correction} Correction
 * @typedef {import("./contract.js").Field} Field
 * @typedef {import("./contract.js").Page} Page
 * @typedef {import("./contract.js").PageReview} PageReview
 * @typedef {import("./contract.js").Said} Said
 * @typedef {import("./contract.js").Saved} Saved
 * @typedef {import("./contract.js").Value} Value
 */

/**
 * A field, and beside it another's value that was saved in the meantime.
 * @typedef {Field & { key: string, theirs: Correction | null }} Entry
 */

/**
 * `waiting`: for the server, which cannot be reached. `refused`: it was reached, and says no.
 * @typedef {"saved" | "saving" | "waiting" | "refused" | "conflicting"} Progress
 */

/**
 * @typedef {object} Hooks
 * @property {(entries: Entry[]) => void} changed
 * @property {(progress: Progress, refusal: Refusal | null) => void} progressed
 */

const TYPING = 350; // milliseconds without a key before a value is checked
const RETRY = [1_000, 2_000, 4_000, 8_000, 15_000, 30_000];
const MOST_CONFLICTS = 5; // in a row, before it is left to a later try

export class Draft {
  /**
   * @param {import("./api.js").Api} api
   * @param {import("./kept.js").Kept} kept
   * @param {Page} page
   * @param {Hooks} hooks
   */
  constructor(api, kept, page, hooks) {
    this.api = api;
    this.kept = kept;
    this.hooks = hooks;
    this.id = page.document_id;
    this.page = page.page;
    this.review = page.review;
    this.reasons = page.reasons;
    /** @type {Map<string, Entry>} */
    this.entries = new Map(page.fields.map((field) => [keyOf(field), { ...field, key: keyOf(field), theirs: null }]));
    /** @type {Map<string, Said>} */
    this.unsaved = new Map();
    /** @type {Progress} */
    this.progress = "saved";
    this.tries = 0;
    this.closed = false;
    this.sending = Promise.resolve();
    this.busy = false;
    this.again = false;
    this.checking = new AbortController();
    this.#takeUp();
  }

  /** What an earlier visit could not save. */
  #takeUp() {
    const kept = this.kept.of(this.id, this.page);
    if (!kept) return;
    for (const said of kept.corrections) this.unsaved.set(keyOf(said), said);
    if (kept.version !== this.review.version) this.#compare([], this.review.corrections);
    this.#show(...this.unsaved.keys());
    this.flush();
  }

  /** How many values wait for the server. */
  get waiting() {
    return this.unsaved.size;
  }

  /**
   * @param {Entry} entry
   * @returns {Value}  what was said last, saved or not
   */
  valueOf(entry) {
    const said = this.unsaved.get(entry.key);
    return said ? said.value : entry.value;
  }

  /**
   * @param {Entry} entry
   * @param {Value} value
   */
  say(entry, value) {
    this.checking.abort();
    this.unsaved.set(entry.key, { task: entry.task, pointer: entry.pointer, value });
    entry.theirs = null;
    this.#keep();
    this.#show(entry.key);
    return this.flush();
  }

  /**
   * @param {Entry} entry
   * @param {"mine" | "theirs"} whose
   */
  choose(entry, whose) {
    const { theirs } = entry;
    if (!theirs) return this.sending;
    if (whose === "mine") return this.say(entry, this.valueOf(entry));
    this.unsaved.delete(entry.key);
    Object.assign(entry, { theirs: null, value: theirs.value });
    this.#keep();
    this.#show(entry.key);
    return this.flush();
  }

  /**
   * Holds a value against the profile's rules while it is typed.
   * @param {Entry} entry
   * @param {Value} value
   * @param {() => void} judged
   */
  check(entry, value, judged) {
    this.checking.abort();
    this.checking = new AbortController();
    if (entry.kind !== "field") return;
    const { signal } = this.checking;
    const typed = { task: entry.task, pointer: entry.pointer, value };
    const timer = setTimeout(async () => {
      try {
        const answer = await this.api.check(this.id, this.page, this.#set([typed]), signal);
        if (signal.aborted || this.busy) return;
        this.#judge(answer.fields, entry.key);
        judged();
      } catch {
        // What cannot be checked now is checked when it is saved.
      }
    }, TYPING);
    signal.addEventListener("abort", () => clearTimeout(timer));
  }

  /**
   * @param {Field[]} fields
   * @param {string} typed
   */
  #judge(fields, typed) {
    const changed = [];
    for (const field of fields) {
      const entry = this.entries.get(keyOf(field));
      if (!entry || entry.kind !== "field" || same(entry.reasons, field.reasons)) continue;
      entry.reasons = field.reasons;
      if (entry.key !== typed) changed.push(entry.key);
    }
    this.#show(...changed);
  }

  /** Sends what is unsaved, one request after the other. @returns {Promise<void>} */
  flush() {
    clearTimeout(this.timer);
    this.again = this.busy;
    if (!this.busy) {
      this.busy = true;
      this.sending = this.#send().finally(() => {
        this.busy = false;
        // Something was said while the last answer was on its way.
        if (this.again) return this.flush();
        return undefined;
      });
    }
    return this.sending;
  }

  async #send() {
    for (let conflicts = 0; conflicts < MOST_CONFLICTS; ) {
      const batch = [...this.unsaved].filter(([key]) => !this.entries.get(key)?.theirs);
      if (!batch.length) return this.#settle();
      this.#progress("saving");
      try {
        const saved = await this.api.save(this.id, this.page, this.#set(batch.map(([, said]) => said)));
        for (const [key, said] of batch) if (this.unsaved.get(key) === said) this.unsaved.delete(key);
        this.tries = 0;
        this.#take(saved);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        if (error.error !== "conflict") return this.#fail(error);
        conflicts += 1;
        this.#meet(error);
      }
    }
    this.#fail(new Refusal("busy", "Others are saving this page at this moment."));
  }

  /** All that can be sent is sent. */
  async #settle() {
    const conflicting = this.unsaved.size > 0;
    if (conflicting) await this.refresh().catch(() => null);
    this.#progress(conflicting ? "conflicting" : "saved");
  }

  /** What others have saved, without what is unsaved here. */
  async refresh() {
    const { review, fields, reasons } = await this.api.page(this.id, this.page);
    this.#take({ review, fields, reasons });
  }

  /** @param {Refusal} refusal */
  #fail(refusal) {
    if (refusal.passes && !this.closed) {
      this.timer = setTimeout(() => this.flush(), RETRY[Math.min(this.tries, RETRY.length - 1)]);
      this.tries += 1;
    }
    this.#progress(refusal.passes ? "waiting" : "refused", refusal);
  }

  /**
   * The page's corrections, with these.
   * @param {Said[]} said
   */
  #set(said) {
    const all = new Map(this.review.corrections.map(({ task, pointer, value }) => [keyOf({ task, pointer }), { task, pointer, value }]));
    for (const one of said) all.set(keyOf(one), one);
    return { version: this.review.version, corrections: [...all.values()] };
  }

  /** @param {Saved} saved */
  #take({ review, fields, reasons }) {
    this.review = review;
    this.reasons = reasons;
    const changed = [];
    for (const field of fields) {
      const entry = this.entries.get(keyOf(field));
      if (!entry) continue;
      const { value, state, reasons: why } = field;
      if (entry.value === value && entry.state === state && same(entry.reasons, why)) continue;
      Object.assign(entry, { value, state, reasons: why });
      changed.push(entry.key);
    }
    this.#keep();
    this.#show(...changed);
  }

  /** @param {Refusal} refusal  `conflict`: another has saved since */
  #meet({ details }) {
    const before = this.review.corrections;
    const stored = details.corrections ?? [];
    this.review = { ...this.review, version: details.version ?? this.review.version, corrections: stored };
    this.#compare(before, stored);
    this.#keep();
  }

  /**
   * Another's value of a field that is unsaved here is put beside it.
   * @param {readonly Correction[]} before
   * @param {readonly Correction[]} stored
   */
  #compare(before, stored) {
    const known = new Map(before.map((one) => [keyOf(one), one]));
    for (const theirs of stored) {
      const key = keyOf(theirs);
      const [mine, entry, earlier] = [this.unsaved.get(key), this.entries.get(key), known.get(key)];
      const isNew = !earlier || earlier.value !== theirs.value;
      if (!mine || !entry || !isNew || mine.value === theirs.value) continue;
      entry.theirs = theirs;
      this.#show(key);
    }
  }

  #keep() {
    this.kept.put(this.id, this.page, this.review.version, [...this.unsaved.values()]);
  }

  /** @param {...string} keys */
  #show(...keys) {
    const entries = keys.map((key) => this.entries.get(key)).filter((entry) => entry !== undefined);
    if (entries.length && !this.closed) this.hooks.changed(entries);
  }

  /**
   * @param {Progress} progress
   * @param {Refusal | null} refusal
   */
  #progress(progress, refusal = null) {
    this.progress = progress;
    if (!this.closed) this.hooks.progressed(progress, refusal);
  }

  /** Another page is shown: what is unsaved is sent once more, and stays kept. */
  close() {
    this.checking.abort();
    this.closed = true;
    clearTimeout(this.timer);
    return this.unsaved.size ? this.flush() : this.sending;
  }
}

/**
 * @param {unknown} one
 * @param {unknown} other
 */
const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
