// SPDX-License-Identifier: MIT
import type { EventType, Tag } from '@lockless/memory-model';
import type { Position } from './ast.js';
import type { Becomes, Planned, Segment } from './elaborate-event.js';
import type { Term, Value } from './elaborate-value.js';

/** Longer paths, or more of them, are not worked through: the search would not end. */
const MAX_SEGMENTS = 20_000;
const MAX_EVENTS = 100_000;

/** A value, and the loads it was computed from: the syntactic dependency stays where the value does not change, as in `r1 & 0`. */
export interface Operand {
  readonly term: Term;
  readonly loads: readonly Planned[];
}

export const constant = (value: Value): Operand => ({ term: { kind: 'value', value }, loads: [] });

/** Numbers the events and segments of all threads. */
export class Numbers {
  events = 0;
  segments = 0;
}

/** What a new event is; all the rest follows from where it stands. */
export interface NewEvent {
  readonly type: EventType;
  readonly tag: Tag;
  readonly address?: Operand;
  readonly value?: Operand;
  /** Loads on which whether it happens depends, beyond the conditions around it. */
  readonly ctrl?: readonly Planned[];
  /** For the store of a read-modify-write, its load. */
  readonly load?: Planned;
  readonly at: Position;
}

/** Thrown when there are too many paths; the elaboration adds the source. */
export class TooManyPaths extends Error {
  override readonly name = 'TooManyPaths';
}

/** Where symbolic execution stands on one path: the segment that grows, and the registers. */
export class Path {
  readonly #numbers: Numbers;
  readonly segment: Segment;
  readonly registers: Map<string, Operand>;
  /** Loads of the conditions of the `if`s around here. */
  control: readonly Planned[];

  constructor(numbers: Numbers, segment: Segment, registers: Map<string, Operand>, control: readonly Planned[]) {
    this.#numbers = numbers;
    this.segment = segment;
    this.registers = registers;
    this.control = control;
  }

  static start(numbers: Numbers, thread: number, registers: Map<string, Operand>): Path {
    return new Path(numbers, newSegment(numbers, thread, null, 0, null), registers, []);
  }

  event({ type, tag, address, value, ctrl = [], load, at }: NewEvent): Planned {
    if (this.#numbers.events === MAX_EVENTS) throw new TooManyPaths();
    const planned: Planned = {
      id: this.#numbers.events++,
      thread: this.segment.thread,
      type,
      tag,
      address: address?.term ?? null,
      value: value?.term ?? null,
      addr: address?.loads ?? [],
      data: value?.loads ?? [],
      ctrl: union(this.control, ctrl),
      load: load ?? null,
      segment: this.segment,
      at,
      users: [],
    };
    if (address !== undefined) noteUser(address.term, planned);
    if (value !== undefined) noteUser(value.term, planned);
    this.segment.events.push(planned);
    return planned;
  }

  /** Goes both ways: `taken` where the condition holds, `other` where it does not. What is done on one is not seen by the other. */
  branch(
    condition: Term,
    taken: (path: Path) => void,
    other: (path: Path) => void,
    becomes: ByArm = [null, null],
  ): void {
    const { segment } = this;
    const arm = (which: 0 | 1): Path => {
      const below = newSegment(this.#numbers, segment.thread, segment, which, becomes[which]);
      return new Path(this.#numbers, below, new Map(this.registers), this.control);
    };
    const paths = [arm(0), arm(1)] as const;
    segment.end = { kind: 'branch', condition, arms: [paths[0].segment, paths[1].segment] };
    taken(paths[0]);
    other(paths[1]);
  }
}

type ByArm = readonly [Becomes | null, Becomes | null];

function newSegment(
  numbers: Numbers,
  thread: number,
  parent: Segment | null,
  arm: 0 | 1,
  becomes: Becomes | null,
): Segment {
  if (numbers.segments === MAX_SEGMENTS) throw new TooManyPaths();
  const end = { kind: 'finish', registers: new Map() } as const;
  return { id: numbers.segments++, thread, parent, arm, becomes, events: [], end, storesBelow: [] };
}

function noteUser(term: Term, user: Planned): void {
  if (term.kind === 'load' && !term.load.users.includes(user)) term.load.users.push(user);
  else if (term.kind === 'operation') {
    noteUser(term.left, user);
    noteUser(term.right, user);
  }
}

/** Loads of both, each once. */
export function union(a: readonly Planned[], b: readonly Planned[]): readonly Planned[] {
  if (a.length === 0) return b;
  const more = b.filter((load) => !a.includes(load));
  return more.length === 0 ? a : [...a, ...more];
}
