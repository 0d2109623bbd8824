// SPDX-License-Identifier: MIT
// @ts-check
import { fileURLToPath } from 'node:url';
import { check } from '@lockless/checker';
import { hugeScripts, parseScript, scripts, simulatedSide } from '@lockless/oracle';
import { readRecording } from '@lockless/recording';
import { simulate } from '@lockless/replay';
import { scenarios } from '@lockless/scenarios';
import fc from 'fast-check';
import { Coverage } from './coverage.mjs';

/** Executions of a scenario: what it reaches, it reaches early. */
const EXECUTIONS = 40;
/** Generated scripts, of those that the campaigns compare with the kernel. */
const SCRIPTS = 150;
const HUGE_SCRIPTS = 10;
/** What is rare in those: two of the worked vectors. */
const RARE = [
  'file 0 memory 4\nP0 mmap 0+4 rw shared file 0 from 0\nP0 write 2\nP0 swap-out 0+4\nP0 truncate 0 2',
  'file 0 disk 8\nP0 pwrite 0 5\nP0 drop 0',
];

/** Replays whose counts are compared with what the kernel did. */
const COMPARED = ['python-start', 'sqlite-threads'];

/** @typedef {import('@lockless/replay').SimulateOptions} SimulateOptions */

/** The other replays, by what `lockless run` calls them. @type {[string, SimulateOptions][]} */
const REPLAYS = [
  ['--generation nonewrefs', { generation: 'nonewrefs', neighbours: 4, memory: { percent: 25 }, migrate: true }],
  ['--generation tree-lock', { generation: 'tree-lock', neighbours: 2, memory: { percent: 25 } }],
  ['--swap', { memory: { percent: 25 }, swap: { percent: 100 }, neighbours: 4 }],
  ['--rmap pte-chain', { rmap: 'pte-chain', memory: { percent: 25 }, swap: { percent: 100 }, migrate: true }],
  ['--rmap objrmap', { rmap: 'objrmap', memory: { percent: 25 }, swap: { percent: 100 }, migrate: true }],
  ['--rmap anonmm', { rmap: 'anonmm', memory: { percent: 25 }, swap: { percent: 100 }, migrate: true }],
  ['--migrate', { migrate: true }],
  ['--thp', { thp: 'always', thpOrder: 3 }],
  ['--guest', { guest: true, memory: { percent: 50 }, swap: { percent: 50 } }],
  ['--build up', { build: 'up', cpus: 1 }],
  ['--inject', { inject: { enomem: 0.01, eio: 0.01, signal: 0.01 } }],
];

/**
 * @typedef {object} Executed
 * @property {Map<string, string[]>} scenarios by function: the scenarios that execute it
 * @property {Map<string, string[]>} simulated by function: the replays that do
 * @property {Map<string, string[]>} compared by function: what compares it with the kernel, `oracle` or `recordings`
 */

/** Runs everything, and notes which functions each run executes. @param {(what: string) => void} tell @returns {Promise<Executed>} */
export async function execute(tell) {
  const coverage = new Coverage();
  /** @type {Executed} */
  const executed = { scenarios: new Map(), simulated: new Map(), compared: new Map() };
  /** @param {Map<string, string[]>} by @param {string} name */
  const note = (by, name) => {
    for (const place of coverage.take()) by.set(place, [...(by.get(place) ?? []), name]);
  };
  const oracle = simulatedSide();
  coverage.take();
  for (const scenario of scenarios) {
    tell(scenario.name);
    await check(scenario, { model: 'lkmm', maxExecutions: EXECUTIONS });
    note(executed.scenarios, scenario.name);
  }
  for (const name of COMPARED) {
    tell(name);
    await simulate(await recordingOf(name));
    note(executed.compared, 'recordings');
  }
  const recording = await recordingOf('python-start');
  for (const [name, options] of REPLAYS) {
    tell(name);
    await simulate(recording, options);
    note(executed.simulated, `run ${name}`);
  }
  tell('oracle');
  for (const script of fc.sample(scripts(), { numRuns: SCRIPTS, seed: 1 })) oracle.run(script);
  for (const script of fc.sample(hugeScripts(), { numRuns: HUGE_SCRIPTS, seed: 1 })) oracle.run(script);
  for (const script of RARE) oracle.run(parseScript(script, 'a worked vector'));
  note(executed.compared, 'oracle');
  return executed;
}

/** @param {string} name */
const recordingOf = async (name) =>
  readRecording(fileURLToPath(new URL(`../../recordings/${name}.lkr.gz`, import.meta.url)));
