// SPDX-License-Identifier: MIT
// @ts-check
// What README.md and docs/ say that `lockless` prints is what it prints. A text block after
//   <!-- run: lockless check race.mjs -->
// is the output of that command (stdout and stderr); with `, until WORDS` up to the line with these words. A code block after
//   <!-- file: race.mjs -->
// is a file in the folder where the document's commands run. Needs a build.
//   node scripts/documents.mjs [--write] [FILE...]
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isMain, repositoryRoot } from './workspaces.mjs';

const MARKED = /^(<!-- (file|run): (.+?) -->\n\n```\w+\n)([\s\S]*?)^```$/gm;
const program = join(repositoryRoot, 'apps/lockless/dist/cli.js');

/** Documents whose outputs are held to the program. @returns {string[]} paths from the root of the repository */
export const documents = () => [
  'README.md',
  ...readdirSync(join(repositoryRoot, 'docs'))
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/${file}`),
];

/** Words of a command line, quoted as a shell has it. @param {string} line @returns {string[]} */
const words = (line) => (line.match(/'[^']*'|\S+/g) ?? []).map((word) => word.replace(/^'(.*)'$/, '$1'));

/**
 * What a command prints. Times are no part of it.
 * @param {string} command @param {string} folder @returns {string}
 */
function outputOf(command, folder) {
  const [line = '', until] = command.split(', until ');
  const [name, ...args] = words(line);
  if (name !== 'lockless') throw new Error(`expected a command of lockless, got ${line}`);
  const env = { ...process.env, NO_COLOR: '1' };
  const { stdout, stderr } = spawnSync(process.execPath, [program, ...args], { cwd: folder, env, encoding: 'utf8' });
  const lines = `${stdout}${stderr}`.trimEnd().split('\n');
  const end = until === undefined ? lines.length : lines.findIndex((each) => each.includes(until)) + 1;
  const text = `${lines.slice(0, end).join('\n')}\n`;
  return text.replace(/^(Time \S+) \d+\.\d\d$/gm, '$1 0.00');
}

/** A document with the outputs of its commands replaced. @param {string} markdown @returns {string} */
export function withOutputs(markdown) {
  const folder = mkdtempSync(join(tmpdir(), 'lockless-documents-'));
  try {
    return markdown.replace(MARKED, (all, head, kind, argument, body) => {
      if (kind === 'run') return `${head}${outputOf(argument, folder)}\`\`\``;
      writeFileSync(join(folder, argument), body);
      return all;
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

if (isMain(import.meta.url)) {
  const chosen = process.argv.slice(2).filter((argument) => argument !== '--write');
  for (const path of chosen.length > 0 ? chosen : documents()) {
    const file = join(repositoryRoot, path);
    const before = readFileSync(file, 'utf8');
    const after = withOutputs(before);
    if (after === before) continue;
    console.log(`${path} ${process.argv.includes('--write') ? 'written' : 'differs'}`);
    if (process.argv.includes('--write')) writeFileSync(file, after);
    else process.exitCode = 1;
  }
}
