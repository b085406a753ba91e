// Checks that the documentation tells the truth: every public export and every public member of an exported class has
// a docstring; every `octavo` and `npm run` line in a document names commands and options that exist; every relative
// link leads somewhere; the folder tables list the folders that are there.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const root = fileURLToPath(new URL("..", import.meta.url));
const problems = [];
const documents = execFileSync("git", ["ls-files", "-co", "--exclude-standard", "*.md"], {
  cwd: root,
  encoding: "utf8",
})
  .trim()
  .split("\n")
  .filter((path) => existsSync(join(root, path)));

function checkDocstrings() {
  for (const name of ["index.d.ts", "runtime/index.d.ts"]) checkEntry(name);
}

function checkEntry(file) {
  const entry = join(root, "dist", file);
  const program = ts.createProgram([entry], {
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ES2023,
  });
  const checker = program.getTypeChecker();
  const isDocumented = (symbol) => symbol.getDocumentationComment(checker).length > 0;
  const exported = checker.getExportsOfModule(
    checker.getSymbolAtLocation(program.getSourceFile(entry)),
  );
  for (const name of exported) {
    const symbol = name.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(name) : name;
    if (!isDocumented(symbol)) problems.push(`${file}: export ${name.name} has no docstring`);
    if (symbol.flags & ts.SymbolFlags.Class) {
      for (const member of [...symbol.members.values(), ...symbol.exports.values()]) {
        if (isPublicMethod(member) && !isDocumented(member)) {
          problems.push(`${file}: ${name.name}.${member.name} has no docstring`);
        }
      }
    }
  }
}

function isPublicMethod(symbol) {
  const isMember = symbol.flags & (ts.SymbolFlags.Method | ts.SymbolFlags.Accessor);
  const declaration = symbol.declarations?.[0];
  return (
    isMember &&
    declaration !== undefined &&
    (ts.getCombinedModifierFlags(declaration) & ts.ModifierFlags.Private) === 0
  );
}

/** The shell lines of a document: fenced blocks marked sh, without prompts, comments and continuation marks. */
function shellLines(text) {
  const blocks = [...text.matchAll(/^```sh\n([\s\S]*?)^```/gm)].map(([, body]) => body);
  return blocks
    .flatMap((body) => body.replaceAll("\\\n", " ").split("\n"))
    .map((line) =>
      line
        .replace(/^\$ /, "")
        .replace(/\s#.*$/, "")
        .trim(),
    )
    .filter((line) => line !== "");
}

function checkCommands() {
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const helpOf = helpReader();
  for (const path of documents) {
    for (const line of shellLines(readFileSync(join(root, path), "utf8"))) {
      const words = line.split(/\s+/);
      if (words[0] === "npm" && (words[1] === "run" || words[1] === "test")) {
        const script = words[1] === "run" ? words[2] : "test";
        if (!(script in scripts)) problems.push(`${path}: "${line}": no script ${script}`);
      }
      const start = words[0] === "npx" ? 1 : 0;
      if (words[start] === "octavo") checkOctavoLine(path, line, words.slice(start + 1), helpOf);
    }
  }
}

function helpReader() {
  const cache = new Map();
  return (command) => {
    if (!cache.has(command)) {
      const args = [
        join(root, "dist", "cli", "main.js"),
        ...(command === "" ? [] : [command]),
        "--help",
      ];
      cache.set(command, execFileSync(process.execPath, args, { encoding: "utf8" }));
    }
    return cache.get(command);
  };
}

function checkOctavoLine(path, line, words, helpOf) {
  const command = words[0]?.startsWith("-") ? "" : (words[0] ?? "");
  if (command !== "" && !new RegExp(`^  ${command}\\b`, "m").test(helpOf(""))) {
    problems.push(`${path}: "${line}": no command ${command}`);
    return;
  }
  for (const word of words.filter((text) => /^--?[a-z]/i.test(text))) {
    const option = word.replace(/=.*/, "");
    if (!new RegExp(`(^|[\\s,])${option}\\b`).test(helpOf(command))) {
      problems.push(`${path}: "${line}": no option ${option}`);
    }
  }
}

function checkLinks() {
  for (const path of documents) {
    const text = readFileSync(join(root, path), "utf8").replace(/^```[\s\S]*?^```/gm, "");
    for (const [, target] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:|^#/.test(target)) continue;
      const file = join(root, dirname(path), target.replace(/#.*/, ""));
      if (!existsSync(file)) problems.push(`${path}: link to ${target}, which does not exist`);
    }
  }
}

function checkFolders() {
  const text = readFileSync(join(root, "docs", "architecture.md"), "utf8");
  const listed = [...text.matchAll(/^\| `([a-z]+)\/`/gm)].map(([, name]) => name);
  const named = new Set([...text.matchAll(/`([a-z]+)\/`/g)].map(([, name]) => name));
  const folders = readdirSync(join(root, "src"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
  for (const name of folders) {
    if (!named.has(name)) problems.push(`docs/architecture.md: says nothing of src/${name}/`);
  }
  for (const name of listed) {
    if (!folders.includes(name))
      problems.push(`docs/architecture.md: lists src/${name}/, which does not exist`);
  }
}

checkDocstrings();
checkCommands();
checkLinks();
checkFolders();
for (const problem of problems) console.error(problem);
console.log(`${documents.length} documents checked, ${problems.length} problems`);
if (problems.length > 0) process.exitCode = 1;
