// Whose document it is: two people never work on one.

import { Refusal } from "./api.js";

/** @typedef {import("./contract.js").Review} Review */

const RENEW = 300_000; // milliseconds: the server keeps a claim for fifteen minutes
const ASLEEP = 600_000; // milliseconds without a key or a click, after which a claim is not renewed

export class Claim {
  /**
   * @param {import("./api.js").Api} api
   * @param {string} id
   * @param {(refusal: Refusal) => void} lost  when it could not be renewed
   */
  constructor(api, id, lost) {
    this.api = api;
    this.id = id;
    this.mine = false;
    this.used = Date.now();
    this.renewal = setInterval(() => this.#renew().catch((refusal) => this.mine || lost(refusal)), RENEW);
  }

  /** Raises Refusal: `claimed` while another has it. @returns {Promise<Review>} */
  async take() {
    try {
      const review = await this.api.claim(this.id);
      this.mine = true;
      return review;
    } catch (error) {
      // An unreachable server takes no claim away.
      if (error instanceof Refusal && !error.passes) this.mine = false;
      throw error;
    }
  }

  async #renew() {
    if (this.mine && Date.now() - this.used < ASLEEP) await this.take();
  }

  /** Others may have it. The request goes out even while the window is being closed. */
  async release() {
    clearInterval(this.renewal);
    if (!this.mine) return;
    this.mine = false;
    await this.api.release(this.id).catch(() => null);
  }

  /** It is finished: there is nothing to release. */
  end() {
    clearInterval(this.renewal);
    this.mine = false;
  }
}
