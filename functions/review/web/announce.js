// What a screen reader says of changes that the eye sees.

import { make } from "./dom.js";

const polite = make("div", { role: "status", "aria-live": "polite", class: "unseen" });
document.body.append(polite);

/** @param {string} text */
export function announce(text) {
  // The same words twice are said twice.
  polite.textContent = polite.textContent === text ? `${text}\u00a0` : text;
}
