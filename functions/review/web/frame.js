// The elements of a document's view that stay while its pages come and go.

import { make } from "./dom.js";
import { showKeys } from "./help.js";

/**
 * @typedef {object} Actions
 * @property {(step: 1 | -1) => void} turn
 * @property {() => void} leave
 * @property {() => void} finish
 */

export class Frame {
  /**
   * @param {import("./picture.js").Picture} picture
   * @param {Actions} actions
   */
  constructor(picture, actions) {
    this.title = make("h1");
    this.numbers = make("span", { class: "muted" });
    this.back = button("‹", () => actions.turn(-1), { "aria-label": "Previous page" });
    this.forth = button("›", () => actions.turn(1), { "aria-label": "Next page" });
    this.saved = make("span", { class: "muted saved" });
    this.release = button("Release", actions.leave);
    this.finish = button("Finish", actions.finish, { class: "first" });
    this.notices = {
      claim: make("div", { role: "alert" }),
      saving: make("div", { role: "alert" }),
      page: make("div", { role: "alert" }),
    };
    this.summary = make("div", { class: "summary" });
    this.sections = make("div");
    const values = { class: "values", tabindex: -1, role: "region", "aria-label": "Values" };
    this.values = make("div", values, this.summary, this.sections);
    const page = make("section", { class: "picture", "aria-label": "Page" }, toolbar(picture), picture.view);
    const desk = make("div", { class: "desk" }, page, this.values);
    const { claim, saving, page: about } = this.notices;
    this.element = make("div", { class: "document" }, this.#bar(), make("main", { id: "main" }, claim, saving, about, desk));
  }

  #bar() {
    return make(
      "header",
      { class: "bar" },
      make("a", { href: "#/" }, "‹ List"),
      this.title,
      make("nav", { class: "tools", "aria-label": "Pages" }, this.back, this.numbers, this.forth),
      this.saved,
      make("div", { class: "tools" }, button("?", showKeys, { "aria-label": "Keys" }), this.release, this.finish),
    );
  }
}

/** @param {import("./picture.js").Picture} picture */
function toolbar(picture) {
  return make(
    "div",
    { class: "tools", role: "toolbar", "aria-label": "Page image" },
    button("+", picture.closer, { "aria-label": "Closer" }),
    button("−", picture.farther, { "aria-label": "Farther" }),
    button("Width", picture.fit),
    button("Turn", picture.turn),
    make(
      "span",
      { class: "legend" },
      make("span", { class: "doubtful" }, "to check"),
      make("span", { class: "corrected" }, "corrected"),
      make("span", { class: "accepted" }, "accepted"),
    ),
  );
}

/**
 * @param {string} label
 * @param {() => void} onclick
 * @param {object} [properties]
 */
export const button = (label, onclick, properties = {}) => make("button", { type: "button", onclick, ...properties }, label);

/**
 * @param {"" | "warning" | "error"} kind
 * @param {string} text
 * @param {string} [action]
 * @param {() => void} [does]
 */
export const notice = (kind, text, action = "", does = () => undefined) =>
  make("div", { class: `notice ${kind}` }, make("span", {}, text), action && button(action, does));
