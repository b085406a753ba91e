/** Comma-separated values as RFC 4180 describes them: quoted fields may hold commas, line ends and doubled quotes. */
import { FormatError } from "../base/errors.ts";

/**
 * Splits text into rows of fields. Empty lines are left out; so is a byte order mark.
 * @throws {FormatError} for a quoted field that does not end, or goes on after its closing quote
 */
export function parseCsv(text: string, name = "csv"): string[][] {
  const field = /"((?:[^"]|"")*)"|([^",\r\n]*)/y;
  const rows: string[][] = [];
  let row: string[] = [];
  let position = text.startsWith("\uFEFF") ? 1 : 0;
  while (position < text.length) {
    field.lastIndex = position;
    const match = field.exec(text);
    position = field.lastIndex;
    const separator = text[position];
    if (match === null || !(separator === undefined || ",\r\n".includes(separator))) {
      throw new FormatError({
        where: `${name} line ${rows.length + 1}`,
        found: "a quotation mark out of place",
        expected: 'fields such as one or "one, two"',
        format: "csv",
        byteOffset: position,
      });
    }
    row.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? "");
    position++;
    if (separator === "," && position < text.length) continue;
    if (separator === ",") row.push("");
    if (row.some((cell) => cell !== "")) rows.push(row);
    row = [];
  }
  return rows;
}
