// SPDX-License-Identifier: GPL-2.0-only
import type { MachineHandle, NativeMachine, ThreadOptions } from '@lockless/native';

/** What another thread attaches to: give it to a worker by workerData or postMessage(). */
export interface SharedMapHandle {
  readonly type: 'lockless-shared-map';
  readonly machine: MachineHandle;
  readonly home: string;
  readonly address: number;
}

export interface CreateOptions extends ThreadOptions {
  /** All memory there will ever be, in bytes, of which 5 MB are for the machine itself. Default: 64 MB. */
  readonly bytes?: number;
  /** Threads that may take part at a time, at most 64, the default. */
  readonly threads?: number;
  /**
   * How readers are waited for: `mb`, the default, or `qsbr`, for threads that look up many values at a time and then return to their event loop
   * (docs/native/rcu.md).
   */
  readonly rcu?: 'mb' | 'qsbr';
  /** Whether lookups may be WebAssembly. Default: true, where there is any; results are the same. */
  readonly webAssembly?: boolean;
  /** A machine that exists already, of which this thread is part; all of the above are its own then. */
  readonly machine?: NativeMachine;
}
