// SPDX-License-Identifier: MIT
import { functionName, PRIMITIVES, type Primitive } from '@lockless/cpu';
import type { Names } from './names.js';
import { outOfOrder } from './order.js';

import type { Step } from './result.js';
import { stepFrames } from './sites.js';
import type { Snapshot, SnapshotEvent } from './snapshot.js';
import { WEAKENED } from './weaken.js';

export interface StepContext {
  readonly execution: Snapshot;
  readonly names: Names;
  /** Name of the ordering site of an event. */
  readonly siteOf: (event: SnapshotEvent) => string;
  /** What an event is marked with: `waits for ever`. */
  readonly notes: ReadonlyMap<SnapshotEvent, string>;
}

/** The access in words. */
function wordsOf(event: SnapshotEvent, { names, execution }: StepContext, old: number): string {
  const primitive = PRIMITIVES[event.code];
  const { name } = primitive;
  const { address, operand, read } = event;
  const place = names.place(address);
  const stored = (execution.coherence.get(address) ?? []).map(({ written }) => written ?? 0);
  const holdsPointers = [execution.initial(address), ...stored].some((word) => names.isPointer(word));
  const value = (word: number): string => (word === 0 && holdsPointers ? 'NULL' : names.value(word, place));
  switch (primitive.event) {
    case 'R':
      return `${name}(${place}) = ${value(read ?? 0)}`;
    case 'W':
      if (event.written === null) return `${name}(${place}): full barrier`;
      return `${name}(${place}): ${value(old)} -> ${value(event.written)}`;
    case 'RMW':
      return readModifyWrite(event, primitive, place, value);
    case 'LF':
      return `${name}(${place})${event.written === null ? ' fails' : ''}`;
    case 'ALLOC':
      return `${name}() = ${typeof event.result === 'number' && event.result !== 0 ? names.value(event.result) : 'NULL'}`;
    case 'FREE':
      return `${name}(${names.value(address)})`;
    case 'CALL_RCU':
      return `${name}(${names.value(address)}, ${functionName(operand)})`;
    case 'CHOOSE':
      return `${name}(${operand}) = ${event.result}`;
    case 'WAKE':
      return `${name}(${names.value(address)})${event.written === null ? ', which is awake' : ''}`;
    case 'LK':
    case 'UL':
    case 'RLK':
    case 'RUL':
      return `${name}(${place})`;
    default:
      return `${name}()`;
  }
}

function readModifyWrite(
  event: SnapshotEvent,
  { name, operation }: Primitive,
  place: string,
  value: (word: number) => string,
): string {
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
  if (event.weakened) parts.push(`weakened to ${WEAKENED[event.code]}`);
  const given = notes.get(event);
  if (given !== undefined) parts.push(given);
  return parts.length === 0 ? null : parts.join('; ');
}
