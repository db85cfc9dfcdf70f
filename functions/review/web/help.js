// The keys, and the dialogs.

import { fill, make } from "./dom.js";

const LETTERS = "pagewise:letters";

/** Keys by what they do. Those of one letter work outside of text alone, and can be switched off. */
export const KEYS = [
  [["Enter"], "Accept the value, or what you typed, and go to the next doubtful one. In long text: Ctrl + Enter"],
  [["Esc"], "Put back what stood there; once more: leave the value"],
  [["Shift + Enter"], "A new line within a value"],
  [["Tab", "Shift + Tab"], "Next or previous value, saving what you typed"],
  [["↑", "↓"], "In a table: the row above or below"],
  [["F8", "Shift + F8"], "Next or previous doubtful value, without accepting: also n, p"],
  [["Alt + PgDn", "Alt + PgUp"], "Next or previous page: also ] and ["],
  [["+", "−", "0"], "Closer, farther, whole width. In a value: with Alt"],
  [["r"], "Turn the page image. In a value: with Alt"],
  [["e"], "Into the values"],
  [["Ctrl + Shift + Enter"], "Finish the document: also f"],
  [["?"], "These keys. In a value: F1"],
];

export const letters = {
  get on() {
    return localStorage.getItem(LETTERS) !== "off";
  },
  /** @param {boolean} on */
  set on(on) {
    localStorage.setItem(LETTERS, on ? "on" : "off");
  },
};

export function showKeys() {
  const box = make("input", { type: "checkbox", checked: letters.on, onchange: () => (letters.on = box.checked) });
  const rows = KEYS.flatMap(([keys, does]) => [
    make("dt", {}, ...[keys].flat().flatMap((key, index) => [index ? " " : null, make("kbd", {}, key)])),
    make("dd", {}, String(does)),
  ]);
  open("Keys", [make("dl", {}, ...rows), make("label", {}, box, " Keys of one letter")], [["Close", "close"]]);
}

/**
 * @param {string} question
 * @param {string[]} facts
 * @param {string} yes
 * @returns {Promise<boolean>}
 */
export async function confirmed(question, facts, yes) {
  const answer = await open(
    question,
    facts.map((fact) => make("p", {}, fact)),
    [
      ["Not yet", "no"],
      [yes, "yes"],
    ],
  );
  return answer === "yes";
}

/**
 * @param {string} title
 * @param {Node[]} content
 * @param {string[][]} answers  label and value; the last has the focus
 * @returns {Promise<string>}
 */
function open(title, content, answers) {
  const dialog = make("dialog", { "aria-labelledby": "dialog-title" });
  const buttons = answers.map(([label, value], index) =>
    make("button", { value, class: index === answers.length - 1 ? "first" : null, autofocus: index === answers.length - 1 }, label),
  );
  fill(dialog, make("h2", { id: "dialog-title" }, title), ...content, make("form", { method: "dialog" }, ...buttons));
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) =>
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue);
    }),
  );
}
