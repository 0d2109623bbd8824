#!/usr/bin/env node
// SPDX-License-Identifier: MIT
import { EXIT } from './exit-code.js';
import { processIo } from './io.js';
import { main } from './main.js';

let outputFailed = false;
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // A reader that goes away (`lockless run | head`) is no error, and does not change what the run found.
  if (error.code === 'EPIPE') return;
  outputFailed = true;
  process.stderr.write(`lockless: standard output cannot be written: ${error.message}\n`);
  process.exitCode = EXIT.usage;
});
process.stderr.on('error', () => {});

const code = await main(process.argv.slice(2), processIo);
if (!outputFailed) process.exitCode = code;
