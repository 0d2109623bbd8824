// SPDX-License-Identifier: MIT
// @ts-check
// A thread of the file cache dies at each store of its operations, one death after the other, at known places; after each the cache must be in order. Needs a build.
//   npm run deaths                               every store of every sequence: the thread stands still, and is taken for dead
//   npm run deaths -- --stride 20 --real 1       every 20th, and one real death (Worker.terminate) of each sequence
//   npm run deaths -- --sequence fsync --at 17   a real one at one place, and where that is
//   npm run deaths -- --shared                   as if the machine had other users: tree nodes must come back although the cache cannot count them
// With --change FILE FROM TO a built file is another one: is it noticed? Exit code 1 when something is wrong.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { copyPackages } from './deaths-build.mjs';
import { ImageKiller } from './deaths-images.mjs';
import { SEQUENCES } from './deaths-sequences.mjs';
import { repositoryRoot } from './workspaces.mjs';

const options = new Command('deaths')
  .option('--sequence <names...>', 'only these')
  .option('--stride <n>', 'every n-th store', Number, 1)
  .option('--first <n>', 'the first store', Number, 1)
  .option('--real <n>', 'real deaths of each sequence, evenly spread', Number, 0)
  .option('--at <n>', 'one real death', Number)
  .option('--change <file-from-to...>', 'a file of dist, what it says once, and what it is to say', [])
  .option('--without <guards...>', 'guards of kernel code to leave out: is it noticed?', [])
  .addOption(new Option('--rcu <flavour>', 'of the machine').choices(['mb', 'qsbr']).default('mb'))
  .option('--shared', 'as on a machine that has other users: nothing is counted that may be theirs', false)
  .option('--problems <n>', 'end after so many', Number, 10)
  .parse()
  .opts();

/** @type {any} */ (globalThis).locklessWithout = options.without;
const cache = join(repositoryRoot, 'node_modules/.cache/lockless');
mkdirSync(cache, { recursive: true });
const copies = mkdtempSync(join(cache, 'deaths-'));
const [file, from, to] = options.change;
const changes = file === undefined ? [] : [{ file, from, to }];

const killer = new ImageKiller({
  module: copyPackages(join(copies, 'plain'), { points: false, changes }),
  workerModule: copyPackages(join(copies, 'points'), { points: true, changes }),
  without: options.without,
  rcu: options.rcu,
  shared: options.shared,
});

let problems = 0;
let deaths = 0;
let stores = 0;
const began = performance.now();

/** @param {string} name */
async function runAll(name) {
  for (let first = options.first; first > 0 && problems < options.problems; ) {
    const found = await killer.killAll(name, first, options.stride);
    deaths += found.deaths;
    stores = Math.max(stores, found.stores);
    first = 0;
    for (const { at, what } of found.problems) {
      problems++;
      console.log(`${name}, ${at > 0 ? `store ${at}` : 'when it was over'}: ${what}`);
      first = at > 0 ? at + options.stride : 0;
      await killer.end();
    }
  }
}

/** @param {string} name @param {number} at */
async function runReal(name, at) {
  const { stack, problems: found } = await killer.kill(name, at);
  deaths++;
  const where = stack.map((line) => line.replace(/file:.*\/(?=[\w-]+\/dist\/)/, '')).join('\n');
  for (const problem of found) console.log(`${name}, really, store ${at}: ${problem}\n${where}`);
  if (found.length === 0 && options.at !== undefined) console.log(where);
  problems += found.length;
  if (found.length > 0) await killer.end();
}

let all = 0;
try {
  for (const name of Object.keys(SEQUENCES)) {
    if (options.sequence !== undefined && !options.sequence.includes(name)) continue;
    if (options.at !== undefined) {
      await runReal(name, options.at);
      continue;
    }
    stores = 0;
    await runAll(name);
    all += stores;
    for (let real = 0; real < options.real && problems < options.problems; real++)
      await runReal(name, 1 + Math.floor(((real + 0.5) * stores) / options.real));
    console.log(`${name}: ${stores} stores`);
  }
  await killer.end();
} catch (error) {
  problems++;
  console.log(error);
} finally {
  rmSync(copies, { recursive: true, force: true });
}

const seconds = ((performance.now() - began) / 1000).toFixed(0);
console.log(`${deaths} deaths, at ${all} stores, ${seconds} s`);
console.log(problems === 0 ? 'after each everything is in order' : `${problems} problems`);
process.exit(problems === 0 ? 0 : 1);
