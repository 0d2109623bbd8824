// SPDX-License-Identifier: MIT
import MagicString from 'magic-string';
import type { Comment, Node, Program } from 'oxc-parser';
import { parseSync, visitorKeys } from 'oxc-parser';
import type { Settled } from './options.js';
import type { Problem } from './strip-error.js';
import { StripError } from './strip-error.js';

/** A file that is being translated: its syntax tree with parents, its text under change, and what was found wrong with it. */
export class SourceFile {
  readonly text: string;
  readonly options: Settled;
  readonly program: Program;
  readonly output: MagicString;
  private readonly comments: readonly Comment[];
  private readonly parents = new Map<Node, Node>();
  /** All nodes, parents first. */
  readonly nodes: Node[] = [];
  private readonly problems: Problem[] = [];

  constructor(text: string, options: Settled) {
    this.text = text;
    this.options = options;
    this.output = new MagicString(text);
    const { program, errors, comments } = parseSync(options.file, text, { sourceType: 'module' });
    for (const { message, labels, helpMessage } of errors)
      this.problem(labels[0]?.start ?? 0, helpMessage ? `${message}: ${helpMessage}` : message);
    this.throwProblems();
    this.program = program;
    this.comments = comments;
    this.link(program);
  }

  /** Notes something that has no native form. */
  problem(at: number | Node, message: string): void {
    const offset = typeof at === 'number' ? at : at.start;
    const before = this.text.slice(0, offset).split('\n');
    const column = (before.at(-1) ?? '').length + 1;
    this.problems.push({ file: this.options.file, line: before.length, column, message });
  }

  /** Throws StripError if there was any problem. */
  throwProblems(): void {
    if (this.problems.length === 0) return;
    throw new StripError(this.problems.sort((a, b) => a.line - b.line || a.column - b.column));
  }

  parentOf(node: Node): Node | null {
    return this.parents.get(node) ?? null;
  }

  /** Position of `token` at or after `from`, outside of comments. */
  find(token: string, from: number): number {
    let at = this.text.indexOf(token, from);
    for (const { start, end } of this.comments) if (start <= at && at < end) at = this.text.indexOf(token, end);
    return at;
  }

  /** Whether there is a comment between the two positions. */
  hasComment(from: number, to: number): boolean {
    return this.comments.some(({ start, end }) => start >= from && end <= to);
  }

  private link(node: Node): void {
    this.nodes.push(node);
    for (const child of childrenOf(node)) {
      this.parents.set(child, node);
      this.link(child);
    }
  }
}

function childrenOf(node: Node): Node[] {
  const fields = node as unknown as Readonly<Record<string, Node | readonly (Node | null)[] | null | undefined>>;
  return (visitorKeys[node.type] ?? []).flatMap((key) => {
    const child = fields[key];
    if (child === null || child === undefined) return [];
    return Array.isArray(child) ? child.filter((one) => one !== null) : [child as Node];
  });
}
