// The API of openapi.yaml, under the same origin.

/**
 * @typedef {import("./contract.js").Correction} Correction
 * @typedef {import("./contract.js").Page} Page
 * @typedef {import("./contract.js").Review} Review
 * @typedef {import("./contract.js").Said} Said
 * @typedef {import("./contract.js").Saved} Saved
 * @typedef {import("./contract.js").Summary} Summary
 */

const PATIENCE = 20_000; // milliseconds for an answer

/** An answer that says no. `error` is the API's stable word, or `unreachable`. */
export class Refusal extends Error {
  /**
   * @param {string} error
   * @param {string} message
   * @param {{ by?: string, until?: string, version?: number, corrections?: Correction[] }} [details]
   */
  constructor(error, message, details = {}) {
    super(message);
    this.error = error;
    this.details = details;
  }

  /** As a sentence, with the other's name where it is another's. */
  get said() {
    return this.error === "claimed" && this.details.by ? `${this.details.by} has this document.` : this.message;
  }

  /** Whether the same request may be answered later. */
  get passes() {
    return ["unreachable", "busy", "broken"].includes(this.error);
  }
}

export class Api {
  /** @param {import("./session.js").Session} session */
  constructor(session) {
    this.session = session;
  }

  /**
   * @param {string | null} next
   * @returns {Promise<{ reviews: Summary[], next: string | null }>}
   */
  reviews(next = null) {
    return this.#ask("GET", `/reviews?limit=50${next ? `&next=${encodeURIComponent(next)}` : ""}`);
  }

  /**
   * @param {string} id
   * @param {number} page
   * @returns {Promise<Page>}
   */
  page(id, page) {
    return this.#ask("GET", `/documents/${id}/pages/${page}`);
  }

  /**
   * @param {string} id
   * @returns {Promise<Review>}
   */
  claim(id) {
    return this.#ask("POST", `/documents/${id}/review/claim`);
  }

  /**
   * The browser sends it even if the page is being closed.
   * @param {string} id
   * @returns {Promise<Review>}
   */
  release(id) {
    return this.#ask("POST", `/documents/${id}/review/release`, undefined, { keepalive: true });
  }

  /**
   * @param {string} id
   * @returns {Promise<Review>}
   */
  done(id) {
    return this.#ask("POST", `/documents/${id}/review/done`);
  }

  /**
   * @param {string} id
   * @param {number} page
   * @param {{ version: number, corrections: Said[] }} set  all corrections of the page
   * @returns {Promise<Saved>}
   */
  save(id, page, set) {
    return this.#ask("PUT", `/documents/${id}/pages/${page}/corrections`, set);
  }

  /**
   * What `save` would answer; nothing is stored.
   * @param {string} id
   * @param {number} page
   * @param {{ version: number, corrections: Said[] }} set
   * @param {AbortSignal} signal
   * @returns {Promise<Saved>}
   */
  check(id, page, set, signal) {
    return this.#ask("PUT", `/documents/${id}/pages/${page}/corrections?check=true`, set, { signal });
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {unknown} [body]
   * @param {RequestInit} [how]
   * @returns {Promise<any>}
   */
  async #ask(method, path, body, how = {}) {
    const headers = { ...(await this.session.headers()), ...(body ? { "content-type": "application/json" } : {}) };
    const patience = how.keepalive ? [] : [AbortSignal.timeout(PATIENCE)];
    const signal = AbortSignal.any([...(how.signal ? [how.signal] : []), ...patience]);
    /** @type {Response} */
    let answer;
    /** @type {any} */
    let said;
    try {
      answer = await fetch(path, { ...how, method, headers, signal, ...(body ? { body: JSON.stringify(body) } : {}) });
      said = await answer.json();
    } catch (error) {
      if (how.signal?.aborted) throw error;
      throw new Refusal("unreachable", "The server cannot be reached.");
    }
    if (answer.ok) return said;
    if (answer.status === 401) this.session.refused();
    const busy = answer.status === 429 || answer.status > 500;
    throw new Refusal(said?.error ?? (busy ? "busy" : "broken"), said?.message ?? "The server gave no reason.", said ?? {});
  }
}
