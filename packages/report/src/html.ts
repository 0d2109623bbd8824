// SPDX-License-Identifier: MIT
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { RunResult } from './run-result.js';

const require = createRequire(import.meta.url);
const asset = (name: string): string => readFileSync(new URL(`../assets/${name}`, import.meta.url), 'utf8');
const library = (name: string): string => readFileSync(require.resolve(`uplot/dist/${name}`), 'utf8');

/** `</script>` inside data would end the script that holds it. */
const embed = (value: unknown): string => JSON.stringify(value).replaceAll('<', '\\u003c');

const escapeHtml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** One self-contained page: data, plotting library (uPlot) and styles inside; opens from disk and asks the network for nothing. */
export function renderHtml(result: RunResult): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>lockless: ${escapeHtml(result.recording.command.join(' '))}</title>
<link rel="icon" href="data:,">
<style>${library('uPlot.min.css')}
${asset('page.css')}</style>
</head>
<body>
<main id="report"></main>
<noscript>This report draws itself with JavaScript.</noscript>
<script>${library('uPlot.iife.min.js')}</script>
<script type="application/json" id="data">${embed(result)}</script>
<script>${asset('page.js')}</script>
</body>
</html>
`;
}
