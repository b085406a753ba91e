import { existsSync } from "node:fs";
import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  truncate,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { IoError } from "../base/errors.ts";
import { fileSink } from "./file-sink.ts";
import { openFile, readWholeFile } from "./file-source.ts";
import { fileTree } from "./file-tree.ts";

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "octavo-files-"));
  await writeFile(
    join(folder, "ten"),
    Uint8Array.from({ length: 10 }, (_, index) => index),
  );
  await mkdir(join(folder, "sub", "deeper"), { recursive: true });
  await writeFile(join(folder, "sub", "b"), "b");
  await writeFile(join(folder, "sub", "a"), "a");
  await symlink("a", join(folder, "sub", "link"));
  await symlink("nowhere", join(folder, "sub", "broken"));
});

afterAll(() => rm(folder, { recursive: true }));

describe("openFile", () => {
  it("reads just the range that is asked for", async () => {
    const source = await openFile(join(folder, "ten"));
    expect(source.byteLength).toBe(10);
    expect(await source.read(3, 6)).toEqual(new Uint8Array([3, 4, 5]));
    expect(await source.read(10, 10)).toEqual(new Uint8Array(0));
    await expect(source.read(3, 11)).rejects.toThrow("expected a range within 10 bytes");
    await expect(source.read(Number.NaN, 2)).rejects.toThrow(IoError);
    await source.close();
  });

  it("says what is wrong with a path", async () => {
    await expect(openFile(join(folder, "none"))).rejects.toThrow(/none: no such file or folder/);
    await expect(openFile(folder)).rejects.toThrow(/a folder, expected a file/);
    await expect(openFile(join(folder, "ten", "x"))).rejects.toThrow(IoError);
  });

  it("notices a file that shrinks while it is read", async () => {
    const path = join(folder, "shrinking");
    await writeFile(path, "0123456789");
    const source = await openFile(path);
    await truncate(path, 4);
    await expect(source.read(0, 10)).rejects.toThrow("the file ends at byte 4");
    await source.close();
  });

  it("reads a whole file", async () => {
    expect(await readWholeFile(join(folder, "ten"))).toHaveLength(10);
  });
});

describe("fileSink", () => {
  const namesAt = async (name: string) =>
    (await readdir(folder)).filter((file) => file.includes(name));

  it("shows the file only when it is committed, and leaves no other", async () => {
    const sink = await fileSink(join(folder, "out"));
    expect(await namesAt("out")).toEqual([]);
    await sink.write(new Uint8Array([1, 2]));
    await sink.write(new Uint8Array([3]));
    expect(existsSync(join(folder, "out"))).toBe(false);
    await sink.commit();
    expect([...(await readFile(join(folder, "out")))]).toEqual([1, 2, 3]);
    await sink.abort();
    expect(await namesAt("out")).toEqual(["out"]);
  });

  it("keeps the old file when the new one is given up", async () => {
    await writeFile(join(folder, "kept"), "old");
    const sink = await fileSink(join(folder, "kept"));
    await sink.write(new Uint8Array(100));
    await sink.abort();
    await sink.abort();
    expect(await readFile(join(folder, "kept"), "utf8")).toBe("old");
    expect(await namesAt("kept")).toEqual(["kept"]);
  });

  it("writes through a link", async () => {
    await writeFile(join(folder, "target"), "old");
    await symlink("target", join(folder, "alias"));
    const sink = await fileSink(join(folder, "alias"));
    await sink.write(new TextEncoder().encode("new"));
    await sink.commit();
    expect(await readFile(join(folder, "target"), "utf8")).toBe("new");
  });

  it("commits an empty file", async () => {
    const sink = await fileSink(join(folder, "nothing"));
    await sink.commit();
    expect(await readFile(join(folder, "nothing"))).toHaveLength(0);
  });

  it("refuses at once a place that cannot be written", async () => {
    await expect(fileSink(join(folder, "none", "out"))).rejects.toThrow(IoError);
    await expect(fileSink(join(folder, "ten", "out"))).rejects.toThrow(IoError);
    await expect(fileSink(folder)).rejects.toThrow("a folder, expected a file to write");
  });

  it.runIf(existsSync("/dev/full"))("reports a full disk", async () => {
    const sink = await fileSink("/dev/full");
    await expect(sink.write(new Uint8Array(10))).rejects.toThrow(
      "/dev/full: no space left on the device. Free some space or choose another place.",
    );
  });
});

describe("fileTree", () => {
  it("opens files and lists folders", async () => {
    const tree = fileTree(folder);
    const source = await tree.open("sub/a");
    expect(await source?.read(0, 1)).toEqual(new TextEncoder().encode("a"));
    await source?.close?.();
    expect(await tree.list("sub")).toEqual(["a", "b", "link"]);
    expect(await tree.open("sub/none")).toBeUndefined();
    expect(await tree.open("ten/none")).toBeUndefined();
    expect(await tree.open("sub")).toBeUndefined();
    expect(await tree.list("none")).toEqual([]);
  });

  it("does not leave the folder", async () => {
    const tree = fileTree(join(folder, "sub"));
    for (const path of ["../ten", "x/../../ten", "/etc/passwd", "C:\\x", "..\\ten", "a\0"]) {
      await expect(tree.open(path)).rejects.toThrow(IoError);
    }
  });

  it("says when the folder itself is not there", async () => {
    const tree = fileTree(join(folder, "missing"));
    await expect(tree.open("saved_model.pb")).rejects.toThrow(/missing: no such file or folder/);
    await expect(tree.list("")).rejects.toThrow(IoError);
    await expect(fileTree(join(folder, "ten")).open("x")).rejects.toThrow(
      "a file, expected a folder",
    );
  });
});
