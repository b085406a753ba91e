/** The zip archive of a `.keras` file: its members, one at a time, with limits on what they may unfold to. */
import { unzipSync } from "fflate";
import { FormatError, LimitError } from "../../base/errors.ts";

/** Most bytes out for one byte in. Deflate can reach 1032; weights and configurations stay below 20. */
const MAX_EXPANSION = 200;

/**
 * Reads one member; undefined when the archive does not have it.
 *
 * @throws {FormatError} when the archive is damaged.
 * @throws {LimitError} when the member claims to unfold to more than 200 times the archive.
 */
export function readMember(
  archive: Uint8Array,
  name: string,
  where: string,
): Uint8Array | undefined {
  const max = archive.length * MAX_EXPANSION;
  let members: Record<string, Uint8Array>;
  try {
    members = unzipSync(archive, {
      filter(file) {
        if (file.name !== name) return false;
        if (file.originalSize <= max) return true;
        throw new LimitError({
          where: `${where}, ${name}`,
          found: `${file.originalSize} bytes in an archive of ${archive.length}`,
          expected: `at most ${max}`,
          limit: "size of an archive member",
          value: file.originalSize,
          max,
        });
      },
    });
  } catch (cause) {
    if (cause instanceof LimitError) throw cause;
    throw new FormatError({
      format: "keras",
      where: `${where}, ${name}`,
      found: cause instanceof Error ? cause.message : String(cause),
      expected: "a whole zip archive",
      remedy: "Copy or save the model again",
      cause,
    });
  }
  return Object.hasOwn(members, name) ? members[name] : undefined;
}
