// SPDX-License-Identifier: MIT
import type { Op } from '@lockless/cpu';
import {
  atomicAdd,
  CACHE_LINE_WORDS,
  definePerCpuWord,
  defineWord,
  load,
  readOnce,
  type SpinLock,
  spinLock,
  spinUnlock,
  store,
} from '@lockless/cpu';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CACHES, type CacheModel, type CacheParameters, Coherence, decodeToken, Machine } from '../src/index.js';

const LINES = 4;
interface Access {
  readonly cpu: number;
  readonly word: number;
  readonly write: boolean;
  /** What the CPU does before. */
  readonly pause: number;
}
const accesses = fc.array(
  fc.record<Access>({
    cpu: fc.nat(63),
    word: fc.nat(LINES * CACHE_LINE_WORDS - 1),
    write: fc.boolean(),
    pause: fc.nat(2000),
  }),
  { maxLength: 80 },
);
const machines = Object.keys(CACHES) as CacheModel[];
const model = fc.constantFrom(...machines);

/** Performs the accesses, each CPU's one after the other. Returns what each waited. */
function perform(parameters: CacheParameters, all: readonly Access[], look: (coherence: Coherence) => void = () => {}) {
  const coherence = new Coherence(parameters, 64, LINES * CACHE_LINE_WORDS);
  const clocks = new Float64Array(64);
  const waits = all.map(({ cpu, word, write, pause }) => {
    const now = clocks[cpu] + pause;
    const wait = write ? coherence.write(cpu, word, now) : coherence.read(cpu, word, now);
    clocks[cpu] = now + wait;
    look(coherence);
    return wait;
  });
  return { coherence, waits, clocks };
}
const sum = (values: Iterable<number>): number => [...values].reduce((total, value) => total + value, 0);

describe('the protocol', () => {
  it('has one writer or several readers of a line, never both', () => {
    const property = fc.property(model, accesses, (name, all) => {
      perform(CACHES[name], all, (coherence) => {
        for (let line = 0; line < LINES; line++) {
          const { readers, writer } = coherence.copies(line * CACHE_LINE_WORDS);
          if (writer !== null) expect(readers).toEqual([writer]);
        }
      });
    });
    fc.assert(property);
  });

  it('gives whoever asks what he asks for, and takes away what others must not keep', () => {
    const property = fc.property(model, accesses, (name, all) => {
      const readers = Array.from({ length: LINES }, () => new Set<number>());
      const coherence = new Coherence(CACHES[name], 64, LINES * CACHE_LINE_WORDS);
      for (const { cpu, word, write } of all) {
        const line = Math.floor(word / CACHE_LINE_WORDS);
        if (write) readers[line].clear();
        readers[line].add(cpu);
        if (write) coherence.write(cpu, word, 0);
        else coherence.read(cpu, word, 0);
        const now = coherence.copies(word);
        expect(new Set(now.readers)).toEqual(readers[line]);
        if (write) expect(now.writer).toBe(cpu);
      }
    });
    fc.assert(property);
  });
});

describe('the cost', () => {
  it('is the same summed over accesses, lines and CPUs', () => {
    const property = fc.property(model, accesses, (name, all) => {
      const { coherence, waits } = perform(CACHES[name], all);
      expect(sum(coherence.stalledByLine)).toBeCloseTo(sum(waits), 6);
      expect(sum(coherence.stalledByCpu)).toBeCloseTo(sum(waits), 6);
      expect(coherence.statistics.stalled).toBeCloseTo(sum(waits), 6);
    });
    fc.assert(property);
  });

  it('is nothing for a line that only one CPU touches, after the first time', () => {
    const property = fc.property(model, accesses, (name, all) => {
      const own = all.map((access) => ({ ...access, cpu: Math.floor(access.word / CACHE_LINE_WORDS) * 7 }));
      const { waits, coherence } = perform(CACHES[name], own);
      const first = (i: number): boolean => own.findIndex(({ cpu }) => cpu === own[i].cpu) === i;
      waits.forEach((wait, i) => void expect(wait).toBe(first(i) ? CACHES[name].memory : 0));
      expect(coherence.statistics).toMatchObject({ clean: 0, dirty: 0, upgrades: 0, queued: 0 });
    });
    fc.assert(property);
  });

  it('is nothing for reading what nobody writes, after the first time', () => {
    const property = fc.property(model, accesses, (name, all) => {
      const { coherence } = perform(
        CACHES[name],
        [...all].map((access) => ({ ...access, write: false })),
      );
      const before = coherence.statistics.stalled;
      for (const { cpu, word } of all) expect(coherence.read(cpu, word, 1e9)).toBe(0);
      expect(coherence.statistics.stalled).toBe(before);
    });
    fc.assert(property);
  });

  it('never falls when a parameter rises, and never when somebody asks earlier', () => {
    const raised: ((p: CacheParameters, by: number) => CacheParameters)[] = [
      (p, by) => ({ ...p, memory: p.memory + by }),
      (p, by) => ({ ...p, service: p.service + by }),
      (p, by) => ({ ...p, invalidation: p.invalidation + by }),
      (p, by) => ({ ...p, distances: p.distances.map((d) => ({ ...d, clean: d.clean + by })) }),
      (p, by) => ({ ...p, distances: p.distances.map((d) => ({ ...d, dirty: d.dirty + by })) }),
    ];
    const property = fc.property(model, accesses, fc.constantFrom(...raised), fc.nat(500), (name, all, raise, by) => {
      const cheap = perform(CACHES[name], all);
      const dear = perform(raise(CACHES[name], by), all);
      cheap.clocks.forEach((clock, cpu) => void expect(dear.clocks[cpu]).toBeGreaterThanOrEqual(clock));
    });
    fc.assert(property);
  });

  it('grows with the distance, whatever the line’s state', () => {
    const property = fc.property(model, fc.boolean(), fc.boolean(), fc.nat(63), (name, write, modified, holder) => {
      const price = (cpu: number): number => {
        const coherence = new Coherence(CACHES[name], 64, CACHE_LINE_WORDS);
        if (modified) coherence.write(holder, 0, 0);
        else for (const reader of [holder, holder ^ 1]) coherence.read(reader, 0, 0);
        return write ? coherence.write(cpu, 0, 1e6) : coherence.read(cpu, 0, 1e6);
      };
      const far = [2, 4, 8, 16, 32].map((bit) => price(holder ^ bit));
      expect(far).toEqual([...far].sort((a, b) => a - b));
    });
    fc.assert(property);
  });

  it('makes CPUs that want one line at one moment wait for each other', () => {
    for (const name of machines) {
      const coherence = new Coherence(CACHES[name], 64, CACHE_LINE_WORDS);
      const waits = Array.from({ length: 64 }, (_, cpu) => coherence.write(cpu, 0, 0));
      waits.forEach((wait, i) => void (i > 0 && expect(wait).toBeGreaterThan(waits[i - 1])));
      expect(coherence.statistics.queued).toBeGreaterThan(0);
    }
  });
});

const counter = defineWord('coherence_counter');
const own = definePerCpuWord('coherence_own');
const lock = defineWord<SpinLock>('coherence_lock');

function* addTo(word: typeof counter, times: number): Op<void> {
  for (let i = 0; i < times; i++) yield* atomicAdd(1, word);
}
function* addLocked(times: number): Op<void> {
  for (let i = 0; i < times; i++) {
    yield* spinLock(lock);
    yield* store(counter, (yield* load(counter)) + 1);
    yield* spinUnlock(lock);
  }
}
const quiet = { timerTick: 1e9, model: 'sc' } as const;

describe.each(machines)('a machine with the caches of %s', (caches) => {
  const run = (cpus: number, body: (cpu: number) => Op<void>, seed = 1) => {
    const machine = new Machine({ ...quiet, caches, cpus, seed });
    for (let cpu = 0; cpu < cpus; cpu++) machine.spawn(`t${cpu}`, () => body(cpu), { cpu });
    expect(machine.run().status).toBe('finished');
    return machine;
  };

  it('counts in words of their own as fast on 64 CPUs as on one, in a common word more slowly', () => {
    const times = 200;
    const alone = run(1, (cpu) => addTo(own(cpu), times)).time;
    const apart = run(64, (cpu) => addTo(own(cpu), times)).time;
    const together = run(64, () => addTo(counter, times)).time;
    expect(apart).toBeLessThan(alone * 1.01);
    // One after the other, and a transfer between any two.
    const { distances } = CACHES[caches];
    expect(together).toBeGreaterThan(64 * alone);
    expect(together).toBeLessThanOrEqual(64 * times * (distances.at(-1)!.dirty + 12) + alone);
  });

  it('lets accesses reach a line in the order of its clocks', () => {
    const times: number[] = [];
    const machine = new Machine({ ...quiet, caches, cpus: 8 });
    for (let cpu = 0; cpu < 8; cpu++)
      machine.spawn(
        `t${cpu}`,
        function* () {
          for (let i = 0; i < 50; i++) {
            yield* readOnce(counter);
            times.push(machine.time);
          }
          for (let i = 0; i <= 50 * cpu; i++) yield* atomicAdd(1, own(cpu));
        },
        { cpu },
      );
    expect(machine.run().status).toBe('finished');
    expect(times).toHaveLength(400);
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });

  it('is deterministic: a token runs again the same way, another seed does not', () => {
    const machine = run(8, () => addLocked(20));
    expect(machine.heap.words[counter]).toBe(160);
    const again = new Machine(decodeToken(machine.token));
    for (let cpu = 0; cpu < 8; cpu++) again.spawn(`t${cpu}`, () => addLocked(20), { cpu });
    again.run();
    expect([again.traceHash, again.time]).toEqual([machine.traceHash, machine.time]);
    expect(run(8, () => addLocked(20), 2).traceHash).not.toBe(machine.traceHash);
  });
});

it('knows the machines that it can be, and is off otherwise', () => {
  expect(() => new Machine({ caches: 'pdp-11' as 'altix' })).toThrow(
    'caches is pdp-11; it must be none, altix or xeon',
  );
  expect(new Machine().coherence).toBe(null);
});
