// SPDX-License-Identifier: MIT
import { INITIAL, lkmm, type MemoryModel, sc, tso } from '@lockless/memory-model';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { elaborate } from '../src/elaborate.js';
import { parseLitmus } from '../src/parse.js';
import { Search } from '../src/search.js';
import type { Graph } from '../src/search-graph.js';
import { describe as describeExecution, executionsOf } from './brute-force.js';
import { type Program, type Step, sourceOf } from './random-program.js';

/** The executions that the search finds, in the words of the brute force. */
function searched(source: string, model: MemoryModel): string[] {
  const program = elaborate(parseLitmus(source), 4);
  const found: string[] = [];
  const ignore = (): void => {};
  new Search(program, model, {
    complete: (graph) => found.push(inWords(graph)),
    cut: ignore,
    stuck: ignore,
    step: ignore,
  }).run();
  return found;
}

function inWords(graph: Graph): string {
  const names = graph.places.map((place) => graph.program.addresses.nameOf(place));
  const next = new Map<number, number>();
  const labels = graph.events.map(({ thread, location }) => {
    if (thread === INITIAL) return `init ${names[location]}`;
    const index = next.get(thread) ?? 0;
    next.set(thread, index + 1);
    return `${thread}.${index}`;
  });
  const orders = graph.coherence.stores.map((stores) =>
    stores
      .filter((store) => graph.events[store].thread !== INITIAL)
      .sort((a, b) => (graph.coherence.has(a, b) ? -1 : 1)),
  );
  return describeExecution(labels, graph.events, [...graph.rf], orders, names);
}

/** How often each property is tried, times what LOCKLESS_RUNS says. */
const RUNS = 25 * Number(process.env.LOCKLESS_RUNS ?? 1);

const variable = fc.constantFrom('x', 'y');
const register = fc.constantFrom('r0', 'r1');
const small = fc.integer({ min: 1, max: 2 });

const access: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('load' as const),
      to: register,
      from: variable,
      how: fc.constantFrom('once' as const, 'once' as const, 'acquire' as const, 'plain' as const),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('store' as const),
      to: variable,
      value: small,
      how: fc.constantFrom('once' as const, 'once' as const, 'release' as const, 'plain' as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('store' as const),
      to: variable,
      value: register,
      how: fc.constantFrom('once' as const, 'release' as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('fence' as const),
      tag: fc.constantFrom('mb' as const, 'wmb' as const, 'rmb' as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('exchange' as const), to: register, on: variable, value: small }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('compare' as const),
      to: register,
      on: variable,
      expected: fc.integer({ min: 0, max: 1 }),
      value: small,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('increment' as const), on: variable }) },
);

const branch = (inner: fc.Arbitrary<Step>): fc.Arbitrary<Step> =>
  fc.record({
    do: fc.constant('if' as const),
    register,
    is: fc.integer({ min: 0, max: 1 }),
    inside: fc.array(inner, { maxLength: 2 }),
    otherwise: fc.array(inner, { maxLength: 1 }),
  });

const pointers: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ do: fc.constant('follow' as const), to: register }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('aim' as const), at: fc.constantFrom('x' as const, 'y' as const) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('fill' as const), value: small }) },
  { weight: 2, arbitrary: access },
);

const rcu: fc.Arbitrary<readonly Step[]> = fc.oneof(
  fc
    .array(access, { minLength: 1, maxLength: 2 })
    .map((inner): Step[] => [{ do: 'fence', tag: 'rcu-lock' }, ...inner, { do: 'fence', tag: 'rcu-unlock' }]),
  fc.tuple(access, access).map(([a, b]): Step[] => [a, { do: 'fence', tag: 'sync-rcu' }, b]),
);

const section = fc
  .tuple(fc.array(access, { maxLength: 1 }), fc.boolean())
  .map(([inner, released]): Step[] => [
    { do: 'lock', lock: 'l' },
    ...inner,
    ...(released ? [{ do: 'unlock', lock: 'l' } as const] : []),
  ]);
const attempt = fc
  .array(access, { maxLength: 1 })
  .map((inside): Step[] => [{ do: 'try', lock: 'l', inside: [...inside, { do: 'unlock', lock: 'l' }] }]);
const locking: fc.Arbitrary<readonly Step[]> = fc
  .array(
    fc.oneof(
      section,
      section,
      attempt,
      access.map((step) => [step]),
    ),
    { minLength: 1, maxLength: 2 },
  )
  .map((parts) => parts.flat());

const programs = (thread: fc.Arbitrary<readonly Step[]>, threads = 3): fc.Arbitrary<Program> =>
  fc.array(thread, { minLength: 2, maxLength: threads }).filter((program) => loadsOf(program.flat()) <= 5);

function loadsOf(steps: readonly Step[]): number {
  const cost = (step: Step): number => {
    if (step.do === 'if') return Math.max(loadsOf(step.inside), loadsOf(step.otherwise));
    if (step.do === 'try') return 1 + loadsOf(step.inside);
    return ['store', 'fence', 'unlock', 'aim'].includes(step.do) ? 0 : step.do === 'follow' ? 2 : 1;
  };
  return steps.reduce((sum, step) => sum + cost(step), 0);
}

function agrees(program: Program, model: MemoryModel): void {
  const expected = executionsOf(program, model);
  fc.pre(expected !== null);
  const found = searched(sourceOf(program), model).sort();
  expect(new Set(found).size, 'an execution was found twice').toBe(found.length);
  expect(found).toEqual(expected?.sort());
}

const list = (step: fc.Arbitrary<Step>, maxLength = 3): fc.Arbitrary<readonly Step[]> =>
  fc.array(step, { minLength: 1, maxLength });

describe('the search finds what trying everything finds, each execution once', () => {
  for (const model of [sc, tso, lkmm]) {
    it(`straight-line programs, ${model.name}`, () => {
      fc.assert(
        fc.property(programs(list(access)), (program) => agrees(program, model)),
        { numRuns: RUNS },
      );
    });
  }

  it('two accesses in each thread, with every mix of annotations', () => {
    const simple = access.filter((step) => step.do === 'load' || step.do === 'store');
    const pair = fc.array(simple, { minLength: 2, maxLength: 2 });
    fc.assert(
      fc.property(fc.array(pair, { minLength: 2, maxLength: 2 }), (program) => agrees(program, lkmm)),
      { numRuns: 6 * RUNS },
    );
  });

  it('programs with branches', () => {
    const step = fc.oneof({ weight: 2, arbitrary: access }, { weight: 1, arbitrary: branch(access) });
    fc.assert(
      fc.property(programs(list(step)), (program) => agrees(program, lkmm)),
      { numRuns: RUNS },
    );
  });

  it('programs whose addresses depend on what they read', () => {
    fc.assert(
      fc.property(programs(list(pointers)), (program) => agrees(program, lkmm)),
      { numRuns: RUNS },
    );
  });

  it('programs with grace periods', () => {
    fc.assert(
      fc.property(programs(rcu, 3), (program) => agrees(program, lkmm)),
      { numRuns: RUNS },
    );
  });

  it('programs with locks, also such as are never released, and trylock', () => {
    fc.assert(
      fc.property(programs(locking), (program) => agrees(program, lkmm)),
      { numRuns: RUNS },
    );
  });
});
