/** Remarks on a file that do not stop its reading; the same remark is made once, with its places. */
import type { Diagnostic } from "../../base/errors.ts";

/** Messages list this many places of the same finding. */
export const MAX_LISTED = 8;

interface Finding {
  readonly id: string;
  readonly text: string;
  readonly places: number[];
  count: number;
}

export class Findings {
  readonly #byText = new Map<string, Finding>();

  /** `place` is a byte offset. */
  note(id: string, text: string, place: number): void {
    const key = `${id} ${text}`;
    const known = this.#byText.get(key);
    if (known === undefined) this.#byText.set(key, { id, text, places: [place], count: 1 });
    else {
      known.count += 1;
      if (known.places.length < MAX_LISTED) known.places.push(place);
    }
  }

  /** The remarks about a file of the given name and format. */
  diagnostics(name: string, format: string): Diagnostic[] {
    return [...this.#byText.values()].map(({ id, text, places, count }) => ({
      id: `${format}/${id}`,
      text: `${text} (${count === 1 ? "once" : `${count} times`})`,
      location: name,
      notes: places.map((place) => `at byte ${place}`),
    }));
  }
}
