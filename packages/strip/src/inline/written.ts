// SPDX-License-Identifier: MIT
import type { DecodedSourceMap } from '@jridgewell/remapping';

/** A bit of a text that is written anew: itself, and the offset in the text before that it comes from. */
export interface Piece {
  readonly text: string;
  readonly at: number;
  /** It stands there letter by letter; otherwise all of it stems from what begins at `at`. */
  readonly copied: boolean;
}

const NAMES = /[\w$]+/g;

/** Puts pieces together, with a map to the text before, whose name is `source`. */
export function assemble(
  pieces: readonly Piece[],
  before: string,
  source: string,
): { code: string; map: DecodedSourceMap } {
  const lineStarts = [0, ...[...before.matchAll(/\n/g)].map(({ index }) => index + 1)];
  const mappings: [number, number, number, number][][] = [[]];
  let column = 0;
  let hint = 0;
  const mark = (at: number): void => {
    hint = lineOf(lineStarts, at, hint);
    mappings[mappings.length - 1].push([column, 0, hint, at - lineStarts[hint]]);
  };
  for (const { text, at, copied } of pieces) {
    let offset = at;
    for (const [index, line] of text.split('\n').entries()) {
      if (index > 0) {
        mappings.push([]);
        column = 0;
      }
      const begins = column;
      if (line !== '') mark(offset);
      if (copied)
        for (const { index: within } of line.matchAll(NAMES)) {
          column = begins + within;
          mark(offset + within);
        }
      column = begins + line.length;
      if (copied) offset += line.length + 1;
    }
  }
  const map = { version: 3 as const, sources: [source], names: [], mappings };
  return { code: pieces.map(({ text }) => text).join(''), map };
}

/** Pieces come mostly in order, so the search begins where the last one ended. */
function lineOf(lineStarts: readonly number[], at: number, hint: number): number {
  let line = hint;
  if (lineStarts[line] > at || at - lineStarts[line] > 4096) {
    let low = 0;
    let high = lineStarts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (lineStarts[middle] <= at) low = middle;
      else high = middle - 1;
    }
    line = low;
  }
  while (line + 1 < lineStarts.length && lineStarts[line + 1] <= at) line++;
  return line;
}
