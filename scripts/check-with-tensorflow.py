"""Runs .tflite files in TensorFlow's own interpreter and compares what they compute.

Run:  python scripts/check-with-tensorflow.py FILE... [options]      (needs tensorflow-cpu==2.21.0)

  FILE               loads, allocates and runs on seeded random inputs; with nothing to compare, that is the check
  FILE=ORIGINAL      both run on the same inputs; outputs must agree, or both must fail with the same message
  --input X.npy      input of every FILE, in order, instead of random ones (repeat for each input)
  --expect Y.npy     expected output of every FILE, in order (repeat for each output)
  --tolerance T      allowed difference, relative to the output's largest value (default 0: the same bytes)
  --runs N           invocations in a row, states kept (default 2)
  --engine builtin|reference|xnnpack
  --from LIST        more FILE or FILE=ORIGINAL entries, one a line

Prints one line a file and a summary; the exit code is 1 when anything failed.
"""

import argparse
import multiprocessing
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import numpy as np
import tensorflow as tf

SEED = 5
ENGINES = {
    "builtin": tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    "reference": tf.lite.experimental.OpResolverType.BUILTIN_REF,
    "xnnpack": tf.lite.experimental.OpResolverType.AUTO,
}


def load(path, engine):
    interpreter = tf.lite.Interpreter(model_path=path, experimental_op_resolver_type=ENGINES[engine], num_threads=1)
    interpreter.allocate_tensors()
    return interpreter


def random_inputs(interpreter):
    """One array an input: normal floats, small integers, spread over the range for 8 and 16 bits."""
    rng = np.random.default_rng(SEED)
    arrays = []
    for detail in interpreter.get_input_details():
        shape, dtype = detail["shape"], np.dtype(detail["dtype"])
        if dtype.kind == "f":
            arrays.append(rng.normal(size=shape).astype(dtype))
        elif dtype.kind == "b":
            arrays.append(rng.integers(0, 2, size=shape).astype(dtype))
        elif dtype.kind in "iu":
            limits = np.iinfo(dtype)
            low, high = (limits.min, limits.max) if dtype.itemsize < 4 else (0, 4)
            arrays.append(rng.integers(low, high, size=shape, endpoint=dtype.itemsize < 4).astype(dtype))
        else:
            arrays.append(rng.choice([b"", b"a", b"some words"], size=shape))
    return arrays


def run(interpreter, inputs, runs):
    """Outputs of each invocation, in the order of the model's outputs."""
    results = []
    for _ in range(runs):
        for detail, array in zip(interpreter.get_input_details(), inputs, strict=True):
            interpreter.set_tensor(detail["index"], array)
        interpreter.invoke()
        results.append([interpreter.get_tensor(d["index"]).copy() for d in interpreter.get_output_details()])
    return results


def difference(actual, expected):
    """The largest absolute difference divided by the largest expected value; 0 for the same bytes, NaNs included."""
    if actual.dtype != expected.dtype or actual.shape != expected.shape:
        return np.inf
    if actual.dtype.kind not in "fiubc":
        return 0.0 if np.array_equal(actual, expected) else np.inf
    if actual.tobytes() == expected.tobytes():
        return 0.0
    wide = np.complex128 if actual.dtype.kind == "c" else np.float64
    a, e = actual.astype(wide), expected.astype(wide)
    if (np.isnan(a) != np.isnan(e)).any():
        return np.inf
    with np.errstate(invalid="ignore"):
        gap = np.nan_to_num(np.abs(np.where(a == e, 0, a - e)), nan=0.0, posinf=np.inf)
    largest = np.nanmax(np.abs(e), initial=0.0)
    return float(gap.max(initial=0.0) / largest) if largest > 0 else float(gap.max(initial=0.0))


def worst(actual, expected):
    if any(len(a) != len(e) for a, e in zip(actual, expected, strict=True)):
        return np.inf
    pairs = [pair for a, e in zip(actual, expected, strict=True) for pair in zip(a, e, strict=True)]
    return max((difference(a, e) for a, e in pairs), default=0.0)


def outcome(path, options):
    """("ok", outputs) or ("fails", message) of running the file in a process of its own, which may crash."""
    receiver, sender = multiprocessing.Pipe(duplex=False)

    def attempt():
        try:
            interpreter = load(path, options.engine)
            inputs = [np.load(name) for name in options.input] or random_inputs(interpreter)
            sender.send(("ok", run(interpreter, inputs, options.runs)))
        except (RuntimeError, ValueError, OSError) as error:
            sender.send(("fails", str(error).splitlines()[0]))

    process = multiprocessing.get_context("fork").Process(target=attempt)
    process.start()
    sender.close()
    try:
        result = receiver.recv()
    except EOFError:
        result = ("fails", "the interpreter crashes")
    process.join()
    return result


def check(entry, options):
    """Returns what to print, and whether it is a failure."""
    path, _, original = entry.partition("=")
    state, outputs = outcome(path, options)
    if original:
        expected_state, expected = outcome(original, options)
        if state == "fails" and expected_state == "fails" and outputs == expected:
            return f"fails like the original: {outputs[:80]}", False
        if state == "fails" or expected_state == "fails":
            return f"{outputs if state == 'fails' else 'runs'}; original: {expected if expected_state == 'fails' else 'runs'}", True
    elif state == "fails":
        return outputs, True
    elif options.expect:
        expected, outputs = [[np.load(name) for name in options.expect]], outputs[:1]
    else:
        return "runs", False
    gap = worst(outputs, expected)
    return f"differs by {gap:.3g}" if gap else "same", gap > options.tolerance


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("entries", nargs="*", metavar="FILE[=ORIGINAL]")
    parser.add_argument("--input", action="append", default=[])
    parser.add_argument("--expect", action="append", default=[])
    parser.add_argument("--tolerance", type=float, default=0.0)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--engine", choices=ENGINES, default="builtin")
    parser.add_argument("--from", dest="list")
    options = parser.parse_args()
    entries = list(options.entries)
    if options.list:
        with open(options.list, encoding="utf8") as lines:
            entries += [line.strip() for line in lines if line.strip()]
    failures = 0
    for entry in entries:
        text, failed = check(entry, options)
        failures += failed
        print(f"{'FAIL' if failed else 'ok  '} {entry.partition('=')[0]}: {text}", flush=True)
    print(f"{len(entries) - failures} of {len(entries)} ok")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
