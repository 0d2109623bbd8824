// SPDX-License-Identifier: MIT
import TinyQueue from 'tinyqueue';

/** Something that happens at a virtual time. */
export interface TimedEvent {
  time: number;
  /** Order among those of one time. */
  sequence: number;
  /** Timer ticks come back for ever: they alone keep no machine alive. */
  readonly tick: boolean;
  readonly fire: () => void;
}

/** What is to happen, earliest first. */
export class EventQueue {
  private readonly queue: TinyQueue<TimedEvent> = new TinyQueue<TimedEvent>([], (a, b) => a.time - b.time || a.sequence - b.sequence);
  private sequence = 0;
  /** Events that are no ticks. */
  pending = 0;

  /** Time of the earliest event, or infinity. */
  get next(): number {
    return this.queue.peek()?.time ?? Number.POSITIVE_INFINITY;
  }

  at(time: number, fire: () => void, tick = false): TimedEvent {
    if (!tick) this.pending++;
    const event = { time, sequence: this.sequence++, tick, fire };
    this.queue.push(event);
    return event;
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
    if (!event.tick) this.pending--;
    return event;
  }
}
