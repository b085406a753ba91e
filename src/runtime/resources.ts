/** Resource variables, hash tables and marks of what has run, of one interpreter, found by name and addressed by handle. */
import type { ResourceStore } from "../kernels/kernel.ts";

/** Makes an empty store. Handles count up from 1; 0 is what an unset resource tensor holds. */
export function createResourceStore(): ResourceStore & { clear(): void } {
  const handles = new Map<string, number>();
  const values = new Map<number, unknown>();
  return {
    handleOf(kind, name) {
      const key = `${kind} ${name}`;
      let handle = handles.get(key);
      if (handle === undefined) {
        handle = handles.size + 1;
        handles.set(key, handle);
      }
      return handle;
    },
    get: (handle) => values.get(handle),
    set(handle, value) {
      values.set(handle, value);
    },
    clear: () => values.clear(),
  };
}
