// SPDX-License-Identifier: MIT
import { functionName, PRIMITIVES, type Primitive } from '@lockless/cpu';
import type { Names } from './names.js';
import { outOfOrder } from './order.js';

import type { Step } from './result.js';
import { stepFrames } from './sites.js';
import type { Snapshot, SnapshotEvent } from './snapshot.js';

export interface StepContext {
  readonly execution: Snapshot;
  readonly names: Names;
  /** Name of the ordering site of an event. */
  readonly siteOf: (event: SnapshotEvent) => string;
  /** What an event is marked with: `waits for ever`. */
  readonly notes: ReadonlyMap<SnapshotEvent, string>;
}

/** The access in words. */
function wordsOf(event: SnapshotEvent, { names }: StepContext, old: number): string {
  const primitive = PRIMITIVES[event.code];
  const { name } = primitive;
  const { address, operand, read } = event;
  switch (primitive.event) {
    case 'R': {
      const place = names.place(address);
      return `${name}(${place}) = ${names.value(read ?? 0, place)}`;
    }
    case 'W': {
      const place = names.place(address);
      return `${name}(${place}): ${names.value(old, place)} -> ${names.value(event.written ?? operand, place)}`;
    }
    case 'RMW':
      return readModifyWrite(event, primitive, names);
    case 'LF':
      return `${name}(${names.place(address)})${event.written === null ? ' fails' : ''}`;
    case 'ALLOC':
      return `${name}() = ${read ? names.value(read) : 'NULL'}`;
    case 'FREE':
      return `${name}(${names.value(address)})`;
    case 'CALL_RCU':
      return `${name}(${names.value(address)}, ${functionName(operand)})`;
    case 'CHOOSE':
      return `${name}(${operand}) = ${read}`;
    case 'WAKE':
      return `${name}(${names.value(address)})`;
    case 'LK':
    case 'UL':
    case 'RLK':
    case 'RUL':
      return `${name}(${names.place(address)})`;
    default:
      return `${name}()`;
  }
}

function readModifyWrite(event: SnapshotEvent, { name, operation }: Primitive, names: Names): string {
  const place = names.place(event.address);
  const value = (word: number): string => names.value(word, place);
  const read = event.read ?? 0;
  if (event.written !== null) return `${name}(${place}): ${value(read)} -> ${value(event.written)}`;
  const wanted = operation === 'cmpxchg' ? `, not ${value(event.expected)}` : '';
  return `${name}(${place}) fails: ${value(read)}${wanted}`;
}

/** The steps of a counterexample, from its events in an order that explains them. */
export function stepsOf(order: readonly SnapshotEvent[], context: StepContext): Step[] {
  const numbers = new Map<SnapshotEvent, number>();
  const steps: Step[] = [];
  for (const event of order) {
    numbers.set(event, steps.length + 1);
    steps.push(stepOf(event, numbers, context));
  }
  return steps;
}

function stepOf(event: SnapshotEvent, numbers: ReadonlyMap<SnapshotEvent, number>, context: StepContext): Step {
  const { execution } = context;
  const stores = execution.coherence.get(event.address) ?? [];
  const own = event.written === null ? -1 : stores.indexOf(event);
  const before = own > 0 ? (stores[own - 1].written ?? 0) : own === 0 ? execution.initial(event.address) : 0;
  const { missed, reads } = outOfOrder(event, execution, numbers);
  return {
    number: numbers.get(event) as number,
    thread: execution.threads[event.thread].name,
    position: event.position + 1,
    site: context.siteOf(event),
    text: wordsOf(event, context, before),
    from: missed.length === 0 || !reads ? null : originOf(event, execution),
    note: noteOf(event, missed, numbers, context),
    frames: stepFrames(event.site.frames),
  };
}

const originOf = ({ from }: SnapshotEvent, { threads }: Snapshot): string =>
  from === null ? 'initial' : `${threads[from.thread].name}:${from.position + 1}`;

function noteOf(
  event: SnapshotEvent,
  missed: readonly SnapshotEvent[],
  numbers: ReadonlyMap<SnapshotEvent, number>,
  { notes }: StepContext,
): string | null {
  const parts: string[] = [];
  if (missed.length > 0) {
    const steps = missed.map((store) => numbers.get(store)).sort((a, b) => Number(a) - Number(b));
    parts.push(event.read !== null ? `does not see step ${steps.join(', ')}` : `hits memory before step ${steps[0]}`);
  }
  const given = notes.get(event);
  if (given !== undefined) parts.push(given);
  return parts.length === 0 ? null : parts.join('; ');
}
