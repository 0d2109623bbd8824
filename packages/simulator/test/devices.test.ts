// SPDX-License-Identifier: MIT
import type { Op, Ptr } from '@lockless/cpu';
import {
  Completion,
  complete,
  definePerCpuWord,
  defineStatic,
  defineWord,
  inIrq,
  initCompletion,
  irqsDisabled,
  load,
  peek,
  readOnce,
  type StructOf,
  schedule,
  setCurrentState,
  signalPending,
  smpProcessorId,
  store,
  struct,
  submitIo,
  TASK_INTERRUPTIBLE,
  TASK_RUNNING,
  TASK_UNINTERRUPTIBLE,
  type TaskStruct,
  waitForCompletion,
  wakeUpProcess,
  writeOnce,
} from '@lockless/cpu';
import { describe, expect, it } from 'vitest';
import { Machine } from '../src/index.js';

interface Request {
  sector: number;
  data: number;
  error: number;
}
const Request: StructOf<Request> = struct<Request>('request', { sector: 1, data: 1, error: 1 });
const requests: Ptr<Request>[] = Array.from({ length: 8 }, (_, i) => defineStatic(Request, `request_${i}`));
const done = defineStatic(Completion, 'request_done');
const errors = defineWord('errors');
const shared = defineWord('shared_counter');
const ticks = definePerCpuWord('ticks_seen');
const DISK = 1;

function attachDisk(machine: Machine, queueDepth: number, served: { time: number }[]): void {
  machine.attachDevice(DISK, {
    latency: (_, random) => 1000 + random.below(500),
    queueDepth,
    service: (request, words, fails) => {
      served.push({ time: machine.time });
      words[Request.error(request as Ptr<Request>)] = fails('eio') ? -5 : 0;
      words[Request.data(request as Ptr<Request>)] = words[Request.sector(request as Ptr<Request>)] * 2;
    },
    *interrupt() {
      if (!inIrq() || !irqsDisabled()) throw new Error('not in interrupt context');
      yield* complete(done);
    },
  });
}

function* readAll(): Op<void> {
  for (const [i, request] of requests.entries()) {
    yield* store(Request.sector(request), i + 1);
    yield* submitIo(DISK, request);
  }
  for (const _ of requests) yield* waitForCompletion(done);
  for (const [i, request] of requests.entries()) {
    if ((yield* load(Request.error(request))) !== 0) yield* store(errors, (yield* load(errors)) + 1);
    else if ((yield* load(Request.data(request))) !== (i + 1) * 2) throw new Error('wrong data');
  }
}

describe('devices', () => {
  it.each(['sc', 'tso', 'weak'] as const)('transfers data and interrupts a CPU, in virtual time (%s)', (model) => {
    for (let seed = 1; seed <= 20; seed++) {
      const served: { time: number }[] = [];
      const machine = new Machine({ cpus: 3, model, seed });
      machine.boot(initCompletion(done));
      attachDisk(machine, 2, served);
      machine.spawn('reader', readAll);
      const outcome = machine.run();
      expect(outcome.violation?.report() ?? outcome.status).toBe('finished');
      expect(served.length).toBe(8);
      // Two at a time: four rounds of at least 1000 ns.
      expect(outcome.time).toBeGreaterThan(4000);
      expect(outcome.time).toBeLessThan(20_000);
      expect(machine.statistics.deviceInterrupts).toBe(8);
    }
  });

  it('fails requests at the rate asked for', () => {
    let failed = 0;
    for (let seed = 1; seed <= 30; seed++) {
      const machine = new Machine({ cpus: 2, seed, inject: { eio: 0.3 } });
      machine.boot(initCompletion(done));
      attachDisk(machine, 1, []);
      machine.spawn('reader', readAll);
      expect(machine.run().status).toBe('finished');
      failed += machine.heap.words[errors];
    }
    expect(failed).toBeGreaterThan(40);
    expect(failed).toBeLessThan(110);
  });
});

describe('hooks', () => {
  it('ticks on every CPU, tells user mode from kernel mode, runs softirqs outside interrupts', () => {
    const seen = { user: 0, kernel: 0, softirq: 0, switches: 0, idle: 0 };
    const machine = new Machine({
      cpus: 2,
      timerTick: 1000,
      hooks: {
        *onTick(cpu, user) {
          if (cpu !== smpProcessorId()) throw new Error('on the wrong CPU');
          seen[user ? 'user' : 'kernel']++;
          yield* store(ticks(cpu), (yield* load(ticks(cpu))) + 1);
        },
        *onSoftirq(cpu) {
          if (inIrq()) throw new Error('in hardirq context');
          seen.softirq++;
          yield* load(ticks(cpu));
        },
        *onContextSwitch(cpu) {
          seen.switches++;
          yield* load(ticks(cpu));
        },
        *onIdle(cpu) {
          seen.idle++;
          yield* load(ticks(cpu));
        },
      },
    });
    machine.spawn(
      'busy',
      function* () {
        for (let i = 0; i < 5000; i++) yield* load(shared);
        for (let i = 0; i < 10; i++) {
          yield* machine.user(2000);
          yield* schedule();
        }
      },
      { cpu: 0 },
    );
    expect(machine.run().status).toBe('finished');
    expect(seen.kernel).toBeGreaterThan(5);
    expect(seen.user).toBeGreaterThan(20);
    expect(seen.softirq).toBe(machine.statistics.softirqs);
    expect(seen.switches).toBeGreaterThan(0);
    expect(seen.idle).toBeGreaterThan(0);
    expect(machine.heap.words[ticks(0)] + machine.heap.words[ticks(1)]).toBe(seen.user + seen.kernel);
  });

  it('starts tasks from kernel code, and daemons keep nothing alive', () => {
    const machine = new Machine({ cpus: 4 });
    let children = 0;
    machine.spawn(
      'daemon',
      function* () {
        for (;;) yield* schedule();
      },
      { daemon: true },
    );
    machine.spawn('parent', function* () {
      for (let i = 0; i < 10; i++) {
        yield* writeOnce(shared, i);
        machine.spawn(
          `child${i}`,
          function* () {
            if ((yield* readOnce(shared)) < i) throw new Error('the child does not see what its parent did');
            children++;
          },
          { pid: 100 + i, tgid: 100 },
        );
      }
    });
    expect(machine.run().status).toBe('finished');
    expect(children).toBe(10);
  });

  it('lets a task compute for the time it asked for, whatever interrupts it', () => {
    const machine = new Machine({ cpus: 1, timerTick: 1000, timeSlice: 1000 });
    const ends: number[] = [];
    for (let i = 0; i < 2; i++)
      machine.spawn(`computes${i}`, function* () {
        yield* machine.user(50_000);
        yield* load(shared);
        ends.push(machine.time);
      });
    expect(machine.run().status).toBe('finished');
    expect(machine.statistics.preemptions).toBeGreaterThan(10);
    expect(ends[0]).toBeGreaterThan(90_000);
    expect(ends[1]).toBeGreaterThan(100_000);
    expect(ends[1]).toBeLessThan(200_000);
  });

  it('tells that a task hangs although daemons go on', () => {
    const machine = new Machine({ cpus: 2, timerTick: 1e6, hungTaskTime: 1e9 });
    const daemon: Ptr<TaskStruct> = machine.spawn(
      'daemon',
      function* () {
        for (;;) {
          machine.addTimer(1e8, 'wake daemon', function* () {
            yield* wakeUpProcess(daemon);
          });
          yield* setCurrentState(TASK_UNINTERRUPTIBLE);
          yield* schedule();
        }
      },
      { daemon: true },
    );
    machine.spawn('hangs', function* () {
      yield* setCurrentState(TASK_UNINTERRUPTIBLE);
      yield* schedule();
    });
    const { violation } = machine.run();
    expect(violation?.message).toBe('nothing can wake hangs');
  });

  it('wakes interruptible sleepers by injected signals', () => {
    const machine = new Machine({ cpus: 1, inject: { signal: 0.5 } });
    machine.spawn('sleeper', function* () {
      yield* setCurrentState(TASK_INTERRUPTIBLE);
      while (!(yield* signalPending())) {
        yield* schedule();
        yield* setCurrentState(TASK_INTERRUPTIBLE);
      }
      yield* setCurrentState(TASK_RUNNING);
    });
    expect(machine.run().status).toBe('finished');
  });
});

describe('invariants', () => {
  /** Both words change together, in two steps. */
  const pair = [defineWord('pair_0'), defineWord('pair_1')];
  function* change(machine: Machine, times: number): Op<void> {
    for (let i = 0; i < times; i++) {
      for (const word of pair) yield* writeOnce(word, (yield* readOnce(word)) + 1);
      yield* machine.user(200);
    }
  }
  const equal = () => (peek(pair[0]) === peek(pair[1]) ? null : `${peek(pair[0])} and ${peek(pair[1])}`);

  it.each(['sc', 'tso', 'weak'] as const)('hold at quiescence, where all tasks are in user mode (%s)', (model) => {
    const machine = new Machine({ cpus: 2, model, timerTick: 500 });
    machine.addInvariant({ name: 'pair-equal', atQuiescence: true, atEnd: true, check: equal });
    machine.spawn('changer', () => change(machine, 400));
    const outcome = machine.run();
    expect(outcome.violation?.report() ?? outcome.status).toBe('finished');
    expect(outcome.invariants[0].checked).toBeGreaterThan(5);
    expect(outcome.invariants[0].violations).toBe(0);
  });

  it('are broken in the middle, and at the end when they are', () => {
    const middle = new Machine({ cpus: 2, timerTick: 100 });
    middle.addInvariant({ name: 'pair-equal', everyTicks: 1, check: equal });
    middle.spawn('changer', () => change(middle, 2000));
    const broken = middle.run();
    expect(broken.status).toBe('violation');
    expect(broken.violation?.message).toMatch(/^pair-equal: \d+ and \d+$/);

    const end = new Machine();
    end.addInvariant({ name: 'pair-zero', check: () => (peek(pair[0]) === 0 ? null : 'not zero') });
    end.spawn('changer', () => change(end, 1));
    expect(end.run().violation?.kind).toBe('invariant');
  });
});
