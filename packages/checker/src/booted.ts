// SPDX-License-Identifier: MIT
import { inAtomic, irqsDisabled, omitGuards } from '@lockless/cpu';
import { CheckError } from './errors.js';
import type { Program } from './program.js';

/** Refuses what types would have refused. */
function programOf(program: unknown): Program {
  const { name, setup, threads } = (program ?? {}) as Partial<Program>;
  const bad = (what: string): CheckError => new CheckError('malformed', `a program has ${what}`);
  if (typeof name !== 'string' || name === '') throw bad('a name');
  if (typeof setup !== 'function') throw bad(`a function 'setup'; ${name} has none`);
  const bodies = Object.entries(threads ?? {});
  if (bodies.length === 0) throw bad(`threads; ${name} has none`);
  for (const [thread, body] of bodies)
    if (typeof body !== 'function') throw bad(`a function for each thread; '${thread}' of ${name} is none`);
  return program as Program;
}

/** The program with guards left out. Throws CheckError on what is none. */
export function bootedProgram(given: unknown, guards: readonly string[]): Program {
  const program = programOf(given);
  return {
    ...program,
    setup: function* () {
      omitGuards(guards);
      const shared = yield* program.setup();
      if (inAtomic() || irqsDisabled()) throw new Error('it ends with preemption or interrupts off');
      return shared;
    },
  };
}
