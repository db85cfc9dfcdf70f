// Where things lie on a page image: x and y of corners, in pixels.

/**
 * @typedef {readonly number[]} Location  x and y of each corner, in order
 * @typedef {[number, number]} Point
 * @typedef {{ left: number, top: number, right: number, bottom: number }} Bounds
 * @typedef {{ width: number, height: number }} Size
 */

/**
 * @param {Location} location
 * @returns {Bounds}
 */
export function bounds(location) {
  const xs = location.filter((_, index) => index % 2 === 0);
  const ys = location.filter((_, index) => index % 2 === 1);
  return { left: Math.min(...xs), top: Math.min(...ys), right: Math.max(...xs), bottom: Math.max(...ys) };
}

/**
 * @param {Location} location
 * @param {number} margin
 * @returns {Bounds}
 */
export function around(location, margin) {
  const { left, top, right, bottom } = bounds(location);
  return { left: left - margin, top: top - margin, right: right + margin, bottom: bottom + margin };
}

/**
 * As an SVG path.
 * @param {Location} location
 */
export function outline(location) {
  let path = "";
  for (let at = 0; at + 1 < location.length; at += 2) path += `${at ? "L" : "M"}${location[at]} ${location[at + 1]}`;
  return `${path}Z`;
}

/** @param {Bounds} of */
export const framed = ({ left, top, right, bottom }) => `M${left} ${top}H${right}V${bottom}H${left}Z`;

/**
 * The smallest that holds the point: of places that overlap it was meant.
 * @template {{ location: Location }} T
 * @param {readonly T[]} places
 * @param {Point} point
 * @returns {T | undefined}
 */
export function smallestAt(places, [x, y]) {
  /** @type {T | undefined} */
  let found;
  let least = Infinity;
  for (const one of places) {
    const { left, top, right, bottom } = bounds(one.location);
    const area = (right - left) * (bottom - top);
    if (left <= x && x <= right && top <= y && y <= bottom && area < least) [found, least] = [one, area];
  }
  return found;
}

/**
 * @param {Size} size
 * @param {number} degrees  clockwise: 0, 90, 180 or 270
 * @returns {Size}
 */
export const turnedSize = ({ width, height }, degrees) =>
  degrees % 180 ? { width: height, height: width } : { width, height };

/**
 * A point of an image when the image is turned.
 * @param {Point} point
 * @param {Size} size  of the image before it is turned
 * @param {number} degrees  clockwise: 0, 90, 180 or 270
 * @returns {Point}
 */
export function turnedPoint([x, y], { width, height }, degrees) {
  if (degrees === 90) return [height - y, x];
  if (degrees === 180) return [width - x, height - y];
  return degrees === 270 ? [y, width - x] : [x, y];
}
