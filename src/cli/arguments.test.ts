import { InvalidArgumentError } from "commander";
import { describe, expect, it } from "vitest";
import { UsageError } from "../base/errors.ts";
import { checkNames, inputShape, namedFile, nameList, wholeNumber } from "./arguments.ts";

describe("option values", () => {
  it("reads shapes with and without a name", () => {
    expect(inputShape("1,224,224,3")).toEqual([{ name: undefined, value: [1, 224, 224, 3] }]);
    expect(inputShape("image=8, 224")).toEqual([{ name: "image", value: [8, 224] }]);
    expect(inputShape("serving/x:0=4")).toEqual([{ name: "serving/x:0", value: [4] }]);
  });

  it("reads an empty list as the shape of a scalar", () => {
    expect(inputShape("step=")).toEqual([{ name: "step", value: [] }]);
    expect(inputShape("")).toEqual([{ name: undefined, value: [] }]);
  });

  it("appends to the values given earlier, in order", () => {
    const first = inputShape("a=1");
    expect(inputShape("b=2", first).map(({ name }) => name)).toEqual(["a", "b"]);
  });

  it.each(["1,x", "1,,2", "-1,2", "1.5", "=1,2", "x=99999999999"])(
    "rejects the shape %s",
    (text) => {
      expect(() => inputShape(text)).toThrow(InvalidArgumentError);
    },
  );

  it("splits NAME=FILE at the first equals sign", () => {
    expect(namedFile("x=a=b.npy")).toEqual([{ name: "x", value: "a=b.npy" }]);
    expect(namedFile("a.npy")).toEqual([{ name: undefined, value: "a.npy" }]);
  });

  it.each(["", "x=", "=a.npy"])("rejects the file %j", (text) => {
    expect(() => namedFile(text)).toThrow(InvalidArgumentError);
  });

  it("reads lists of names", () => {
    expect(nameList("serve, gpu")).toEqual(["serve", "gpu"]);
    expect(() => nameList("serve,,gpu")).toThrow(InvalidArgumentError);
  });

  it.each(["", "1.5", "-1", "1e3", "two", "0"])(
    "rejects %j as a whole number of at least 1",
    (text) => {
      expect(() => wholeNumber(1)(text)).toThrow(InvalidArgumentError);
    },
  );
});

describe("repeated options", () => {
  it("have a name for each value or for none", () => {
    expect(() => checkNames("--input", namedFile("b.npy", namedFile("a.npy")))).not.toThrow();
    expect(() => checkNames("--input", namedFile("y=b", namedFile("x=a")))).not.toThrow();
    expect(() => checkNames("--input", namedFile("b", namedFile("x=a")))).toThrow(UsageError);
  });

  it("name nothing twice", () => {
    expect(() => checkNames("--input", namedFile("x=b", namedFile("x=a")))).toThrow(/"x"/);
  });
});
