// SPDX-License-Identifier: MIT
import type { Access, Engine, Ptr } from '@lockless/cpu';
import { enterCpu, installEngine, KernelBug, PRIMITIVES, TaskStruct } from '@lockless/cpu';
import type { AccessSite } from './execution.js';
import type { Machine } from './machine.js';
import * as N from './node.js';
import { Nondeterminism } from './nondeterminism.js';
import type { Run } from './run.js';
import { Locations, type Scope } from './scope.js';
import { Sites } from './stack.js';
import { fenceMatters, type Meaning, meaningOf, WEAKENABLE } from './translate.js';

const SUSPENDED: IteratorResult<Access<unknown>, unknown> = {
  done: false,
  value: undefined as unknown as Access<unknown>,
};
/** Accesses of a thread in a row that are no events. */
const MAX_SILENT = 50_000;
const PLAIN_OR_ONCE = N.ACQUIRE | N.RELEASE | N.FULL | N.LOCK;

/** Executes a thread's code, feeding it what is known, and makes a trie node of the first access that is not. */
export class ThreadEngine implements Engine {
  readonly words: Int32Array;
  readonly machine: Machine;
  readonly locations: Locations = new Locations();
  readonly sites: Sites = new Sites();
  readonly scope: Scope;
  private running: Run = null as unknown as Run;
  private thread = 0;
  private readonly done: { done: true; value: unknown } = { done: true, value: undefined };
  private readonly weakened = new Map<AccessSite, boolean>();

  constructor(machine: Machine, scope: Scope) {
    this.machine = machine;
    this.words = machine.words;
    this.scope = scope;
  }

  /** Takes over from the engine before it. */
  install(): void {
    installEngine(this);
  }

  /** Goes on with the code until it needs an answer (node at `run.at`) or ends (the result). Throws what the code throws. */
  resumeKernelCode(run: Run, thread: number): IteratorResult<unknown, unknown> {
    this.running = run;
    this.thread = thread;
    enterCpu(run.cpu);
    return run.generator.next();
  }

  step(access: Access<unknown>): IteratorResult<Access<unknown>, unknown> {
    const run = this.running;
    if (run.suspended) {
      run.suspended = false;
      this.answered(run, run.at as N.TraceNode, run.answer);
      run.part++;
    } else {
      run.begin(access);
      run.parts = this.interpret(run);
    }
    for (; run.part < run.parts.length; run.part++) {
      const meaning = run.parts[run.part];
      if (meaning.kind === N.FENCE && !this.matters(meaning.operation)) {
        this.noteSite(run.access.code);
        continue;
      }
      if (!this.follow(run, meaning)) return SUSPENDED;
    }
    if (PRIMITIVES[run.access.code].event === 'RCU_LOCK') run.cpu.preemptCount++;
    else if (PRIMITIVES[run.access.code].event === 'RCU_UNLOCK') run.cpu.preemptCount--;
    this.done.value = run.result;
    return this.done;
  }

  /** Whether what a word holds in the end shows: somebody looks at it then, or it points to an object, which would be lost otherwise. */
  showsAtEnd(address: number, a: number | undefined, b: number | undefined): boolean {
    const points = (value: number | undefined): boolean =>
      value !== undefined && this.machine.allocated(value) !== null;
    return this.scope.readAtEnd.has(address) || points(a) || points(b);
  }

  private matters(operation: number): boolean {
    return fenceMatters(operation, this.scope.model, this.scope.gracePeriods, this.scope.races);
  }

  /** Answers what needs no event, and tells which events there are otherwise. */
  private interpret(run: Run): readonly Meaning[] {
    const { access } = run;
    const parts = meaningOf(access.code);
    const { event } = PRIMITIVES[access.code];
    switch (event) {
      case 'IO':
        throw new KernelBug('unsupported', 'submit_io(): the checker has no devices');
      case 'ALLOC':
        run.result = this.machine.allocate(this.thread, run.allocations++, access.address);
        return parts;
      case 'FREE':
        for (let { base, size } = this.machine.freed(access.address, access.operand); size > 0; size--)
          this.scope.sharing.touch(this.thread, base + size - 1, true);
        return parts;
      case 'SCHEDULE':
        access.address = TaskStruct.state(run.cpu.current as Ptr<TaskStruct>);
        break;
      case 'WAKE':
        access.address = TaskStruct.state(access.address as Ptr<TaskStruct>);
        break;
      case 'RCU_SYNC':
      case 'CALL_RCU':
        if (!this.scope.gracePeriods) {
          this.scope.gracePeriods = true;
          this.scope.sharing.changed = true;
        }
        if (event === 'RCU_SYNC' && run.cpu.preemptCount !== 0)
          throw new KernelBug('deadlock', 'synchronize_rcu() inside a reader');
        return parts;
      case 'R':
      case 'W':
      case 'RMW':
      case 'LK':
      case 'LF':
      case 'UL':
      case 'RLK':
      case 'RUL':
        break;
      default:
        return parts;
    }
    this.machine.check(access.address);
    const shared = this.scope.sharing.touch(this.thread, access.address, event !== 'R' && event !== 'SCHEDULE');
    if (shared) return parts;
    if ((parts[0].order & PLAIN_OR_ONCE) !== 0 || parts.length > 1 || parts[0].kind === N.RMW) {
      // An event all the same, so the word's other accesses must be events too.
      this.scope.sharing.share(access.address);
      return parts;
    }
    this.noteSite(access.code);
    this.accessOwn(run, parts[0].kind);
    return [];
  }

  /** A load or store of a word that is this thread's alone, or that nobody writes. */
  private accessOwn(run: Run, kind: number): void {
    const { address, operand } = run.access;
    // What the thread itself stores it does not wait for.
    const mayAwait = kind === N.READ && !run.own.has(address);
    if (++run.silent > (mayAwait ? MAX_SILENT : 2 * MAX_SILENT)) {
      // It may go round for ever, for want of a store by a thread that has not run yet: only among events that can be told.
      this.scope.sharing.share(address);
      throw new Nondeterminism('a loop');
    }
    if (kind === N.WRITE) {
      run.own.set(address, operand);
      return;
    }
    const value = run.own.get(address) ?? this.words[address];
    run.result = value;
    const from = this.addressFrom(run, address);
    if (from.length > 0) this.point(run, value, from, run.access.code);
  }

  /** The next event of the access: fed from the path, or the end of what is known (false). */
  private follow(run: Run, meaning: Meaning): boolean {
    const { trial } = run;
    run.silent = 0;
    if (meaning.kind === N.FENCE && meaning.operation <= N.F_BARRIER && this.scope.weaken?.mayWeaken(run.access.code)) {
      if (this.weakens(this.sites.capture(run.access.code, this.step))) return true;
    }
    if (run.next < run.path.length) {
      const node = run.path[run.next];
      if (!isSame(node, run, meaning)) {
        throw new Nondeterminism(`${PRIMITIVES[run.access.code].name}(${run.access.address})`);
      }
      run.next++;
      if (run.next < run.path.length) {
        this.answered(run, node, run.path[run.next].fed);
        return true;
      }
      if (trial === null) return this.suspend(run, node);
      this.answered(run, node, trial.answers[trial.answers.length - 1]);
      return true;
    }
    if (trial === null) {
      return this.suspend(run, this.node(run, meaning));
    }
    return this.tryOut(run, meaning);
  }

  /** The next access of code that is tried out. */
  private tryOut(run: Run, meaning: Meaning): boolean {
    const trial = run.trial as NonNullable<Run['trial']>;
    const node = trial.round[trial.at];
    // A loop that gave up may be followed by one that makes the same accesses: in the last round it has to be in the same place of the code.
    const elsewhere = trial.left <= trial.located && this.sites.capture(run.access.code, this.step) !== node.site;
    if (elsewhere || !isSame(node, run, meaning)) {
      trial.differs = true;
    } else if (--trial.left > 0) {
      this.answered(run, node, trial.answers[trial.at]);
      trial.at = (trial.at + 1) % trial.round.length;
      return true;
    }
    run.at = null;
    return false;
  }

  private suspend(run: Run, node: N.TraceNode): boolean {
    run.at = node;
    if (run.captures) run.site = this.sites.capture(run.access.code, this.step);
    run.suspended = true;
    return false;
  }

  private answered(run: Run, node: N.TraceNode, answer: unknown): void {
    if (node.kind === N.FENCE) return;
    run.result = answer;
    if (typeof answer === 'number' && node.kind !== N.CHOOSE && !node.weakened && this.scope.model === 'lkmm')
      this.point(run, answer, [node.index], node.code);
  }

  /**
   * Notes that a value that may be a pointer comes from these loads. A pointer that the thread has already is not had from a second load of it, unless
   * that is an rcu_dereference(): `page !== readOnce(slot)` compares, and what follows goes through the first one.
   */
  private point(run: Run, value: number, from: readonly number[], code: number): void {
    const object = this.machine.objectAt(value);
    if (object < 0) return;
    const before = run.pointers.get(object);
    if (before !== undefined && PRIMITIVES[code].order !== 'dependency') return;
    run.pointers.set(object, before === undefined ? from : [...new Set([...before, ...from])]);
  }

  private addressFrom(run: Run, address: number): readonly number[] {
    if (run.pointers.size === 0) return [];
    return run.pointers.get(this.machine.objectAt(address)) ?? [];
  }

  /** A node for an access that is new. */
  private node(run: Run, meaning: Meaning): N.TraceNode {
    const { access } = run;
    const orders = WEAKENABLE[access.code] || PRIMITIVES[access.code].order === 'dependency';
    const site = orders ? this.sites.capture(access.code, this.step) : null;
    const weakened = site !== null && this.weakens(site);
    const { kind, operation } = meaning;
    const order = weakened ? meaning.order & ~(N.ACQUIRE | N.RELEASE | N.FULL) : meaning.order;
    const word = kind === N.READ || kind === N.WRITE || kind === N.RMW;
    const location = word ? this.locations.of(access.address, this.words[access.address]) : -1;
    const node = new N.TraceNode(
      kind,
      access.code,
      site ?? run.owner,
      weakened,
      access,
      location,
      operation,
      order,
      run.at,
      run.answer,
    );
    if (kind === N.FENCE && operation === N.F_ALLOC) node.outcome = run.result;
    if (word) node.addressFrom = this.addressFrom(run, access.address);
    return node;
  }

  /** An access that is no event, because it orders nothing here: whoever left its site out must not be told that there is no such site. */
  private noteSite(code: number): void {
    const { weaken } = this.scope;
    if (weaken === undefined || !(WEAKENABLE[code] || PRIMITIVES[code].order === 'dependency')) return;
    // What nobody asks about is met once, where the path is new: for hints.
    const isNew = this.running.trial === null && this.running.next >= this.running.path.length;
    if (!isNew && !weaken.mayWeaken(code)) return;
    this.weakens(this.sites.capture(code, this.step));
  }

  private weakens(site: AccessSite): boolean {
    if (this.scope.weaken === undefined) return false;
    let answer = this.weakened.get(site);
    if (answer === undefined) {
      answer = this.scope.weaken.weakens(site);
      this.weakened.set(site, answer);
    }
    return answer;
  }
}

function isSame(node: N.TraceNode, { access }: Run, meaning: Meaning): boolean {
  return (
    node.code === access.code &&
    node.kind === meaning.kind &&
    node.operation === meaning.operation &&
    node.address === access.address &&
    node.operand === access.operand &&
    node.expected === access.expected
  );
}
