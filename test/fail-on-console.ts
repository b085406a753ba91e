/** Run before every test file: the library never prints, so a call of `console` while a test runs is a failure. */
for (const method of ["debug", "error", "info", "log", "trace", "warn"] as const) {
  console[method] = (...args: unknown[]): void => {
    throw new Error(`console.${method} was called with ${args.map(String).join(" ")}`);
  };
}
