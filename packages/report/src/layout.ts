// SPDX-License-Identifier: MIT
import { styleText } from 'node:util';
import cliTruncate from 'cli-truncate';
import stringWidth from 'string-width';
import wrapAnsi from 'wrap-ansi';

export interface TextOptions {
  /** Use colour and weight. Default false. */
  readonly color?: boolean;
  /** Columns of the terminal; default 120. Less than 72 is taken as 72. */
  readonly width?: number;
}

type Style = Parameters<typeof styleText>[0];

export interface Column {
  readonly head: string;
  /** Heading over this and the following columns of the same group. */
  readonly group?: string;
  /** Left out when it says nothing (`0`, `-` or nothing in every row), or when the terminal is too narrow. */
  readonly optional?: true;
  /** Where a name that is too long is cut: paths differ at their end, so at the start, unless told. */
  readonly cut?: 'end';
}

const INDENT = '  ';
const LABEL = 12;
/** The first column of a table gives way to the others, down to this. */
const NARROWEST_NAME = 14;
/** Texts side by side get at least that many columns, or what they need. */
const BLOCK = 36;

/** How text is laid out: the width there is, and whether there is colour. */
export class Layout {
  readonly width: number;
  private readonly color: boolean;

  constructor({ color = false, width = 120 }: TextOptions) {
    this.color = color;
    this.width = Math.max(72, width);
  }

  paint(style: Style, text: string): string {
    return this.color ? styleText(style, text, { validateStream: false }) : text;
  }

  title(text: string): string[] {
    return this.wrap(text, '').map((line) => this.paint('bold', line));
  }

  /** Lines of at most the width, all but the first indented by `indent`, the first by `first`. */
  wrap(text: string, indent: string = INDENT, first: string = indent): string[] {
    const lines = wrapAnsi(text, this.width - stringWidth(indent), { hard: true }).split('\n');
    return lines.map((line, i) => `${i === 0 ? first : indent}${line}`.trimEnd());
  }

  /** One text to the left and one to the right of a line; on two lines when they do not fit on one. */
  ends(left: string, right: string, style: Style): string[] {
    const gap = this.width - stringWidth(left) - stringWidth(right);
    const lines = this.wrap(left, INDENT, '').map((line) => this.paint(style, line));
    return gap < 2
      ? [...lines, ...this.wrap(right).map((line) => this.paint('dim', line))]
      : [`${lines[0]}${' '.repeat(gap)}${this.paint('dim', right)}`];
  }

  /** A label and what it stands for, wrapped beside it. */
  entry(label: string, parts: readonly string[]): string[] {
    const indent = ' '.repeat(INDENT.length + LABEL);
    return this.wrap(parts.join(', '), indent, INDENT + this.paint('dim', label.padEnd(LABEL)));
  }

  /** A command that can be copied: broken before an option, with a backslash, when it is too long. */
  command(label: string, command: string): string[] {
    const lines = [`${label} ${command}`];
    if (stringWidth(lines[0]) <= this.width) return lines;
    lines.length = 0;
    let line = label;
    for (const part of command.split(/ (?=--)/)) {
      if (line !== label && stringWidth(`${line} ${part} \\`) > this.width) {
        lines.push(`${line} \\`);
        line = ` ${INDENT}`;
      }
      line += ` ${part}`;
    }
    return [...lines, line];
  }

  /** Columns of numbers to the right of a column of names, which gives way when the terminal is narrow. */
  table(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
    let shown = columns.map((_, i) => i).filter((i) => !columns[i].optional || rows.some((row) => !isNothing(row[i])));
    const widths = columns.map((column, i) =>
      Math.max(stringWidth(column.head), ...rows.map((row) => stringWidth(row[i]))),
    );
    widenToGroups(columns, shown, widths);
    const numbers = (): number => shown.slice(1).reduce((sum, i) => sum + 2 + widths[i], INDENT.length);
    const smallest = columns[0].cut === 'end' ? widths[0] : Math.min(widths[0], NARROWEST_NAME);
    while (numbers() + smallest > this.width) {
      const last = shown.findLast((i) => columns[i].optional);
      if (last === undefined) break;
      shown = shown.filter((i) => i !== last);
    }
    widths[0] = Math.min(widths[0], Math.max(NARROWEST_NAME, this.width - numbers()));
    const line = (cells: readonly string[]): string =>
      `${INDENT}${shown.map((i) => (i === 0 ? leftCell(cells[0], widths[0], columns[0].cut) : rightCell(cells[i], widths[i]))).join('  ')}`.trimEnd();
    const heads = [line(columns.map(({ head }) => head))];
    if (columns.some(({ group }) => group)) heads.unshift(groupLine(columns, shown, widths));
    return [...heads.map((head) => this.paint('dim', head)), ...rows.map(line)];
  }

  /** Texts side by side, as many as fit, the rest below. */
  beside(blocks: readonly (readonly string[])[]): string[] {
    const widest = Math.max(0, ...blocks.flat().map((text) => stringWidth(text)));
    const wanted = Math.min(widest, BLOCK) + INDENT.length + 1;
    const across = Math.max(1, Math.min(blocks.length, Math.floor((this.width + 1) / wanted)));
    const each = Math.min(widest, Math.floor((this.width + 1) / across) - INDENT.length - 1);
    const folded = blocks.map((block) => block.flatMap((text) => fold(text, each)));
    const lines: string[] = [];
    for (let first = 0; first < folded.length; first += across) {
      const group = folded.slice(first, first + across);
      if (first > 0) lines.push('');
      for (let i = 0; i < Math.max(...group.map((block) => block.length)); i++) {
        const cells = group.map((block) => pad(block[i] ?? '', each));
        lines.push(`${INDENT}${cells.join(`${INDENT} `)}`.trimEnd());
      }
    }
    return lines;
  }
}

const isNothing = (cell: string): boolean => cell === '0' || cell === '-' || cell === '';
const pad = (text: string, width: number): string => text + ' '.repeat(Math.max(0, width - stringWidth(text)));
/** A line in as many lines of a width as it needs, the further ones indented. */
function fold(text: string, width: number): string[] {
  if (stringWidth(text) <= width) return [text];
  const indent = /^ */.exec(text)?.[0] ?? '';
  const lines = wrapAnsi(text.slice(indent.length), width - indent.length - 2, { hard: true }).split('\n');
  return lines.map((line, i) => `${indent}${i === 0 ? '' : INDENT}${line}`);
}

const leftCell = (text: string, width: number, position: 'start' | 'end' = 'start'): string =>
  pad(cliTruncate(text, width, { position }), width);
const rightCell = (text: string, width: number): string => ' '.repeat(Math.max(0, width - stringWidth(text))) + text;

/** Whether column `i` is the last one shown of its group. */
const endsGroup = (columns: readonly Column[], shown: readonly number[], i: number): boolean =>
  columns[i].group !== undefined && columns[shown[shown.indexOf(i) + 1]]?.group !== columns[i].group;

/** Makes the last column of each group as wide as the name of the group needs. */
function widenToGroups(columns: readonly Column[], shown: readonly number[], widths: number[]): void {
  for (const i of shown.filter((column) => endsGroup(columns, shown, column))) {
    const name = columns[i].group ?? '';
    const group = shown.filter((column) => columns[column].group === name);
    const width = group.reduce((sum, column) => sum + widths[column] + 2, -2);
    widths[i] += Math.max(0, stringWidth(name) - width);
  }
}

/** The name of each group, right over its last column. */
function groupLine(columns: readonly Column[], shown: readonly number[], widths: readonly number[]): string {
  let line = '';
  let end = INDENT.length - 2;
  for (const i of shown) {
    end += 2 + widths[i];
    if (endsGroup(columns, shown, i)) line += (columns[i].group ?? '').padStart(end - line.length);
  }
  return line;
}
