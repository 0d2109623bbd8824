// SPDX-License-Identifier: MIT
import type { Op, Ptr } from '@lockless/cpu';
import { KernelBug } from '@lockless/cpu';
import type { EventQueue } from './events.js';
import type { FaultInjection } from './fault-injection.js';
import type { PendingInterrupt, Processor } from './processor.js';
import type { Random } from './random.js';

/** A device as the machine sees it. */
export interface DeviceSpec {
  readonly name?: string;
  /** How long a request takes, in virtual ns. */
  readonly latency: (request: Ptr<unknown>, random: Random) => number;
  /** Requests it works on at the same time; the others wait in order. Default 1. */
  readonly queueDepth?: number;
  /** The transfer, at completion time: reads and writes words as DMA does. `fails`, asked once for
   * each kind of error that the request can end in: it must report that. */
  readonly service: (request: Ptr<unknown>, words: Int32Array, fails: (kind: 'eio' | 'enospc') => boolean) => void;
  /** The completion interrupt handler. */
  readonly interrupt: (request: Ptr<unknown>) => Op<void>;
}

interface Device {
  readonly spec: DeviceSpec;
  readonly name: string;
  busy: number;
  readonly waiting: Ptr<unknown>[];
}

/** The devices of a machine. */
export class Devices {
  private readonly devices: Map<number, Device> = new Map();
  private readonly events: EventQueue;
  private readonly random: Random;
  private readonly faults: FaultInjection;
  private readonly words: Int32Array;
  private readonly deliver: (interrupt: PendingInterrupt) => void;
  /** Requests submitted and not yet completed. */
  inFlight = 0;

  constructor(parts: {
    events: EventQueue;
    random: Random;
    faults: FaultInjection;
    words: Int32Array;
    deliver: (interrupt: PendingInterrupt) => void;
  }) {
    this.events = parts.events;
    this.random = parts.random;
    this.faults = parts.faults;
    this.words = parts.words;
    this.deliver = parts.deliver;
  }

  attach(id: number, spec: DeviceSpec): void {
    if (this.devices.has(id)) throw new Error(`device ${id} is attached already`);
    this.devices.set(id, { spec, name: spec.name ?? `device ${id}`, busy: 0, waiting: [] });
  }

  submit(id: number, request: Ptr<unknown>, cpu: Processor, elapsed: number): void {
    const device = this.devices.get(id);
    if (device === undefined) throw new KernelBug('no-device', `submit_io() to device ${id}, which is not attached`);
    this.inFlight++;
    if (device.busy >= (device.spec.queueDepth ?? 1)) device.waiting.push(request);
    else this.begin(device, request, cpu.clock + elapsed);
  }

  private begin(device: Device, request: Ptr<unknown>, time: number): void {
    device.busy++;
    const done = time + Math.max(1, device.spec.latency(request, this.random));
    this.events.at(done, () => this.complete(device, request, done));
  }

  private complete(device: Device, request: Ptr<unknown>, time: number): void {
    device.spec.service(request, this.words, (kind) => this.faults.shouldFail(kind));
    device.busy--;
    this.inFlight--;
    const next = device.waiting.shift();
    if (next !== undefined) this.begin(device, next, time);
    this.deliver({ name: `${device.name} interrupt`, handler: () => device.spec.interrupt(request) });
  }
}
