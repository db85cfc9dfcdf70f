// The page image, the boxes of its fields and lines over it, zoom and turn.

import { draw, make } from "./dom.js";
import { around, bounds, framed, outline, smallestAt, turnedPoint, turnedSize } from "./places.js";

/**
 * @typedef {import("./places.js").Location} Location
 * @typedef {"line" | "sound" | "accepted" | "corrected" | "doubtful"} BoxState
 * @typedef {{ location: Location, state: BoxState, pick: () => void }} Box
 * @typedef {{ url: string, width: number, height: number }} PageImage  size in pixels
 */

const STEP = 1.25;
const MOST_ZOOM = 8;
const LEAST_ZOOM = 0.02;
const MARGIN = 6; // pixels of the image around a lit box
// Drawn in this order: a later one lies above.
/** @type {readonly BoxState[]} */
const STATES = ["line", "sound", "accepted", "corrected", "doubtful"];

export class Picture {
  /** @param {{ failed: () => void }} on  `failed`: the image could not be had. */
  constructor(on) {
    /** @type {PageImage | null} */
    this.image = null;
    /** @type {readonly Box[]} */
    this.boxes = [];
    this.zoom = 1;
    this.turned = 0; // degrees clockwise
    this.fitted = true;
    this.photo = make("img", { alt: "", draggable: "false", onerror: () => this.image && on.failed() });
    this.paths = STATES.map((state) => draw("path", { class: `box ${state}` }));
    this.lit = draw("path", { class: "box lit" });
    this.layer = draw("svg", { "aria-hidden": "true", preserveAspectRatio: "none" }, ...this.paths, this.lit);
    this.sheet = make("div", { class: "sheet" }, this.photo, this.layer);
    this.stage = make("div", { class: "stage", onclick: this.#pick }, this.sheet);
    this.view = make("div", { class: "viewport", tabindex: 0, role: "group", "aria-label": "Page image" }, this.stage);
    new ResizeObserver(() => this.fitted && this.fit()).observe(this.view);
  }

  /**
   * @param {PageImage | null} image
   * @param {string} description
   */
  show(image, description) {
    this.image = image;
    this.photo.alt = description;
    this.stage.hidden = !image;
    this.light(null);
    if (!image) return this.photo.removeAttribute("src");
    this.layer.setAttribute("viewBox", `0 0 ${image.width} ${image.height}`);
    this.photo.src = image.url;
    this.turned = 0;
    this.fit();
    this.view.scrollTo(0, 0);
  }

  /** @param {readonly Box[]} boxes  One path for each state: five thousand boxes are five elements. */
  mark(boxes) {
    this.boxes = boxes;
    const outlines = Map.groupBy(boxes, (box) => box.state);
    this.paths.forEach((path, index) => {
      const drawn = outlines.get(/** @type {BoxState} */ (STATES[index])) ?? [];
      path.setAttribute("d", drawn.map((box) => outline(box.location)).join(""));
    });
  }

  /** @param {Location | null} location  Of the value in focus; brought into sight. */
  light(location) {
    this.lit.setAttribute("d", location ? framed(around(location, MARGIN)) : "");
    if (location) this.#reveal(location);
  }

  closer = () => this.#zoomTo(this.zoom * STEP);
  farther = () => this.#zoomTo(this.zoom / STEP);

  turn = () => {
    this.turned = (this.turned + 90) % 360;
    if (this.fitted) this.fit();
    else this.#scale(this.zoom);
  };

  /** As wide as there is room. */
  fit = () => {
    this.fitted = true;
    if (this.image) this.#scale(this.view.clientWidth / turnedSize(this.image, this.turned).width);
  };

  /** @param {number} zoom */
  #zoomTo(zoom) {
    this.fitted = false;
    this.#scale(zoom);
  }

  /** @param {number} zoom  The middle of the view stays where it is. */
  #scale(zoom) {
    const { view, stage, image } = this;
    if (!image) return;
    const across = (view.scrollLeft + view.clientWidth / 2) / (stage.offsetWidth || 1);
    const down = (view.scrollTop + view.clientHeight / 2) / (stage.offsetHeight || 1);
    this.zoom = Math.min(MOST_ZOOM, Math.max(LEAST_ZOOM, zoom));
    const turned = turnedSize(image, this.turned);
    size(stage, turned.width * this.zoom, turned.height * this.zoom);
    size(this.sheet, image.width * this.zoom, image.height * this.zoom);
    this.sheet.style.transform = `translate(-50%, -50%) rotate(${this.turned}deg)`;
    view.scrollLeft = across * stage.offsetWidth - view.clientWidth / 2;
    view.scrollTop = down * stage.offsetHeight - view.clientHeight / 2;
  }

  /** @param {Location} location */
  #reveal(location) {
    const { view, image, zoom } = this;
    if (!image) return;
    const box = bounds(location);
    const [x, y] = turnedPoint([(box.left + box.right) / 2, (box.top + box.bottom) / 2], image, this.turned);
    const { width, height } = turnedSize({ width: box.right - box.left, height: box.bottom - box.top }, this.turned);
    const inSight =
      within(x * zoom, width * zoom, view.scrollLeft, view.clientWidth) &&
      within(y * zoom, height * zoom, view.scrollTop, view.clientHeight);
    if (!inSight) view.scrollTo({ left: x * zoom - view.clientWidth / 2, top: y * zoom - view.clientHeight / 2 });
  }

  /** @param {MouseEvent} event */
  #pick = (event) => {
    if (!this.image) return;
    const at = this.stage.getBoundingClientRect();
    const back = (360 - this.turned) % 360;
    const clicked = /** @type {[number, number]} */ ([
      (event.clientX - at.left) / this.zoom,
      (event.clientY - at.top) / this.zoom,
    ]);
    smallestAt(this.boxes, turnedPoint(clicked, turnedSize(this.image, this.turned), back))?.pick();
  };
}

/**
 * The part of the page that a value stands on, enlarged.
 * @param {PageImage} image
 * @param {Location} location
 */
export function cutting(image, location) {
  const { left, top, right, bottom } = around(location, 2 * MARGIN);
  const part = draw("image", { href: image.url, width: image.width, height: image.height });
  const viewBox = `${left} ${top} ${right - left} ${bottom - top}`;
  return draw("svg", { class: "cutting", viewBox, preserveAspectRatio: "xMinYMid", "aria-hidden": "true" }, part);
}

/**
 * @param {number} middle
 * @param {number} length
 * @param {number} from
 * @param {number} room
 */
const within = (middle, length, from, room) => middle - length / 2 >= from && middle + length / 2 <= from + room;

/**
 * @param {HTMLElement} element
 * @param {number} width
 * @param {number} height
 */
function size(element, width, height) {
  element.style.width = `${width}px`;
  element.style.height = `${height}px`;
}
