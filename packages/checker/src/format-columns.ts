// SPDX-License-Identifier: MIT

/** What a piece of text is, for who colours it. */
export type TextRole = 'title' | 'head' | 'function' | 'note';
export type Paint = (role: TextRole, text: string) => string;

/** A line of one column. */
export interface Cell {
  readonly column: number;
  /** Stands left of all columns. */
  readonly label: string;
  readonly text: string;
  readonly role: TextRole | null;
  readonly indent: number;
}

const NARROWEST = 30;
const GAP = 2;

/** Lines of at most `width` characters, broken at blanks, within a word only when it is longer than that; all but the first indented by two more. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let rest = text;
  for (let room = width; rest.length > room; room = width - 2) {
    const blank = rest.lastIndexOf(' ', room);
    const end = blank > 0 ? blank : room;
    lines.push(rest.slice(0, end));
    rest = rest.slice(end).trimStart();
  }
  lines.push(rest);
  return lines.map((line, i) => (i === 0 ? line : `  ${line}`));
}

/**
 * Columns beside each other, a cell a row (several lines when it is long). Columns are as wide as they need to be; where the terminal is too
 * narrow for that they share it, and where there are too many of them they are left away: then each cell begins with the name of its column.
 */
export function columns(heads: readonly string[], cells: readonly Cell[], width: number, paint: Paint): string[] {
  const gutter = Math.max(...cells.map(({ label }) => label.length), 1) + 1;
  const wanted = heads.map((head, i) =>
    Math.max(head.length, ...cells.map((cell) => (cell.column === i ? cell.indent + cell.text.length : 0))),
  );
  const room = width - gutter - GAP * (heads.length - 1);
  if (room / heads.length < NARROWEST) return oneColumn(heads, cells, width, gutter, paint);
  const widths = share(wanted, room);
  const starts = widths.map((_, i) => gutter + widths.slice(0, i).reduce((sum, w) => sum + w + GAP, 0));
  const lines = [
    paint(
      'head',
      heads.reduce((line, head, i) => line.padEnd(starts[i]) + head, ''),
    ),
  ];
  for (const { column, label, text, role, indent } of cells) {
    wrap(text, widths[column] - indent).forEach((part, i) => {
      const left = (i === 0 ? label.padStart(gutter - 1) : '').padEnd(starts[column] + indent);
      lines.push(left + (role === null ? part : paint(role, part)));
    });
  }
  return lines;
}

/** Gives each what it wants as far as that is less than an equal share of what the others leave. */
function share(wanted: readonly number[], room: number): number[] {
  const widths: number[] = [];
  let left = room;
  const byWish = wanted.map((_, i) => i).sort((a, b) => wanted[a] - wanted[b]);
  byWish.forEach((column, i) => {
    widths[column] = Math.min(wanted[column], Math.floor(left / (wanted.length - i)));
    left -= widths[column];
  });
  return widths;
}

function oneColumn(
  heads: readonly string[],
  cells: readonly Cell[],
  width: number,
  gutter: number,
  paint: Paint,
): string[] {
  const names = Math.min(Math.max(...heads.map((head) => head.length)), Math.floor(width / 3));
  return cells.flatMap(({ column, label, text, role, indent }) => {
    const start = `${label.padStart(gutter - 1)} ${paint('head', heads[column].slice(0, names).padEnd(names))}  `;
    const left = ' '.repeat(gutter + names + 2);
    const lines = wrap(text, Math.max(NARROWEST, width - left.length - indent));
    return lines.map(
      (part, i) => (i === 0 ? start : left) + ' '.repeat(indent) + (role === null ? part : paint(role, part)),
    );
  });
}
