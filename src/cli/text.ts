/** Tables and numbers for people, JSON for programs. */

/**
 * Lays out rows in columns two spaces apart. The first row is the heading. Columns after the first whose cells below
 * it all look like numbers are aligned to the right.
 */
export function textTable(rows: readonly (readonly string[])[]): string {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const layout = Array.from({ length: columns }, (_, column) => {
    const cells = rows.map((row) => row[column] ?? "");
    const width = Math.max(...cells.map((cell) => cell.length));
    const isNumeric = column > 0 && cells.slice(1).every((cell) => /^–?$|^[-+]?[\d.]/.test(cell));
    return { width, isNumeric };
  });
  const line = (row: readonly string[]): string =>
    layout
      .map(({ width, isNumeric }, column) => {
        const cell = row[column] ?? "";
        return isNumeric ? cell.padStart(width) : cell.padEnd(width);
      })
      .join("  ")
      .trimEnd();
  return rows.map(line).join("\n");
}

/** Prints a byte count with three digits or so: `940 B`, `69.9 kB`, `13.6 MB`, `1.9 GB` (powers of 1000). */
export function byteText(byteLength: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = byteLength;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 99.95 ? value.toFixed(0) : value.toFixed(1)} ${units[unit]}`;
}

/** Prints a share as a percentage: `26.4 %`. */
export function percentText(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

/** Shortens a long name in the middle: the ends of tensor names tell them apart. */
export function shortName(name: string, length = 48): string {
  if (name.length <= length) return name;
  const head = Math.floor((length - 1) / 3);
  return `${name.slice(0, head)}…${name.slice(name.length - (length - 1 - head))}`;
}

/** Prints a number with three significant digits. */
export function numberText(value: number): string {
  return Number(value.toPrecision(3)).toString();
}

/** JSON that also takes maps, typed arrays, 64-bit integers (as text) and non-finite numbers (as text). */
export function jsonText(document: unknown): string {
  return JSON.stringify(document, jsonValue, 2);
}

function jsonValue(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  if (value instanceof Map) return Object.fromEntries(value);
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
    return Array.from(value as unknown as ArrayLike<number | bigint>);
  }
  return value;
}
