/** Octavo's public API. */
export { isOctavoError, OctavoError } from "./base/errors.ts";
