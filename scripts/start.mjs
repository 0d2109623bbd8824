// SPDX-License-Identifier: MIT
// @ts-check
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { bootstrap } from './bootstrap.mjs';
import { repositoryRoot } from './workspaces.mjs';

/** `npm start [-- ARGUMENTS]`: installs and builds what is missing, then `lockless ARGUMENTS`; without the name of a command, `lockless run ARGUMENTS`. */
bootstrap(repositoryRoot);

const program = join(repositoryRoot, 'apps/lockless/dist/cli.js');
const COMMANDS = new Set([
  'run',
  'record',
  'check',
  'barriers',
  'litmus',
  'oracle',
  'bench',
  'help',
  '--help',
  '--version',
]);
const args = process.argv.slice(2);
const child = spawn(process.execPath, [program, ...(COMMANDS.has(args[0] ?? '') ? [] : ['run']), ...args], {
  stdio: 'inherit',
  // Paths among the arguments are relative to where npm was started.
  cwd: process.env.INIT_CWD ?? process.cwd(),
});

// Ctrl-C reaches the child by itself, as a member of the same process group: wait for it to finish what it does then.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.on('exit', (code, signal) => {
  process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 70);
});
