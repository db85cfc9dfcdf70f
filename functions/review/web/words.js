// What codes and times are called.

/**
 * @typedef {import("./contract.js").Reason} Reason
 * @typedef {import("./contract.js").State} State
 */

/** Keywords of a profile's rules (docs/fields.md). */
const RULES = /** @type {Record<string, string>} */ ({
  required: "a value is missing",
  format: "not in the expected form",
  pattern: "not in the expected form",
  enum: "none of the allowed values",
  const: "not the expected value",
  type: "of another kind than expected",
  minLength: "too short",
  maxLength: "too long",
  minimum: "too small",
  maximum: "too large",
  exclusiveMinimum: "too small",
  exclusiveMaximum: "too large",
  minItems: "too few of them",
  maxItems: "too many of them",
  sums: "the amounts do not add up",
  order: "the dates are in the wrong order",
  anyOf: "the rules are not met",
  oneOf: "the rules are not met",
  additionalProperties: "not expected here",
});

/** docs/warnings.md */
const WARNINGS = /** @type {Record<string, string>} */ ({
  damaged_page: "the page is damaged in the file",
  text_kept: "the text is not whole",
  empty_text: "no text was found",
  empty_fields: "no field has a value",
  no_text_in_lines: "lines have no text",
  no_text_claimed: "the engine says that there is no text",
  lines_without_place: "lines have no place on the page",
  unclear_text: "parts could not be read",
  repeated_text: "lines repeat",
  replaced_characters: "characters were lost",
  repaired: "the answer was mended",
});

/** @param {{ code: string, detail: string | null }} reason */
export function reasonText({ code, detail }) {
  const said = detail ?? "";
  switch (code) {
    case "rule":
      return RULES[said] ?? `breaks the rule ${said}`;
    case "unclear":
      return "could not be read in full";
    case "no_place":
      return "not found on the page";
    case "confidence":
      return `unsure (${percent(said)})`;
    case "failed":
      return `not recognized: ${plain(said)}`;
    case "warning":
      return WARNINGS[said] ?? plain(said);
    case "sample":
      return "taken as a sample";
    case "always":
      return "always checked";
    case "unread":
      return "too long to be looked through";
    default:
      return plain(`${code} ${said}`.trim());
  }
}

/** @param {string} said  0 to 1 */
const percent = (said) => (Number.isFinite(Number(said)) ? `${Math.round(Number(said) * 100)} %` : said);

/** @param {string} code */
const plain = (code) => code.replaceAll("_", " ");

/** @param {Reason[]} reasons */
export const isBroken = (reasons) => reasons.some(({ code }) => code === "rule");

/** @type {Record<State, string>} */
export const STATES = { doubtful: "to check", sure: "read", accepted: "accepted", corrected: "corrected" };

const RELATIVE = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const UNITS = /** @type {const} */ ([
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
]);

/** @param {string} moment */
export function age(moment) {
  const seconds = (Date.parse(moment) - Date.now()) / 1000;
  for (const [unit, length] of UNITS) {
    if (Math.abs(seconds) >= length) return RELATIVE.format(Math.round(seconds / length), unit);
  }
  return "just now";
}

/** @param {string} moment */
export const clock = (moment) => new Date(moment).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });

/** @param {string} moment */
export const dateAndTime = (moment) => new Date(moment).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });

/**
 * @param {number} number
 * @param {string} one
 * @param {string} [several]
 */
export const counted = (number, one, several = `${one}s`) => `${number.toLocaleString()} ${number === 1 ? one : several}`;
