// SPDX-License-Identifier: MIT
import TinyQueue from 'tinyqueue';

/** Something that happens at a virtual time. */
export interface TimedEvent {
  time: number;
  /** Order among those of one time. */
  sequence: number;
  /** Timer ticks come back for ever: they alone keep no machine alive. `user`: a task ends its computation in user mode. */
  readonly kind: 'tick' | 'user' | 'other';
  readonly fire: () => void;
}

/** What is to happen, earliest first. */
export class EventQueue {
  private readonly queue: TinyQueue<TimedEvent> = new TinyQueue<TimedEvent>(
    [],
    (a, b) => a.time - b.time || a.sequence - b.sequence,
  );
  private sequence = 0;
  /** Events that are no ticks. */
  pending = 0;
  /** Those among them that end a computation in user mode. */
  computing = 0;

  /** Time of the earliest event, or infinity. */
  get next(): number {
    return this.queue.peek()?.time ?? Number.POSITIVE_INFINITY;
  }

  at(time: number, fire: () => void, kind: TimedEvent['kind'] = 'other'): TimedEvent {
    const event: TimedEvent = { time, sequence: this.sequence++, kind, fire };
    this.count(event, 1);
    this.queue.push(event);
    return event;
  }

  private count({ kind }: TimedEvent, by: number): void {
    if (kind !== 'tick') this.pending += by;
    if (kind === 'user') this.computing += by;
  }

  /** Puts an event that fired back for a later time. */
  again(event: TimedEvent, time: number): void {
    event.time = time;
    event.sequence = this.sequence++;
    this.queue.push(event);
  }

  /** Takes the earliest event out. */
  take(): TimedEvent {
    const event = this.queue.pop() as TimedEvent;
    this.count(event, -1);
    return event;
  }
}
