// Whose requests these are: a cookie's on one machine, a token's of OpenID Connect (code flow with PKCE) elsewhere.

/** @typedef {import("./contract.js").SignIn} SignIn */
/** @typedef {{ token: string, refresh: string | null, until: number }} Tokens  `until` in milliseconds */

const TOKENS = "pagewise:tokens";
const BEGUN = "pagewise:signing-in";
const EARLY = 60_000; // milliseconds before a token ends in which it is renewed

export class Session {
  /** @param {SignIn | null} signIn */
  constructor(signIn) {
    this.signIn = signIn;
    /** @type {() => void} */
    this.refused = () => (signIn ? this.begin() : undefined);
  }

  /** Signs in, if that is needed and has not been done. @returns {Promise<boolean>} false: the browser goes elsewhere. */
  async open() {
    const asked = new URLSearchParams(location.search);
    if (asked.has("token")) tidyAddress(location.hash);
    if (!this.signIn) return true;
    if (asked.has("code") || asked.has("error")) await this.#finish(asked);
    if (this.#tokens()) return true;
    await this.begin();
    return false;
  }

  /** @returns {Promise<Record<string, string>>} */
  async headers() {
    if (!this.signIn) return {};
    let tokens = this.#tokens();
    if (tokens && tokens.until - EARLY < Date.now()) tokens = await this.#renewed(tokens);
    return tokens ? { authorization: `Bearer ${tokens.token}` } : {};
  }

  async begin() {
    if (!this.signIn) return;
    sessionStorage.removeItem(TOKENS);
    const [verifier, state] = [random(), random()];
    sessionStorage.setItem(BEGUN, JSON.stringify({ verifier, state, back: location.hash }));
    const address = new URL(await this.#endpoint("authorize", "authorization_endpoint"));
    for (const [name, value] of Object.entries({
      response_type: "code",
      client_id: this.signIn.client_id,
      redirect_uri: here(),
      scope: this.signIn.scope,
      state,
      code_challenge: await challenge(verifier),
      code_challenge_method: "S256",
    })) {
      address.searchParams.set(name, value);
    }
    location.assign(address);
  }

  /** @param {URLSearchParams} answer */
  async #finish(answer) {
    const begun = JSON.parse(sessionStorage.getItem(BEGUN) ?? "null");
    sessionStorage.removeItem(BEGUN);
    tidyAddress(begun?.back ?? "");
    if (answer.has("error")) throw new Error(`Signing in was refused: ${answer.get("error_description") ?? answer.get("error")}.`);
    // An answer to a question that this browser did not ask is another's.
    if (!begun || begun.state !== answer.get("state")) return;
    await this.#fetch({
      grant_type: "authorization_code",
      code: answer.get("code") ?? "",
      redirect_uri: here(),
      code_verifier: begun.verifier,
    });
  }

  /** @param {Tokens} tokens */
  async #renewed(tokens) {
    if (!tokens.refresh) return tokens;
    await this.#fetch({ grant_type: "refresh_token", refresh_token: tokens.refresh }, tokens.refresh).catch(() => null);
    return this.#tokens();
  }

  /**
   * @param {Record<string, string>} question
   * @param {string | null} [refresh]
   */
  async #fetch(question, refresh = null) {
    const { client_id } = /** @type {SignIn} */ (this.signIn);
    const address = await this.#endpoint("token", "token_endpoint");
    const answer = await fetch(address, { method: "POST", body: new URLSearchParams({ ...question, client_id }) });
    if (!answer.ok) throw new Error("Signing in did not succeed: please try again.");
    const said = await answer.json();
    /** @type {Tokens} */
    const tokens = {
      token: said.id_token ?? said.access_token,
      refresh: said.refresh_token ?? refresh,
      until: Date.now() + (said.expires_in ?? 300) * 1000,
    };
    sessionStorage.setItem(TOKENS, JSON.stringify(tokens));
  }

  /** @returns {Tokens | null} */
  #tokens() {
    return JSON.parse(sessionStorage.getItem(TOKENS) ?? "null");
  }

  /**
   * @param {"authorize" | "token"} name
   * @param {string} discovered
   * @returns {Promise<string>}
   */
  async #endpoint(name, discovered) {
    const { issuer, [name]: known } = /** @type {SignIn} */ (this.signIn);
    if (known) return known;
    const answer = await fetch(`${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`);
    return (await answer.json())[discovered];
  }
}

const here = () => `${location.origin}${location.pathname}`;

/**
 * Tokens and codes do not stay in the address.
 * @param {string} hash
 */
const tidyAddress = (hash) => history.replaceState(null, "", `${location.pathname}${hash}`);

const random = () => encoded(crypto.getRandomValues(new Uint8Array(32)));

/** @param {string} verifier */
const challenge = async (verifier) =>
  encoded(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier))));

/** @param {Uint8Array} bytes */
const encoded = (bytes) =>
  btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
