// Loaded before a program (`node --import`): writes the process's peak memory in bytes and its processor time in
// milliseconds, as JSON, to the file that PEAK_FILE names when the program ends. Linux and macOS count `maxRSS` in
// kilobytes here.
import { writeFileSync } from "node:fs";

process.on("exit", () => {
  const file = process.env.PEAK_FILE;
  if (file === undefined) return;
  const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
  const cpuMs = Math.round((userCPUTime + systemCPUTime) / 1e3);
  writeFileSync(file, JSON.stringify({ peakBytes: maxRSS * 1024, cpuMs }));
});
