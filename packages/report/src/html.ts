// SPDX-License-Identifier: MIT
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { printable, shellWords } from './command-line.js';
import { pageData } from './page-data.js';
import type { RunResult } from './run-result.js';

const require = createRequire(import.meta.url);
const asset = (name: string): string => readFileSync(new URL(`../assets/${name}`, import.meta.url), 'utf8');
const read = (path: string): string => readFileSync(path, 'utf8');

const STYLES = ['page.css', 'charts.css', 'tables.css', 'print.css'];

/** Scripts in the order in which they need each other. */
const SCRIPTS = ['dom.js', 'tables.js', 'charts.js', 'lanes.js', 'page.js'];

/** Nothing in data may end the element that holds it, and no control character gets through; line breaks only in a message. */
const embed = (value: unknown): string =>
  JSON.stringify(value, (key, part: unknown) =>
    typeof part === 'string' && key !== 'message' ? printable(part) : part,
  ).replaceAll('<', '\\u003c');

const escapeHtml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

const hash = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/**
 * One self-contained page: data, plotting library (uPlot) and styles inside. It opens from disk and asks the network for nothing; its
 * content security policy lets no script run but its own, and forbids every request.
 */
export function renderHtml(result: RunResult): string {
  const scripts = [read(require.resolve('uplot/dist/uPlot.iife.min.js')), ...SCRIPTS.map(asset)];
  const style = [read(require.resolve('uplot/dist/uPlot.min.css')), ...STYLES.map(asset)].join('\n');
  const policy = [
    "default-src 'none'",
    `script-src ${scripts.map(hash).join(' ')}`,
    `style-src ${hash(style)}`,
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>lockless: ${escapeHtml(printable(shellWords(result.recording.command)))}</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
<main id="report"></main>
<noscript>This report draws itself with JavaScript.</noscript>
<script type="application/json" id="data">${embed(pageData(result))}</script>
${scripts.map((script) => `<script>${script}</script>`).join('\n')}
</body>
</html>
`;
}
