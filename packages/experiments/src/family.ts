// SPDX-License-Identifier: GPL-2.0-only
import { type FunctionPointer, functionPointer, NULL, type Op, type Ptr } from '@lockless/cpu';
import {
  adoptMm,
  buildMm,
  dupMm,
  exitMm,
  PROT_READ,
  PROT_WRITE,
  type Segment,
  userAccess,
  userWrite,
} from '@lockless/mm';
import type { MmStruct } from '@lockless/mm-types';
import {
  anonmmReverseMapping,
  areaReverseMapping,
  objReverseMapping,
  pteChainReverseMapping,
  type ReverseMapping,
  rmapStatistics,
  selectReverseMapping,
} from '@lockless/rmap';
import { CachedFile, type CachedFileOptions } from './cached-file.js';

/** The reverse mappings that are compared: the one before first. */
const REVERSE_MAPPINGS: readonly ReverseMapping[] = [
  pteChainReverseMapping,
  objReverseMapping,
  anonmmReverseMapping,
  areaReverseMapping,
];
export const RMAP_DESIGNS: readonly string[] = REVERSE_MAPPINGS.map(({ name }) => name);

/** Where a program has its own data, and where it maps the file. */
const DATA = 0x1000;
export const TEXT = 0x8000;
const RW = PROT_READ | PROT_WRITE;

/** What something took. */
export interface Cost {
  readonly ns: number;
  readonly accesses: number;
}
export const NOTHING: Cost = { ns: 0, accesses: 0 };
export const plus = (a: Cost, b: Cost): Cost => ({ ns: a.ns + b.ns, accesses: a.accesses + b.accesses });

interface Calls {
  readonly calls: number;
  readonly cost: Cost;
}

/** Processes with data of their own, who map one cached file, on a machine that keeps account of the reverse mapping's share of its time. */
export class Family extends CachedFile {
  /** Calls of page_add_*_rmap() and page_remove_rmap() since {@link forget}, and what they took. */
  adding: Calls = { calls: 0, cost: NOTHING };
  removing: Calls = { calls: 0, cost: NOTHING };

  constructor(design: string, options: Omit<CachedFileOptions, 'rmap' | 'generation'>) {
    super(options);
    this.machine.boot(selectReverseMapping(this.watched(design)));
  }

  /** The design, with a clock at its doors. */
  private watched(design: string): FunctionPointer<ReverseMapping> {
    const found = REVERSE_MAPPINGS.find(({ name }) => name === design);
    if (found === undefined) throw new Error(`no reverse mapping is called ${design}`);
    const add =
      <A extends unknown[]>(call: (...args: A) => Op<void>) =>
      (...args: A): Op<void> =>
        this.count('adding', call(...args));
    return functionPointer<ReverseMapping>(`${design} with a clock`, {
      ...found,
      pageAddAnonRmap: add(found.pageAddAnonRmap),
      pageAddNewAnonRmap: add(found.pageAddNewAnonRmap),
      pageAddFileRmap: add(found.pageAddFileRmap),
      pageDupRmap: add(found.pageDupRmap),
      pageRemoveRmap: (page, ptep) => this.count('removing', found.pageRemoveRmap(page, ptep)),
    });
  }

  private *count(what: 'adding' | 'removing', op: Op<void>): Op<void> {
    const cost = yield* this.cost(op);
    this[what] = { calls: this[what].calls + 1, cost: plus(this[what].cost, cost) };
  }

  forget(): void {
    this.adding = { calls: 0, cost: NOTHING };
    this.removing = { calls: 0, cost: NOTHING };
  }

  /** Does it, and says what it took. */
  *cost(op: Op<unknown>): Op<Cost> {
    const { machine } = this;
    const [ns, accesses] = [machine.cpuTime, machine.statistics.accesses];
    yield* op;
    return { ns: machine.cpuTime - ns, accesses: machine.statistics.accesses - accesses };
  }

  /** As {@link cost}, with an empty cache in the beginning: between two system calls programs use it for themselves. */
  *coldCost(op: Op<unknown>): Op<Cost> {
    this.machine.coherence?.empty();
    return yield* this.cost(op);
  }

  /** Bytes that the reverse mapping takes, apart from struct page. From kernel code. */
  bytes(): number {
    return rmapStatistics(this.machine.heap.live).bytes;
  }

  /** The areas of a program: data, and the file. */
  *segments(data: number, text: number): Op<Segment[]> {
    const file = yield* this.open();
    return [
      { start: DATA, end: DATA + data, prot: RW, shared: false, file: NULL, pgoff: DATA },
      { start: TEXT, end: TEXT + text, prot: PROT_READ, shared: false, file, pgoff: 0 },
    ];
  }

  /** A new program. */
  *program(segments: readonly Segment[]): Op<Ptr<MmStruct>> {
    return memory(yield* buildMm({ segments, brk: 0x100, mmapBase: 0x70000, pid: 1 }));
  }
}

const memory = (mm: Ptr<MmStruct> | 0): Ptr<MmStruct> => {
  if (mm === NULL) throw new Error('no memory for a process');
  return mm;
};

/** The current task's program writes its data and reads its text, each page once. */
export function* touch(data: number, text: number): Op<void> {
  for (let i = 0; i < data; i++) yield* userWrite(DATA + i, { identity: -1 - i, version: 1 });
  for (let i = 0; i < text; i++) yield* userAccess(TEXT + i, 'read');
}

/** fork(): the child's memory. */
export function* fork(parent: Ptr<MmStruct>): Op<Ptr<MmStruct>> {
  return memory(yield* dupMm(parent));
}

/** The task becomes that process, and exits. */
export function* exit(mm: Ptr<MmStruct>): Op<void> {
  yield* adoptMm(mm);
  yield* exitMm();
}
