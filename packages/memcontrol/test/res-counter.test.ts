// SPDX-License-Identifier: GPL-2.0-only
import { defineStatic, type Ptr, SequentialEngine } from '@lockless/cpu';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ResCounter, resCounterSetLimit } from '../src/index.js';
import { resCounterCharge, resCounterInit, resCounterUncharge } from '../src/res-counter.js';

const counter: Ptr<ResCounter> = defineStatic(ResCounter, 'counter of res-counter.test');
const step = fc.oneof(
  fc.record({ kind: fc.constant('charge' as const), pages: fc.integer({ min: 1, max: 8 }) }),
  fc.record({ kind: fc.constant('uncharge' as const), pages: fc.integer({ min: 1, max: 8 }) }),
  fc.record({ kind: fc.constant('limit' as const), pages: fc.integer({ min: 0, max: 40 }) }),
);

it('counts what is charged, and charges nothing over the limit', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const engine = new SequentialEngine();
      engine.run(resCounterInit(counter));
      let [usage, limit, most, failures] = [0, Number.POSITIVE_INFINITY, 0, 0];
      for (const { kind, pages } of steps) {
        if (kind === 'limit') {
          limit = pages;
          engine.run(resCounterSetLimit(counter, pages));
        } else if (kind === 'charge') {
          const fits = usage + pages <= limit;
          expect(engine.run(resCounterCharge(counter, pages)) === 0).toBe(fits);
          if (fits) usage += pages;
          else failures++;
          most = Math.max(most, usage);
        } else if (pages <= usage) {
          usage -= pages;
          engine.run(resCounterUncharge(counter, pages));
        } else {
          expect(() => engine.run(resCounterUncharge(counter, pages))).toThrow(/more than was charged/);
          return;
        }
        const fields = (['usage', 'maxUsage', 'failcnt'] as const).map(
          (field) => engine.words[ResCounter[field](counter)],
        );
        expect(fields).toEqual([usage, most, failures]);
      }
    }),
  );
});
