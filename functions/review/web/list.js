// Documents that wait for review, the oldest first.

import { announce } from "./announce.js";
import { fill, make, quoted } from "./dom.js";
import { button, notice } from "./frame.js";
import { age, clock, counted, dateAndTime, reasonText } from "./words.js";

/** @typedef {import("./contract.js").Summary} Summary */

const MOST_REASONS = 6;

export class ListView {
  /**
   * @param {import("./api.js").Api} api
   * @param {import("./kept.js").Kept} kept
   */
  constructor(api, kept) {
    this.api = api;
    this.kept = kept;
    /** @type {string | null} */
    this.next = null;
    /** @type {Set<string>} */
    this.waiting = new Set();
    this.notices = make("div", { role: "alert" });
    this.body = make("tbody", { role: "rowgroup" });
    const heads = ["Document", "Why", "Profile", "Waiting", "Length"];
    const head = make("tr", { role: "row" }, ...heads.map((name) => make("th", { scope: "col", role: "columnheader" }, name)));
    // The roles: on a narrow screen the rows are laid out as blocks.
    this.table = make("table", { role: "table", "aria-label": "Documents to review" }, make("thead", { role: "rowgroup" }, head), this.body);
    this.empty = make("p", { class: "empty", hidden: true }, "Nothing waits for review.");
    this.more = button("More", () => void this.#load(), { class: "more", hidden: true });
    const bar = make("header", { class: "bar" }, make("h1", {}, "Review"), button("Refresh", () => void this.open("")));
    const main = make("main", { id: "main" }, this.notices, make("div", { class: "list" }, this.table, this.empty, this.more));
    this.element = make("div", {}, bar, main);
    this.element.addEventListener("keydown", this.#key);
  }

  /** @param {string} said  of the document before */
  async open(said) {
    document.title = "Review";
    fill(this.body);
    this.next = null;
    this.#sayKept(said);
    await this.#load();
    if (said) announce(said);
    const first = this.body.querySelector("a[data-free]") ?? this.body.querySelector("a");
    if (first instanceof HTMLElement) first.focus();
  }

  /** @param {string} said */
  #sayKept(said) {
    const kept = new Map(this.kept.all().map((one) => [one.id, one]));
    const unsaved = [...kept.values()].map(({ id, page }) => {
      const link = make("a", { href: `#/d/${id}/${page}` }, "Open it");
      return make("div", { class: "notice warning" }, make("span", {}, "A document has corrections that are kept in this browser, and not saved. "), link);
    });
    fill(this.notices, said ? notice("", said) : null, ...unsaved);
  }

  async #load() {
    const { reviews, next } = await this.api.reviews(this.next);
    this.next = next;
    for (const { id } of reviews) this.waiting.add(id);
    this.body.append(...reviews.map(row));
    const none = !this.body.hasChildNodes() && !next;
    this.empty.hidden = !none;
    this.table.hidden = none;
    this.more.hidden = !next;
  }

  /** @param {KeyboardEvent} event */
  #key = (event) => {
    const step = /** @type {Record<string, number>} */ ({ ArrowDown: 1, ArrowUp: -1 })[event.key];
    if (!step) return;
    const links = [...this.body.querySelectorAll("a")];
    const at = links.findIndex((link) => link === document.activeElement);
    links[Math.max(0, Math.min(links.length - 1, at + step))]?.focus();
    event.preventDefault();
  };
}

/** @param {Summary} of */
function row({ id, name, profile, started, ended, pages, review }) {
  const claimed = review.state === "claimed" && !review.mine;
  const address = `#/d/${id}/${review.pages[0] ?? 1}`;
  const cell = (/** @type {string} */ kind, /** @type {import("./dom.js").Child[]} */ ...content) =>
    make("td", { role: "cell", class: kind }, ...content);
  const has = claimed && review.claimed_until ? ` until ${clock(review.claimed_until)}` : "";
  return make(
    "tr",
    { role: "row" },
    cell(
      "name",
      make("a", { href: address, ...(claimed ? {} : { "data-free": true }) }, quoted(name)),
      claimed && make("p", { class: "muted" }, quoted(review.claimed_by ?? "Another"), ` has it${has}`),
    ),
    cell("why", reasons(review)),
    cell("profile", profile ? quoted(profile) : make("span", { class: "muted" }, "none")),
    cell("age", make("time", { datetime: ended ?? started, title: dateAndTime(ended ?? started) }, age(ended ?? started))),
    cell("pages", counted(pages, "page")),
  );
}

/** @param {import("./contract.js").Review} review */
function reasons({ reasons: all }) {
  const named = all.slice(0, MOST_REASONS).map((reason) => make("li", {}, `${reasonText(reason)}${reason.count > 1 ? ` × ${reason.count}` : ""}`));
  const more = all.length > MOST_REASONS && make("li", {}, `and ${all.length - MOST_REASONS} more`);
  return make("ul", { class: "reasons" }, ...named, more);
}
