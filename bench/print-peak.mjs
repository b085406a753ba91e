// Loaded before a program (`node --import`): writes the process's peak memory in bytes to the file that
// PEAK_FILE names when the program ends. Linux and macOS count `maxRSS` in kilobytes here.
import { writeFileSync } from "node:fs";

process.on("exit", () => {
  const file = process.env.PEAK_FILE;
  if (file !== undefined) writeFileSync(file, String(process.resourceUsage().maxRSS * 1024));
});
