/** A static server for test pages, on the loopback interface only, with and without cross-origin isolation. */
import { readFile } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Folders by the first part of a path. */
const FOLDERS: Readonly<Record<string, string>> = {
  octavo: join(root, "dist"),
  flatbuffers: join(root, "node_modules", "flatbuffers", "mjs"),
  page: join(root, "test", "browser", "page"),
};

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".tflite": "application/octet-stream",
};

const ISOLATION = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

export interface Served {
  readonly origin: string;
  close(): Promise<void>;
}

/** Serves the built package, the test page and `files` (by path, "/model.tflite"). */
export async function servePages(
  files: ReadonlyMap<string, Uint8Array | string>,
  { isolated }: { readonly isolated: boolean },
): Promise<Served> {
  const server = createServer((request, response) => {
    const path = normalize(new URL(request.url ?? "/", "http://localhost").pathname);
    void answer(path, files, isolated ? ISOLATION : {}, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

async function answer(
  path: string,
  files: ReadonlyMap<string, Uint8Array | string>,
  headers: Readonly<Record<string, string>>,
  response: ServerResponse,
): Promise<void> {
  const body = files.get(path) ?? (await fileOf(path));
  if (body === undefined) {
    response.writeHead(404, headers).end("not found");
    return;
  }
  response.writeHead(200, { ...headers, "Content-Type": TYPES[extname(path)] ?? "text/plain" });
  response.end(body);
}

async function fileOf(path: string): Promise<Uint8Array | undefined> {
  const [, first = "", ...rest] = (path === "/index.html" ? "/page/index.html" : path).split("/");
  const folder = FOLDERS[first];
  if (folder === undefined) return undefined;
  try {
    return await readFile(join(folder, ...rest));
  } catch {
    return undefined;
  }
}
