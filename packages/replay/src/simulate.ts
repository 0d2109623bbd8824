// SPDX-License-Identifier: GPL-2.0-only
import { setImmediate } from 'node:timers/promises';
import type { Recording } from '@lockless/recording';
import type { RunResult } from '@lockless/report';
import type { RunOutcome } from '@lockless/simulator';
import { framesFor, swapFor } from './footprint.js';
import { setUp } from './machine-setup.js';
import { checkBuild, checkGuards, checkHugePages, type SimulateOptions, SimulationInputError } from './options.js';
import { resultOf } from './result.js';
import { World } from './world.js';

/** Accesses between two looks at the clock, the signal and the progress line. */
const SLICE = 250_000;
/** The same when the run is to stop after so many operations: it stops soon after the last of them. */
const SHORT_SLICE = 1_000;

/**
 * Replays a recording on a simulated machine, and compares with what the real kernel did.
 *
 * Deterministic: the same recording and options give the same result, but for the wall-clock seconds. One run at a time in a process: the machine's
 * engine, disk and observers are in charge of the realm while it lasts.
 *
 * @throws SimulationInputError when the recording cannot be replayed with these options
 */
export async function simulate(recording: Recording, options: SimulateOptions = {}): Promise<RunResult> {
  checkGuards(options.without ?? []);
  checkBuild(options);
  checkHugePages(options);
  const world = worldOf(recording);
  const swapPages = swapFor(options.swap, recording, world.truth);
  const memoryPages = framesFor(options.memory, recording, world.truth, swapPages);
  const started = performance.now();
  const setup = setUp(world, options, memoryPages, swapPages);
  const maxSteps = options.limit == null ? SLICE : SHORT_SLICE;
  let outcome: RunOutcome;
  let stopped: 'bounded' | 'interrupted' | null = null;
  do {
    outcome = setup.machine.run({ maxSteps });
    options.onProgress?.({
      operations: world.operations,
      operationsTotal: world.program.operations,
      accesses: outcome.steps,
    });
    await setImmediate();
    if (outcome.status !== 'bounded') break;
    if (options.signal?.aborted) stopped = 'interrupted';
    else if (options.limit != null && world.operations >= options.limit) stopped = 'bounded';
  } while (stopped === null);
  return resultOf({
    world,
    setup,
    outcome,
    stopped,
    options,
    memoryPages,
    swapPages,
    seconds: (performance.now() - started) / 1000,
  });
}

function worldOf(recording: Recording): World {
  try {
    return new World(recording);
  } catch (error) {
    if (error instanceof RangeError) throw new SimulationInputError(error.message);
    throw error;
  }
}
