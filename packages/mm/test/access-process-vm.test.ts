// SPDX-License-Identifier: GPL-2.0-only
import { EFAULT } from '@lockless/mm-types';
import { expect, it } from 'vitest';
import {
  accessProcessVm,
  FOLL_FORCE,
  MAP_FIXED,
  MAP_SHARED,
  PROT_NONE,
  residentPages,
  sysMprotect,
} from '../src/index.js';
import { anonymous, RW, SequentialMachine } from './sequential-machine.js';

const AT = 2000;
const datum = (identity: number) => ({ identity, version: 1 });

it('a debugger writes to a copy of its own victim, also where that may not write; the relative keeps the old page', () => {
  const machine = new SequentialMachine();
  const parent = machine.process([anonymous(AT, 2)]);
  machine.write(parent, AT, 1);
  const child = machine.fork(parent);
  machine.as(parent, sysMprotect(AT, 2, PROT_NONE));
  expect(machine.run(accessProcessVm(parent, AT, 0, datum(2))).error).toBe(-EFAULT);
  expect(machine.run(accessProcessVm(parent, AT, FOLL_FORCE, datum(2)))).toEqual({ error: 0, content: datum(2) });
  expect(machine.run(accessProcessVm(parent, AT, FOLL_FORCE, null)).content.identity).toBe(2);
  expect(machine.read(child, AT).content.identity).toBe(1);
  machine.exit(child);
  machine.exit(parent);
  expect(machine.verify()).toBeNull();
});

it('what is written to a shared file is dirty there', () => {
  const machine = new SequentialMachine();
  const { file } = machine.file(5, 4096);
  const mm = machine.process();
  machine.mmap(mm, { address: AT, pages: 1, prot: RW, flags: MAP_SHARED | MAP_FIXED, file, pgoff: 0 });
  expect(machine.run(accessProcessVm(mm, AT, 0, datum(2))).content.version).toBe(1);
  expect(machine.look(() => residentPages(mm))).toMatchObject([{ kind: 'file', mapcount: 1 }]);
  expect(machine.run(accessProcessVm(mm, AT + 1, FOLL_FORCE, null)).error).toBe(-EFAULT);
  expect(machine.verify()).toBeNull();
});
