// Elements from text. Nothing here reads markup: what a document says is text, whatever it looks like.

/** @typedef {string | Node | null | undefined | false} Child */

/**
 * Properties: `class`, `on…` handlers, booleans for attributes without a value, and attributes by name.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, any>} [properties]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (typeof value === "boolean") element.toggleAttribute(name, value);
    else if (value !== null && value !== undefined) element.setAttribute(name, String(value));
  }
  element.append(...shown(children));
  return element;
}

/**
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string | number>} [attributes]
 * @param {...Node} children
 * @returns {SVGElementTagNameMap[K]}
 */
export function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/**
 * @param {Element} element
 * @param {...Child} children
 */
export function fill(element, ...children) {
  element.replaceChildren(...shown(children));
}

/**
 * A document's own text, in its own direction.
 * @param {string} text
 * @param {Record<string, any>} [properties]
 */
export function quoted(text, properties = {}) {
  return make("bdi", { dir: "auto", ...properties }, text);
}

/** @param {Child[]} children */
const shown = (children) => /** @type {(string | Node)[]} */ (children.filter((one) => one || one === ""));
