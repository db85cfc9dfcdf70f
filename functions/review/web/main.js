// The page: signs in, then shows the list or a document, as the address says.

import { Api, Refusal } from "./api.js";
import { fill, make } from "./dom.js";
import { DocumentView } from "./document.js";
import { Kept } from "./kept.js";
import { ListView } from "./list.js";
import { Session } from "./session.js";

const root = /** @type {HTMLElement} */ (document.getElementById("root"));

class Pages {
  /** @param {Api} api */
  constructor(api) {
    this.api = api;
    this.kept = new Kept();
    /** @type {DocumentView | null} */
    this.document = null;
    /** @type {ListView | null} */
    this.list = null;
    this.said = "";
    window.addEventListener("hashchange", () => void this.show());
    window.addEventListener("pagehide", () => this.document?.abandon());
    // A page that comes back from the browser's cache has let its document go.
    window.addEventListener("pageshow", (event) => event.persisted && location.reload());
    window.addEventListener("online", () => void this.document?.view?.draft.flush());
  }

  async show() {
    const [, id, page] = /^#\/d\/([a-z2-7]{32})(?:\/(\d+))?$/.exec(location.hash) ?? [];
    if (id && this.document?.of.id === id) return this.#turn(Number(page));
    const before = this.document;
    this.document = null;
    await before?.close();
    try {
      await (id ? this.#open(id, page ? Number(page) : null) : this.#list());
    } catch (error) {
      failed(error, () => void this.show());
    }
  }

  /** @param {number} page */
  async #turn(page) {
    if (page && page !== this.document?.view?.page.page) await this.document?.turnTo(page);
  }

  async #list() {
    document.body.className = "";
    this.list = new ListView(this.api, this.kept);
    fill(root, this.list.element);
    const { said } = this;
    this.said = "";
    await this.list.open(said);
  }

  /**
   * @param {string} id
   * @param {number | null} page
   */
  async #open(id, page) {
    document.body.className = "document";
    const turned = (/** @type {number} */ to) => history.replaceState(null, "", `#/d/${id}/${to}`);
    const left = (/** @type {string} */ said) => {
      this.said = said;
      location.hash = "#/";
    };
    const { api, kept } = this;
    this.document = new DocumentView({ api, kept, id, left, turned });
    fill(root, this.document.element);
    await this.document.open(page, this.list?.waiting.has(id) ?? false);
  }
}

/**
 * @param {unknown} error
 * @param {() => void} again
 */
function failed(error, again) {
  document.body.className = "";
  const said = error instanceof Refusal || error instanceof Error ? error.message : String(error);
  const button = make("button", { type: "button", class: "first", onclick: again }, "Try again");
  fill(root, make("main", { id: "main", class: "empty", role: "alert" }, make("h1", {}, "This could not be shown"), make("p", {}, said), button));
}

async function begin() {
  try {
    const answer = await fetch("/config");
    const session = new Session((await answer.json()).sign_in);
    if (await session.open()) await new Pages(new Api(session)).show();
  } catch (error) {
    failed(error, () => void begin());
  }
}

void begin();
