// SPDX-License-Identifier: MIT
import { afterEach, beforeEach, expect, it } from 'vitest';
import { defineGuard, guards, installEngine, omitGuards, SequentialEngine, takeAskedGuards } from '../src/index.js';

const first = defineGuard('guardTest.first', 'goes on');
const second = defineGuard('guardTest.second', 'goes on');

beforeEach(() => void installEngine(new SequentialEngine()));
afterEach(() => void installEngine(null));

it('is in force until boot code takes it away, on that machine only', () => {
  expect(first()).toBe(true);
  omitGuards(['guardTest.first']);
  expect([first(), second()]).toEqual([false, true]);
  installEngine(new SequentialEngine());
  expect(first()).toBe(true);
});

it('has a name of its own, and only defined ones can be taken away', () => {
  expect(() => defineGuard('guardTest.first', '')).toThrow('guard guardTest.first is defined twice');
  expect(() => omitGuards(['guardTest.third'])).toThrow("unknown guard 'guardTest.third'");
  expect(guards().map(({ name }) => name)).toEqual(expect.arrayContaining(['guardTest.first', 'guardTest.second']));
});

it('that code came to is known', () => {
  takeAskedGuards();
  second();
  second();
  expect(takeAskedGuards()).toEqual([{ name: 'guardTest.second', without: 'goes on' }]);
  expect(takeAskedGuards()).toEqual([]);
});

it('natively somebody may be told which guards are asked for', async () => {
  const asked: string[] = [];
  const surroundings = globalThis as { locklessOnGuard?: (name: string) => void; locklessWithout?: string[] };
  surroundings.locklessOnGuard = (name) => void asked.push(name);
  surroundings.locklessWithout = ['native.left'];
  const { defineGuard: define } = await import('../src/guard.native.js');
  delete surroundings.locklessOnGuard;
  delete surroundings.locklessWithout;
  const [kept, left] = [define('native.kept', 'nothing'), define('native.left', 'nothing')];
  expect([left(), kept(), left()]).toEqual([false, true, false]);
  expect(asked).toEqual(['native.left', 'native.kept', 'native.left']);
});
