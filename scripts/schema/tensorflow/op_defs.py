"""Writes src/graph/op-defs.gen.ts: inputs, outputs, attributes and default values of TensorFlow operations.

Facts are read from the registry of an installed TensorFlow (2.21.0 was used); which operations, op-names.txt says.

    python scripts/schema/tensorflow/op_defs.py
"""

import json
import pathlib

from tensorflow.core.framework import types_pb2
from tensorflow.python.framework import op_def_registry

HERE = pathlib.Path(__file__).resolve().parent
TARGET = HERE.parents[2] / "src" / "graph" / "op-defs.gen.ts"

# Names of element types as src/base/dtype.ts spells them.
DTYPES = {
    "DT_FLOAT": "float32", "DT_DOUBLE": "float64", "DT_INT32": "int32", "DT_UINT8": "uint8", "DT_INT16": "int16",
    "DT_INT8": "int8", "DT_STRING": "string", "DT_COMPLEX64": "complex64", "DT_INT64": "int64", "DT_BOOL": "bool",
    "DT_QINT8": "int8", "DT_QUINT8": "uint8", "DT_QINT32": "int32", "DT_BFLOAT16": "bfloat16", "DT_UINT16": "uint16",
    "DT_COMPLEX128": "complex128", "DT_HALF": "float16", "DT_RESOURCE": "resource", "DT_VARIANT": "variant",
    "DT_UINT32": "uint32", "DT_UINT64": "uint64",
}


def dtype(number: int) -> str:
    return DTYPES[types_pb2.DataType.Name(number)]


def argument(arg) -> str:
    """name:type, name:typeAttr, name:countAttr*type, name:[]listAttr; & marks a reference."""
    if arg.type_list_attr:
        return f"{arg.name}:[]{arg.type_list_attr}"
    element = arg.type_attr or dtype(arg.type)
    count = f"{arg.number_attr}*" if arg.number_attr else ""
    reference = "&" if arg.is_ref else ""
    return f"{arg.name}:{count}{reference}{element}"


def shape(value):
    return None if value.unknown_rank else [dim.size for dim in value.dim]


def default(attr):
    value = attr.default_value
    kind = value.WhichOneof("value")
    if kind == "list":
        lists = value.list
        return [
            *[item.decode() for item in lists.s], *lists.i, *[round(f, 9) for f in lists.f], *lists.b,
            *[dtype(t) for t in lists.type], *[shape(s) for s in lists.shape],
        ]
    return {
        "s": lambda: value.s.decode(), "i": lambda: value.i, "f": lambda: float(f"{value.f:.7g}"),
        "b": lambda: value.b, "type": lambda: dtype(value.type), "shape": lambda: shape(value.shape),
        "func": lambda: value.func.name,
    }[kind]()


def has_plain_default(attr) -> bool:
    return attr.HasField("default_value") and attr.default_value.WhichOneof("value") != "tensor"


def row(op) -> list:
    attrs = {
        attr.name: [attr.type, default(attr)] if has_plain_default(attr) else attr.type for attr in op.attr
    }
    return [op.name, [argument(a) for a in op.input_arg], [argument(a) for a in op.output_arg], attrs]


def main() -> None:
    names = (HERE / "op-names.txt").read_text().split()
    rows = [row(op_def_registry.get(name)) for name in sorted(set(names))]
    lines = "".join(f"  {json.dumps(r, separators=(', ', ': '))},\n" for r in rows)
    TARGET.write_text(
        "// Made by scripts/schema/tensorflow/op_defs.py from the registry of TensorFlow 2.21.0. Do not edit.\n"
        'import type { OpRow } from "./op-row.ts";\n\n'
        "export const OP_ROWS: readonly OpRow[] = [\n" + lines + "];\n"
    )


if __name__ == "__main__":
    main()
