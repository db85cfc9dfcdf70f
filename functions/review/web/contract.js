// The parts of openapi.yaml that the page speaks of.

/**
 * @typedef {string | number | boolean | null} Value
 * @typedef {{ code: string, task: string | null, detail: string | null }} Reason
 * @typedef {{ code: string, detail: string | null, count: number }} ReasonCount
 * @typedef {{ task: string, pointer: string, machine: Value, value: Value, by: string, at: string }} Correction
 * @typedef {{ task: string, pointer: string, value: Value }} Said
 * @typedef {{ version: number, corrections: Correction[], saved: string | null, by: string | null }} PageReview
 * @typedef {"doubtful" | "sure" | "accepted" | "corrected"} State
 * @typedef {"field" | "text" | "line" | "table" | "latex"} Kind
 */

/**
 * @typedef {object} Field
 * @property {string} task
 * @property {string} pointer
 * @property {string} name
 * @property {Kind} kind
 * @property {Value} machine
 * @property {Value} value
 * @property {number | null} confidence
 * @property {Reason[]} reasons
 * @property {number[] | null} box
 * @property {State} state
 */

/**
 * @typedef {object} Review
 * @property {"none" | "waiting" | "claimed" | "done"} state
 * @property {ReasonCount[]} reasons
 * @property {number[]} pages
 * @property {string | null} claimed_by
 * @property {string | null} claimed_until
 * @property {boolean} mine
 * @property {string | null} reviewed
 * @property {string | null} reviewed_by
 * @property {number} corrections
 */

/**
 * @typedef {object} Page
 * @property {string} document_id
 * @property {string} name
 * @property {number} page
 * @property {number} pages
 * @property {string} status
 * @property {{ url: string, expires: string, width: number | null, height: number | null } | null} image
 * @property {Record<string, { fields?: unknown }>} results  by task
 * @property {Field[]} fields
 * @property {Reason[]} reasons
 * @property {PageReview} review
 * @property {Review} document_review
 */

/**
 * @typedef {object} Summary
 * @property {string} id
 * @property {string} name
 * @property {string | null} profile
 * @property {string} status
 * @property {string} started
 * @property {string | null} ended
 * @property {number} pages
 * @property {Review} review
 */

/** @typedef {{ review: PageReview, fields: Field[], reasons: Reason[] }} Saved */

/**
 * @typedef {object} SignIn
 * @property {string} issuer
 * @property {string} client_id
 * @property {string | null} authorize
 * @property {string | null} token
 * @property {string | null} sign_out
 * @property {string} scope
 */

export {};
