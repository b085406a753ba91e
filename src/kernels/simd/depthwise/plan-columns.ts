/**
 * Which output pixels of a row see the whole kernel, and which lose columns at the left or right border; and which input
 * columns neighbouring pixels share.
 */

/** A border pixel: kernel columns [first, first + count) lie inside the image. */
export interface EdgePixel {
  readonly x: number;
  readonly first: number;
  readonly count: number;
}

export interface ColumnPlan {
  readonly edges: readonly EdgePixel[];
  /** Output pixels [innerStart, innerStart + innerCount) see all kernel columns. */
  readonly innerStart: number;
  readonly innerCount: number;
}

export interface ColumnGeometry {
  readonly inputWidth: number;
  readonly outputWidth: number;
  readonly kernelWidth: number;
  readonly strideWidth: number;
  readonly dilationWidth: number;
  readonly padLeft: number;
}

/** Splits one output row. Pixels whose kernel lies wholly outside get an edge with count 0. */
export function planColumns(g: ColumnGeometry): ColumnPlan {
  const edges: EdgePixel[] = [];
  let [innerStart, innerCount] = [0, 0];
  for (let x = 0; x < g.outputWidth; x++) {
    const origin = x * g.strideWidth - g.padLeft;
    // Kernel columns k with 0 ≤ origin + k · dilation < inputWidth.
    const first = Math.min(Math.max(Math.ceil(-origin / g.dilationWidth), 0), g.kernelWidth);
    const end = Math.min(Math.ceil((g.inputWidth - origin) / g.dilationWidth), g.kernelWidth);
    const count = Math.max(end - first, 0);
    if (count === g.kernelWidth) {
      if (innerCount === 0) innerStart = x;
      innerCount++;
    } else {
      edges.push({ x, first: count === 0 ? 0 : first, count });
    }
  }
  return { edges, innerStart, innerCount };
}

/** An input column that a group of pixels reads. */
export interface InputColumn {
  /** Pixels from the last such column to this one; 0 for the first. */
  readonly step: number;
  /** Which pixels take it, and as which kernel column. */
  readonly uses: readonly (readonly [pixel: number, x: number])[];
}

/** The input columns that a group of pixels reads, from left to right. */
export function columnsOf(
  g: Pick<ColumnGeometry, "strideWidth" | "dilationWidth">,
  pixels: number,
  kernelWidth: number,
): readonly InputColumn[] {
  const columns = new Map<number, [number, number][]>();
  for (let pixel = 0; pixel < pixels; pixel++) {
    for (let x = 0; x < kernelWidth; x++) {
      const column = pixel * g.strideWidth + x * g.dilationWidth;
      columns.set(column, [...(columns.get(column) ?? []), [pixel, x]]);
    }
  }
  let last = 0;
  return [...columns]
    .sort(([a], [b]) => a - b)
    .map(([column, uses]) => {
      const step = column - last;
      last = column;
      return { step, uses };
    });
}
