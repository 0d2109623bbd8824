// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest';
import { check } from '../src/index.js';
import { bugs } from './bugs.js';

describe.each(bugs)('$kind in $at', ({ kind, at, model = 'lkmm', broken, fixed }) => {
  it('is found', async () => {
    const result = await check(broken, { model });
    expect(result).toMatchObject({ verdict: 'violated', bound: null, violation: { kind, at } });
  });

  it('is not there when it is mended', async () => {
    const result = await check(fixed, { model });
    expect(result.violation).toBe(undefined);
    expect(result).toMatchObject({ verdict: 'holds', bound: null });
  });
});
