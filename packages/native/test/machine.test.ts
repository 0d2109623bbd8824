// SPDX-License-Identifier: MIT
import { Worker } from 'node:worker_threads';
import { PRIMITIVES } from '@lockless/cpu';
import { NATIVE_PRIMITIVES, STATIC_WORDS } from '@lockless/cpu/native';
import { afterEach, describe, expect, it } from 'vitest';
import { type MachineHandle, MIN_WORDS, NativeMachine } from '../src/index.js';

let machine: NativeMachine | null = null;
afterEach(() => {
  machine?.detach();
  machine = null;
});

const codeOf = (call: () => unknown): string => {
  try {
    call();
  } catch (error) {
    return `${(error as { code?: string }).code ?? (error as Error).name}: ${(error as Error).message}`;
  }
  return 'none';
};

/** Runs a module in a worker; what it posts. */
function inWorker(source: string, workerData: unknown): Promise<unknown> {
  const program = `import { parentPort, workerData } from 'node:worker_threads';\n${source}`;
  const url = new URL(`data:text/javascript,${encodeURIComponent(program)}`);
  const worker = new Worker(url, { workerData, execArgv: [] });
  return new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
}

const library = import.meta.resolve('@lockless/native').replace('/src/index.ts', '/dist/index.js');
const vocabulary = import.meta.resolve('@lockless/cpu/native');
/** A worker that has static data of its own and says how its attach() went. */
const attachWith = (define: string): string => `
  const { staticData } = await import('${vocabulary}');
  const { NativeMachine } = await import('${library}');
  ${define}
  let said = 'attached';
  try { NativeMachine.attach(workerData, { name: 'w' }).detach(); } catch (error) { said = error.code + ': ' + error.message; }
  parentPort.postMessage(said);`;

describe('a machine', () => {
  it('has room for static data, engine and heap', () => {
    machine = NativeMachine.create({ words: MIN_WORDS });
    expect(machine.cpu).toBe(0);
    expect(machine.threads).toBe(64);
    expect(machine.freeWords()).toBeGreaterThan(10_000);
    expect(machine.describe(STATIC_WORDS)).toBe(`word ${STATIC_WORDS}`);
  });

  it('tells what is wrong with what it is asked for', () => {
    expect(codeOf(() => NativeMachine.create({ words: 1000 }))).toMatch(
      /^ERR_OUT_OF_MEMORY: a machine has \d+ to \d+ words, not 1000$/,
    );
    expect(codeOf(() => NativeMachine.create({ threads: 65 }))).toMatch(
      /^ERR_TOO_MANY_THREADS: a machine has 1 to 64 threads, not 65$/,
    );
    machine = NativeMachine.create();
    expect(codeOf(() => NativeMachine.create())).toMatch(/^ERR_ATTACHED: this thread takes part in a machine already/);
  });

  it('tells what is wrong with what somebody attaches to', () => {
    const buffer = new SharedArrayBuffer(MIN_WORDS * 4);
    const handle = (change: object): MachineHandle =>
      ({ type: 'lockless-machine', version: 2, buffer, ...change }) as MachineHandle;
    const attach = (it: unknown): string => codeOf(() => NativeMachine.attach(it as MachineHandle));
    expect(attach({})).toMatch(/^ERR_NOT_A_MACHINE: attach\(\) expects what share\(\)/);
    expect(attach(undefined)).toMatch(/^ERR_NOT_A_MACHINE/);
    expect(attach(handle({ buffer: new ArrayBuffer(64) }))).toMatch(/^ERR_NOT_SHARED: .* not cross-origin isolated$/);
    expect(attach(handle({}))).toMatch(/^ERR_NOT_A_MACHINE: there is no machine in this memory of \d+ words$/);
    machine = NativeMachine.create();
    const shared = machine.share();
    machine.detach();
    machine = null;
    new Int32Array(shared.buffer)[STATIC_WORDS + 1] = 9;
    expect(attach(shared)).toBe('ERR_VERSION: the machine was made by version 9 of its layout, this thread has 2');
    new Int32Array(shared.buffer)[STATIC_WORDS + 1] = 2;
    machine = NativeMachine.attach(shared);
  });

  it('has so many slots for threads and no more', async () => {
    machine = NativeMachine.create({ threads: 1, name: 'the only one' });
    const said = await inWorker(attachWith(''), machine.share());
    expect(said).toBe(
      'ERR_TOO_MANY_THREADS: the machine has room for 1 threads (at most 64), and all are attached: the only one',
    );
  });

  it('cannot be left while a lock is held', () => {
    machine = NativeMachine.create();
    machine.words[40 * (1 << 14)] = 0;
    const lock = 40 * (1 << 14);
    const spin = NATIVE_PRIMITIVES.find(({ name }) => name === 'spin_lock');
    const unlock = NATIVE_PRIMITIVES.find(({ name }) => name === 'spin_unlock');
    spin?.fast(lock);
    expect(codeOf(() => machine?.detach())).toBe(
      `ERR_ATTACHED: thread 0 cannot detach while it holds or waits for spin lock word ${lock}`,
    );
    unlock?.fast(lock);
    expect(codeOf(() => unlock?.fast(lock))).toMatch(
      /^KernelBug: unlock of the lock at \d+ by CPU 0: nobody holds it$/,
    );
  });
});

describe('two threads agree on static data', () => {
  const first = "const one = staticData(50, 'first'); one.defineWord('a'); one.defineWord('b');";
  const second = "const two = staticData(51, 'second'); two.definePerCpuWord('c'); two.functionPointer('f', () => 1);";

  it('whatever the order in which they load their packages', async () => {
    machine = NativeMachine.create();
    expect(await inWorker(attachWith(first + second), machine.share())).toBe('attached');
    expect(await inWorker(attachWith(second + first), machine.share())).toBe('attached');
    expect(await inWorker(attachWith(second), machine.share())).toBe('attached');
    expect(machine.describe(51 * (1 << 14))).toBe('c');
    expect(machine.describe(51 * (1 << 14) + 3 * 16)).toBe('c[3]');
  });

  it.each([
    [
      'in another order',
      "const one = staticData(50, 'first'); one.defineWord('b'); one.defineWord('a');",
      /b of first has 1 words at 819200 here, and 1 words at 819216 there/,
    ],
    ['more than there', `${first} one.defineWord('z');`, /first has a static z here, and none there/],
    [
      'less than there',
      "const one = staticData(50, 'first'); one.defineWord('a');",
      /first has a static b there, and none here/,
    ],
    ['of another package', "staticData(50, 'third').defineWord('a');", /segment 50 is third's here, and first's there/],
  ])('or are told: static data %s', async (_, define, message) => {
    machine = NativeMachine.create();
    expect(await inWorker(attachWith(first), machine.share())).toBe('attached');
    const said = await inWorker(attachWith(define), machine.share());
    expect(said).toMatch(
      /^ERR_LAYOUT: this thread does not fit the machine: .*; all threads must load the same version$/,
    );
    expect(said).toMatch(message);
    expect(machine.allThreads().length).toBe(1);
  });
});

it('each primitive of the one table has its row in the native one', () => {
  const sorted = (names: readonly string[]): readonly string[] => [...names].sort();
  expect(sorted(NATIVE_PRIMITIVES.map(({ name }) => name))).toEqual(sorted(PRIMITIVES.map(({ name }) => name)));
});
