// SPDX-License-Identifier: MIT
import { parentPort, workerData } from 'node:worker_threads';
import { bootedProgram } from './booted.js';
import { CheckError } from './errors.js';
import type { Checkpoint } from './explore/checkpoint.js';
import { Exploring } from './exploring.js';
import type { Report, Request, WorkerData } from './parallel-protocol.js';
import { loadProgram } from './program-source.js';
import { partWithout, SiteTable } from './sites.js';

/* One thread of checkInParallel(): explores the parts that it is given. */

const { source, options } = workerData as WorkerData;
const report = (message: Report): void => parentPort?.postMessage(message);
const without = partWithout(options.without ?? []);
let exploring: Exploring | null = null;

const booted = loadProgram(source).then((program) => bootedProgram(program, without.guards));

async function explorePart(part: Checkpoint): Promise<void> {
  // One table for each part: the names of sites may change with every part, and then the whole begins anew.
  const table = new SiteTable(without.sites);
  exploring = new Exploring(await booted, options, table, part);
  const { explorer, found } = exploring;
  while (!exploring.slice() && found.size === 0) {
    const { executions, blocked } = explorer.counts;
    report({ type: 'progress', executions, blocked });
    // Requests to split come in between.
    await new Promise((resolve) => setImmediate(resolve));
  }
  const done = exploring;
  exploring = null;
  report({
    type: 'done',
    tally: done.tally(),
    violated: found.size > 0,
    voided: explorer.voided ? explorer.checkpoint() : null,
    moved: table.moved,
  });
}

parentPort?.on('message', (request: Request) => {
  if ('split' in request) report({ type: 'given', part: exploring?.explorer.split() ?? null });
  else
    explorePart(request.explore).catch((error: unknown) => {
      const code = error instanceof CheckError ? error.code : null;
      report({
        type: 'failed',
        code,
        message: error instanceof Error ? (code === null ? (error.stack ?? '') : error.message) : String(error),
      });
    });
});
