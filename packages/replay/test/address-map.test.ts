// SPDX-License-Identifier: GPL-2.0-only
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AddressMap, addressMapOf } from '../src/address-map.js';
import { BUNDLED, bundled } from './bundled.js';
import { exec, exit, file, recording, touch } from './small.js';

const TIB = 2 ** 28;
/** Pages of a real address space, in at most eight TiB. */
const pages = fc.uniqueArray(fc.nat({ max: 2 ** 36 / TIB - 1 }), { minLength: 1, maxLength: 8 }).chain((regions) =>
  fc.array(
    fc.tuple(fc.constantFrom(...regions), fc.nat({ max: TIB - 1 })).map(([region, page]) => region * TIB + page),
    { minLength: 1, maxLength: 40 },
  ),
);

describe('AddressMap', () => {
  it('leads back to where it came from, within 31 bits (property)', () => {
    fc.assert(
      fc.property(pages, (real) => {
        const map = new AddressMap(real);
        for (const page of real) {
          const simulated = map.toSimulated(page);
          expect(simulated).toBeGreaterThanOrEqual(0);
          expect(simulated).toBeLessThan(2 ** 31);
          expect(map.toReal(simulated)).toBe(page);
        }
      }),
    );
  });

  it('keeps order, and distance within a TiB (property)', () => {
    fc.assert(
      fc.property(pages, (real) => {
        const map = new AddressMap(real);
        for (const a of real) {
          for (const b of real) {
            expect(Math.sign(map.toSimulated(a) - map.toSimulated(b))).toBe(Math.sign(a - b));
            if (Math.floor(a / TIB) === Math.floor(b / TIB))
              expect(map.toSimulated(a) - map.toSimulated(b)).toBe(a - b);
          }
        }
      }),
    );
  });

  it('eight TiB fit, nine do not', () => {
    const regions = (count: number): number[] => Array.from({ length: count }, (_, i) => 7 * i * TIB + i);
    expect(new AddressMap(regions(8)).toSimulated(49 * TIB)).toBe(7 * TIB);
    expect(() => new AddressMap(regions(9))).toThrow(RangeError);
    expect(() => new AddressMap(regions(9))).toThrow('9 different TiB');
  });

  it('a page of a TiB that was not announced is an error, not another page', () => {
    expect(() => new AddressMap([1, 5 * TIB]).toSimulated(3 * TIB)).toThrow(RangeError);
  });

  it('announces every page that a recording names', () => {
    const far = recording(
      [
        exec(),
        touch(1, 2, 9 * TIB),
        {
          kind: 'read',
          tid: 1,
          start: 3,
          end: 4,
          ofd: 1,
          file: 0,
          offset: 0,
          length: 1,
          result: 1,
          buffers: [{ page: 11 * TIB, offset: 0, length: 1 }],
        },
        { kind: 'munmap', tid: 1, start: 5, end: 6, page: 13 * TIB, length: 4096, result: 0 },
        exit(1, 9),
      ],
      [file(0, 8)],
    );
    const map = addressMapOf(far);
    expect([0x400, 9 * TIB, 11 * TIB, 13 * TIB].map((page) => map.toSimulated(page))).toEqual([
      0x400,
      TIB,
      2 * TIB,
      3 * TIB,
    ]);
    for (const name of BUNDLED) {
      const real = addressMapOf(bundled(name));
      for (const rec of bundled(name).records)
        if (rec.kind === 'touch') expect(real.toReal(real.toSimulated(rec.page))).toBe(rec.page);
    }
  });
});
