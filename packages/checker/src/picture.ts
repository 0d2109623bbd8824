// SPDX-License-Identifier: MIT
import type { Skeleton, Witness } from '@lockless/memory-model';
import { bootedProgram } from './booted.js';
import { CheckError } from './errors.js';
import type { Execution } from './explore/execution.js';
import { explore } from './explore/explorer.js';
import { Names } from './names.js';
import type { Program } from './program.js';
import { Replay } from './replay.js';
import { parseReplayToken } from './replay-token.js';
import type { CheckOptions } from './result.js';
import { partWithout, SiteTable } from './sites.js';

/** An execution as the memory model sees it, and what things are called in it: what a drawing is made from. */
export interface ExecutionPicture {
  readonly skeleton: Skeleton;
  readonly witness: Witness;
  readonly threads: readonly string[];
  readonly locations: ReadonlyMap<number, string>;
  value(value: number): string;
}

/** The execution that a replay token names, for drawing. Throws CheckError when the token does not fit the program. */
export function pictureOf<S>(
  program: Program<S>,
  token: string,
  options: Pick<CheckOptions, 'model' | 'without'> = {},
): ExecutionPicture {
  const { model = 'lkmm', without = [] } = options;
  const parts = partWithout(without);
  const table = new SiteTable(parts.sites);
  const booted = bootedProgram(program, parts.guards);
  for (;;) {
    let picture: ExecutionPicture | null = null;
    const steering = new Replay(parseReplayToken(token), false, (execution) => {
      picture = draw(execution);
    });
    const weaken = table.asks ? { weaken: table } : {};
    explore({ program: booted, model, ...weaken }).follow(steering);
    if (!table.moved) {
      if (picture === null)
        throw new CheckError('replay-mismatch', 'the execution that the replay token names does not end');
      return picture;
    }
    table.restart();
  }
}

function draw(execution: Execution): ExecutionPicture {
  const { skeleton, witness } = execution.graph();
  const described = new Map<number, string>();
  const describe = (address: number): string => described.get(address) ?? `word ${address}`;
  for (const { location, value } of skeleton.events)
    for (const word of [location, value])
      if (word > 0) for (const near of [word - 1, word]) described.set(near, execution.describe(near));
  const names = new Names(describe);
  const locations = new Map<number, string>();
  for (const { location } of skeleton.events) if (location >= 0) locations.set(location, names.place(location));
  return {
    skeleton,
    witness,
    threads: execution.threads.map(({ name }) => name),
    locations,
    value: (value) => names.value(value),
  };
}
