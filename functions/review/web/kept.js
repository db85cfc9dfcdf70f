// Corrections that the server does not have yet, kept in this browser: a lost connection, a closed window or a crash
// takes none of them. They are gone from here as soon as they are saved.

/** @typedef {import("./contract.js").Said} Said */
/** @typedef {{ version: number, corrections: Said[] }} Unsaved */

const PREFIX = "pagewise:unsaved:";

export class Kept {
  /**
   * @param {string} id
   * @param {number} page
   * @returns {Unsaved | null}
   */
  of(id, page) {
    return JSON.parse(localStorage.getItem(`${PREFIX}${id}:${page}`) ?? "null");
  }

  /**
   * @param {string} id
   * @param {number} page
   * @param {number} version  of the page's corrections as they were read
   * @param {Said[]} corrections
   */
  put(id, page, version, corrections) {
    const key = `${PREFIX}${id}:${page}`;
    try {
      if (corrections.length) localStorage.setItem(key, JSON.stringify({ version, corrections }));
      else localStorage.removeItem(key);
    } catch {
      // A full or forbidden store: the corrections are still on the page, and are sent from there.
    }
  }

  /** Documents and pages that have corrections here. */
  all() {
    return Object.keys(localStorage)
      .filter((key) => key.startsWith(PREFIX))
      .map((key) => key.slice(PREFIX.length).split(":"))
      .map(([id, page]) => ({ id: String(id), page: Number(page) }));
  }
}
