// One document: whose it is, from page to page, and its end.

import { announce } from "./announce.js";
import { Refusal } from "./api.js";
import { Claim } from "./claim.js";
import { fill, quoted } from "./dom.js";
import { Frame, notice } from "./frame.js";
import { confirmed, letters, showKeys } from "./help.js";
import { PageView } from "./page.js";
import { Picture } from "./picture.js";
import { clock, counted, dateAndTime } from "./words.js";

/**
 * @typedef {import("./contract.js").Page} Page
 * @typedef {import("./contract.js").Review} Review
 */

/**
 * @typedef {object} DocumentOf
 * @property {import("./api.js").Api} api
 * @property {import("./kept.js").Kept} kept
 * @property {string} id
 * @property {(said: string) => void} left
 * @property {(page: number) => void} turned
 */

const MOST_NAMED = 20; // pages in a sentence

export class DocumentView {
  /** @param {DocumentOf} of */
  constructor(of) {
    this.of = of;
    /** @type {PageView | null} */
    this.view = null;
    /** @type {Review | null} */
    this.review = null;
    this.wanted = 0; // the page that is shown, or on its way
    this.turning = false;
    /** @type {Set<number>} doubtful pages that were left with nothing doubtful */
    this.clean = new Set();
    this.claim = new Claim(of.api, of.id, (refusal) => this.#lost(refusal));
    this.picture = new Picture({ failed: () => void this.view?.renewImage() });
    this.frame = new Frame(this.picture, {
      turn: (step) => this.#turn(step),
      leave: () => of.left(""),
      finish: () => void this.finish(),
    });
    // The focus may be nowhere: after a dialog, a click beside everything.
    this.listening = new AbortController();
    document.addEventListener("keydown", this.#key, { signal: this.listening.signal });
    this.frame.element.addEventListener("pointerdown", () => (this.claim.used = Date.now()));
  }

  get element() {
    return this.frame.element;
  }

  // ── Coming and going ──

  /**
   * @param {number | null} page  null: the first that is doubtful
   * @param {boolean} waits  whether it is known to wait for review: then claim and page are asked for at once
   */
  async open(page, waits) {
    const early = waits ? this.#take() : null;
    let shown = await this.of.api.page(this.of.id, page ?? 1);
    const [first] = shown.document_review.pages;
    if (page === null && first && first > 1) shown = await this.of.api.page(this.of.id, first);
    const { state } = shown.document_review;
    const claimed = await (early ?? (["waiting", "claimed"].includes(state) ? this.#take() : null));
    this.#sayReview(claimed ?? shown.document_review);
    this.#show(shown);
  }

  /** @returns {Promise<Review | null>} null: it could not be had, which is said */
  async #take() {
    try {
      return await this.claim.take();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#sayRefused(error);
      return null;
    }
  }

  /** @param {Refusal} refusal */
  #sayRefused({ error, said, details }) {
    const until = details.until ? ` Until ${clock(details.until)}, or until it is released, you can look at it and not change it.` : "";
    const text = error === "claimed" ? `${said}${until}` : said;
    fill(this.frame.notices.claim, notice("warning", text, "Try again", () => void this.#retake()));
  }

  async #retake() {
    const review = await this.#take();
    if (!review) return announce("It is still another's.");
    this.#sayReview(review);
    await this.turnTo(this.view?.page.page ?? 1);
  }

  /** @param {Refusal} refusal */
  async #lost(refusal) {
    this.#sayRefused(refusal);
    if (this.view) await this.turnTo(this.view.page.page);
  }

  /** @param {Review} review */
  #sayReview(review) {
    this.review = review;
    const { state, reviewed, reviewed_by, claimed_until } = review;
    const { notices, release, finish } = this.frame;
    const again = () => void this.#retake();
    if (this.claim.mine) fill(notices.claim);
    else if (state === "done" && reviewed) {
      fill(notices.claim, notice("", `${reviewed_by ?? "Someone"} finished it on ${dateAndTime(reviewed)}.`, "Review it again", again));
    } else if (state === "none") fill(notices.claim, notice("", "Nothing asks for a review of it.", "Review it", again));
    release.hidden = finish.hidden = !this.claim.mine;
    release.title = claimed_until ? `Yours until ${clock(claimed_until)}` : "";
  }

  /** What is unsaved is sent, and the document let go. */
  async close() {
    this.listening.abort();
    await this.view?.close();
    await this.claim.release();
  }

  /** The window is being closed: nothing can be waited for. */
  abandon() {
    this.view?.rest();
    void this.claim.release();
  }

  // ── Pages ──

  /** @param {1 | -1} step */
  #turn(step) {
    void this.turnTo(this.wanted + step);
  }

  /** @param {number} page */
  async turnTo(page) {
    if (!this.view || page < 1 || page > this.view.page.pages) return;
    this.wanted = page;
    // Keys come faster than pages: those between are left out.
    if (this.turning) return;
    this.turning = true;
    this.#note();
    try {
      this.view.rest();
      await this.view.draft.flush();
      let shown = await this.of.api.page(this.of.id, page);
      while (shown.page !== this.wanted) shown = await this.of.api.page(this.of.id, this.wanted);
      await this.view.close();
      this.#show(shown);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#sayNotTurned(this.wanted, error);
    } finally {
      this.turning = false;
    }
  }

  /**
   * @param {number} page
   * @param {Refusal} refusal
   */
  #sayNotTurned(page, refusal) {
    this.wanted = this.view?.page.page ?? page;
    const again = () => void this.turnTo(page);
    fill(this.frame.notices.page, notice("error", `Page ${page} could not be loaded. ${refusal.said}`, "Try again", again));
  }

  /** Whether the page that is left has something doubtful. */
  #note() {
    if (this.view && !this.view.open.length) this.clean.add(this.view.page.page);
  }

  /** @param {Page} page */
  #show(page) {
    const { frame, of, picture } = this;
    this.wanted = page.page;
    document.title = `${page.name} · Review`;
    fill(frame.title, quoted(page.name));
    frame.numbers.textContent = `Page ${page.page} of ${page.pages}`;
    frame.back.disabled = page.page === 1;
    frame.forth.disabled = page.page === page.pages;
    frame.saved.textContent = "";
    fill(frame.notices.saving);
    fill(frame.notices.page);
    const { api, kept } = of;
    this.view = new PageView(page, { api, kept, frame, picture, readonly: !this.claim.mine, ended: () => void this.#next() });
    of.turned(page.page);
    if (!this.view.goOn(null)) this.#rest();
  }

  /** Nothing on this page is doubtful. */
  #rest() {
    if (this.claim.mine && !this.#left().length) this.frame.finish.focus();
    else this.frame.values.focus();
  }

  async #next() {
    this.#note();
    const [next] = this.#left();
    if (next) return this.turnTo(next);
    this.#rest();
    return announce("Nothing is left to check. Enter finishes the document.");
  }

  /** Doubtful pages that have not been looked at, from this one on. */
  #left() {
    const here = this.view?.page.page ?? 0;
    const left = (this.review?.pages ?? []).filter((page) => page !== here && !this.clean.has(page));
    return [...left.filter((page) => page > here), ...left.filter((page) => page < here)];
  }

  // ── The end ──

  async finish() {
    const { view } = this;
    if (!view || !this.claim.mine) return;
    view.rest();
    await view.draft.flush();
    if (view.draft.waiting) return announce("There are corrections that are not saved yet.");
    const facts = this.#unfinished(view);
    if (facts.length && !(await confirmed("Finish all the same?", facts, "Finish"))) return void view.focus();
    try {
      await this.of.api.done(this.of.id);
      this.claim.end();
      this.of.left(`${view.page.name} is reviewed.`);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      fill(this.frame.notices.page, notice("error", `Not finished. ${error.said}`));
    }
  }

  /** @param {PageView} view */
  #unfinished(view) {
    const [open, broken, left] = [view.open.length, view.broken.length, this.#left()];
    const named = `${left.slice(0, MOST_NAMED).join(", ")}${left.length > MOST_NAMED ? " …" : ""}`;
    return [
      open ? `On this page ${counted(open, "value was", "values were")} not checked.` : "",
      broken ? `On this page ${counted(broken, "value breaks", "values break")} a rule.` : "",
      left.length ? `Not checked: ${left.length === 1 ? "page" : "pages"} ${named}.` : "",
    ].filter(Boolean);
  }

  // ── Keys ──

  /** @param {KeyboardEvent} event */
  #key = (event) => {
    const { key, altKey, shiftKey, target } = event;
    if (target instanceof Element && target.closest("dialog")) return;
    this.claim.used = Date.now();
    const writing = target instanceof HTMLTextAreaElement;
    const named = key.length > 1 || altKey;
    const pressed = [
      (event.ctrlKey || event.metaKey) && "Ctrl",
      altKey && "Alt",
      shiftKey && named && "Shift",
      altKey ? event.code.replace(/^Key|^Digit/, "") : key,
    ];
    const pressedKey = pressed.filter(Boolean).join("+");
    const action = this.#keys[pressedKey] ?? (writing || !letters.on ? undefined : this.#letters[pressedKey]);
    if (!action) return;
    event.preventDefault();
    action();
  };

  // Alt changes the letter on some keyboards: the key's place counts.
  #keys = /** @type {Record<string, () => void>} */ ({
    F1: showKeys,
    F8: () => this.view?.goOn(),
    "Shift+F8": () => this.view?.goOn(undefined, -1),
    "Alt+PageDown": () => this.#turn(1),
    "Alt+PageUp": () => this.#turn(-1),
    "Alt+Equal": () => this.picture.closer(),
    "Alt+Minus": () => this.picture.farther(),
    "Alt+0": () => this.picture.fit(),
    "Alt+R": () => this.picture.turn(),
    "Ctrl+Shift+Enter": () => void this.finish(),
  });

  #letters = /** @type {Record<string, () => void>} */ ({
    "?": showKeys,
    n: () => this.view?.goOn(),
    p: () => this.view?.goOn(undefined, -1),
    e: () => this.view?.focus(),
    "]": () => this.#turn(1),
    "[": () => this.#turn(-1),
    "+": () => this.picture.closer(),
    "=": () => this.picture.closer(),
    "-": () => this.picture.farther(),
    0: () => this.picture.fit(),
    r: () => this.picture.turn(),
    f: () => void this.finish(),
  });
}
