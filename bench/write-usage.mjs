// Loaded before a program (`node --import`): when it ends, writes what the process used to the file that USAGE_FILE names,
// as JSON: peak memory in bytes (`maxRSS` counts kilobytes) and processor time in milliseconds.
import { writeFileSync } from "node:fs";

process.on("exit", () => {
  const file = process.env.USAGE_FILE;
  if (file === undefined) return;
  const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
  const usage = { peakBytes: maxRSS * 1024, cpuMs: (userCPUTime + systemCPUTime) / 1000 };
  writeFileSync(file, JSON.stringify(usage));
});
