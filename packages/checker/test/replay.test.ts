// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest';
import { check } from '../src/index.js';
import { bugs } from './bugs.js';

describe('a violation replays', () => {
  it.each(bugs.filter(({ kind }) => kind !== 'unreached'))('$kind in $at', async ({ model = 'lkmm', broken }) => {
    const { violation } = await check(broken, { model });
    if (violation === undefined) throw new Error('no violation');
    const again = await check(broken, { model, replay: violation.replay });
    expect(again.violation).toEqual(violation);
  });
});
