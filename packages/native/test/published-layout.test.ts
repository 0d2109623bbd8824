// SPDX-License-Identifier: MIT
import { staticData, struct } from '@lockless/cpu/native';
import { expect, it } from 'vitest';
import { NativeMachine } from '../src/index.js';

it('two slab caches of one struct are not taken for each other', () => {
  const { kmemCacheCreate } = staticData(62, 'twins');
  const Twin = struct<{ value: number }>('twin', { value: 1 });
  const [first, second] = [kmemCacheCreate(Twin), kmemCacheCreate(Twin)];
  const machine = NativeMachine.create({ threads: 1 });
  try {
    // The first call publishes, the second compares.
    expect(machine.share()).toEqual(machine.share());
    expect(first.id).not.toBe(second.id);
  } finally {
    machine.detach();
  }
});
