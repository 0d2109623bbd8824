// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest';
import { lkmm, sc, tso } from '../src/index.js';
import { type Code, count, mb, type Program, program, R, rmw, W } from './program.js';

const models = [sc, tso, lkmm];

describe('counts', () => {
  it('rings of store buffering', () => {
    for (let n = 2; n <= 4; n++) {
      const ring = (between: Code): Program =>
        program(...Array.from({ length: n }, (_, i) => [W(`x${i}`), between, R(`x${(i + 1) % n}`)]));
      expect(models.map((model) => count(model, ring([])))).toEqual([2 ** n - 1, 2 ** n, 2 ** n]);
      expect(models.map((model) => count(model, ring(mb)))).toEqual([2 ** n - 1, 2 ** n - 1, 2 ** n - 1]);
    }
  });
  it('increments of one word: n!; readers of a word each: 2^n', () => {
    const increments = (n: number): Program => program(...Array.from({ length: n }, () => rmw('x', 'once')));
    expect([1, 2, 3, 4].map((n) => models.map((model) => count(model, increments(n))))).toEqual(
      [1, 2, 6, 24].map((k) => [k, k, k]),
    );
    const readers = program(
      Array.from({ length: 5 }, (_, i) => W(`x${i}`)),
      ...Array.from({ length: 5 }, (_, i) => R(`x${i}`)),
    );
    expect(models.map((model) => count(model, readers))).toEqual([32, 32, 32]);
  });
});
