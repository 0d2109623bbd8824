// SPDX-License-Identifier: GPL-2.0-only
import { eventCountNotify, type Ptr } from '@lockless/cpu/native';
import { type MapLookup, mapLookup } from '@lockless/lookup/map';
import { type MachineHandle, type MachineOptions, NativeMachine, type ThreadOptions } from '@lockless/native';
import { radixTreeReclaimerDied, radixTreeSettleDoubts, radixTreeThreadDied } from '@lockless/radix-tree/native';
import { bootUrcu, rcuBooted, rcuThreadDied, urcuTryReclaim } from '@lockless/rcu/native';
import { type ValueMap, valueMapEvents, valueMapTakeOver, valueMapThreadDied } from '@lockless/value-map/native';
import { SharedMapError } from './error.js';

/** Values that this thread retires before it looks whether they can be freed. */
const RECLAIM_AFTER = 64;

/** The machine that this thread's maps live in: one, as a thread takes part in one machine at a time. */
export class Home {
  readonly machine: NativeMachine;
  /** Tells the handles of one machine from those of others. */
  readonly id: string;
  readonly lookup: MapLookup;
  /** Threads after which this one tidied up. */
  deaths = 0;
  /** Made here, so the last map that is detached detaches the machine. */
  private readonly own: boolean;
  private maps = 0;
  private retired = 0;

  private constructor(machine: NativeMachine, id: string, own: boolean) {
    this.machine = machine;
    this.id = id;
    this.own = own;
    if (!rcuBooted()) bootUrcu(machine.threads);
    this.lookup = mapLookup(machine);
    machine.repairLock('value_map.lock', (_lock, base, cpu) => {
      valueMapTakeOver(base as Ptr<ValueMap>, cpu);
      return true;
    });
    machine.repairLock('urcu_callbacks.reclaim', (_lock, _base, cpu) => {
      radixTreeReclaimerDied(cpu);
      return true;
    });
    // Also when an error ends a wait for readers: the next grace period must be able to begin.
    machine.onAbandoned(rcuThreadDied);
    machine.onThreadDeath(({ cpu }) => {
      this.deaths += 1;
      radixTreeThreadDied(cpu);
      valueMapThreadDied(cpu);
      // Its lock is released by now.
      eventCountNotify(valueMapEvents);
    });
  }

  private static current: Home | null = null;

  /** The machine of this thread's maps, or a new one. */
  static make(options: MachineOptions): Home {
    Home.current ??= new Home(NativeMachine.create(options), newId(), true);
    return Home.current;
  }

  /** A machine of the caller's. */
  static of(machine: NativeMachine, id: string = newId()): Home {
    if (Home.current?.machine !== machine) Home.current = new Home(machine, id, false);
    return Home.current;
  }

  /** The machine of a handle. */
  static attach(handle: MachineHandle, id: string, options: ThreadOptions): Home {
    if (Home.current?.id === id) return Home.current;
    if (Home.current !== null)
      throw new SharedMapError(
        'ERR_OTHER_MACHINE',
        "this thread's maps live in another memory: detach() them first, or create all maps with one machine",
      );
    Home.current = new Home(NativeMachine.attach(handle, options), id, true);
    return Home.current;
  }

  enter(): void {
    this.maps += 1;
  }

  leave(): void {
    this.maps -= 1;
    if (this.maps > 0) return;
    this.reclaim();
    if (this.own) this.machine.detach();
    if (Home.current === this) Home.current = null;
  }

  /** A value left a map. */
  retire(): void {
    this.retired += 1;
  }

  /** Now and then, frees what no reader can see any more. *Context*: not inside a reader. */
  tidyUp(): void {
    if (this.retired < RECLAIM_AFTER) return;
    this.retired = 0;
    this.reclaim();
  }

  /** Frees what no reader can see any more. False: another thread is at it. *Context*: not inside a reader. */
  reclaim(): boolean {
    const done = this.machine.run(() => radixTreeSettleDoubts() && urcuTryReclaim());
    if (done) eventCountNotify(valueMapEvents);
    return done;
  }
}

/** Of the memory, not of this thread: it goes with the handles. */
const newId = (): string => `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
