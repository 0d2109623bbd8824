// SPDX-License-Identifier: MIT
// @ts-check
// Copies of the built packages that the file cache is made of: for the thread that is to die with a call of globalThis.locklessPoint after each store to shared words
// and each Atomics operation that changes one; for all threads with a change, to see whether that is noticed.
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import ts from 'typescript';
import { repositoryRoot } from './workspaces.mjs';

const KERNEL = ['cpu', 'mm-types', 'rcu', 'radix-tree', 'memcontrol', 'mmu-notifier', 'page', 'rmap', 'pagecache'];
const PACKAGES = [...KERNEL, 'native', 'file-cache'];
/** Where packages touch words by themselves, not by primitives of cpu; what small functions of cpu do is written out in all that call them. */
const INSTRUMENTED = [...KERNEL.map((name) => `${name}/dist/native`), 'native/dist', 'file-cache/dist'];

/** What holds words or frames' bytes that threads share, as it is called in the sources. */
const SHARED = /(^|\.)(words|memory|frame|bytes)$|^(bytesOf|pathView)\(.*\)$/;
const CHANGES = /^(store|add|sub|and|or|xor|exchange|compareExchange)$/;

/** @param {ts.Node} node @param {ts.SourceFile} file */
const isShared = (node, file) => SHARED.test(node.getText(file));

/** Whether an expression changes shared memory, at its end. @param {ts.Node} node @param {ts.SourceFile} file */
function changesShared(node, file) {
  if (ts.isBinaryExpression(node)) {
    const { kind } = node.operatorToken;
    const assigns = kind >= ts.SyntaxKind.FirstAssignment && kind <= ts.SyntaxKind.LastAssignment;
    return assigns && ts.isElementAccessExpression(node.left) && isShared(node.left.expression, file);
  }
  if (ts.isPrefixUnaryExpression(node) || ts.isPostfixUnaryExpression(node)) {
    const changes = node.operator === ts.SyntaxKind.PlusPlusToken || node.operator === ts.SyntaxKind.MinusMinusToken;
    return changes && ts.isElementAccessExpression(node.operand) && isShared(node.operand.expression, file);
  }
  if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return false;
  const { expression, name } = node.expression;
  if (expression.getText(file) === 'Atomics') return CHANGES.test(name.text);
  return /^(fill|set|copyWithin)$/.test(name.text) && isShared(expression, file);
}

/** The text with each such expression `e` as `globalThis.locklessPoint(e)`. @param {string} text */
export function instrumented(text) {
  const file = ts.createSourceFile('x.js', text, ts.ScriptTarget.Latest, true);
  /** @type {{ at: number, text: string, inner: number }[]} */
  const insertions = [];
  /** @param {ts.Node} node @param {number} depth */
  const visit = (node, depth) => {
    if (changesShared(node, file)) {
      insertions.push({ at: node.getStart(file), text: 'globalThis.locklessPoint(', inner: depth });
      insertions.push({ at: node.getEnd(), text: ')', inner: -depth });
    }
    ts.forEachChild(node, (child) => visit(child, depth + 1));
  };
  visit(file, 1);
  insertions.sort((a, b) => a.at - b.at || a.inner - b.inner);
  let result = '';
  let from = 0;
  for (const insertion of insertions) {
    result += text.slice(from, insertion.at) + insertion.text;
    from = insertion.at;
  }
  return { text: result + text.slice(from), points: insertions.length / 2 };
}

/** @typedef {{ file: string, from: string, to: string }} Change of a built file, `file-cache/dist/sweep.js`. */

/**
 * Copies the packages. Returns the address of the file cache's module there.
 * @param {string} folder @param {{ points: boolean, changes?: readonly Change[] }} options
 */
export function copyPackages(folder, { points, changes = [] }) {
  rmSync(folder, { recursive: true, force: true });
  const modules = join(folder, 'node_modules/@lockless');
  for (const name of PACKAGES)
    for (const part of ['package.json', 'dist'])
      cpSync(join(repositoryRoot, 'packages', name, part), join(modules, name, part), {
        recursive: true,
        filter: (source) => !/\.(map|d\.ts|tsbuildinfo)$/.test(source),
      });
  for (const { file, from, to } of changes) {
    const text = readFileSync(join(modules, file), 'utf8');
    if (text.split(from).length !== 2) throw new Error(`${file} does not have this once: ${from}`);
    writeFileSync(
      join(modules, file),
      text.replace(from, () => to),
    );
  }
  if (points)
    for (const part of INSTRUMENTED)
      for (const name of readdirSync(join(modules, part)).filter((entry) => entry.endsWith('.js'))) {
        const path = join(modules, part, name);
        writeFileSync(path, instrumented(readFileSync(path, 'utf8')).text);
      }
  return pathToFileURL(join(modules, 'file-cache/dist/node.js')).href;
}
